//! Orders of watch events and own writes.

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

use super::*;

fn object(version: u64, uid: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
        "namespace": "n", "name": "a", "uid": uid, "resourceVersion": version.to_string(),
        "labels": {"keelway.dev/environment": "shop"}}})
}

fn map(version: u64, uid: &str) -> ConfigMap {
    serde_json::from_value(object(version, uid)).unwrap()
}

fn key() -> ObjectKey {
    ObjectKey {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        namespace: Some("n".into()),
        name: "a".into(),
    }
}

fn held(store: &Store<ConfigMap>) -> Option<String> {
    store.get("n", "a").and_then(|object| object.metadata.resource_version.clone())
}

#[test]
fn a_watch_event_older_than_our_own_write_is_passed_over() {
    let store = Store::by_environment();
    store.shows(map(5, "u"), false);
    store.written(&key(), &object(9, "u"));
    store.shows(map(7, "u"), false);
    assert_eq!(held(&store).as_deref(), Some("9"));
    store.shows(map(12, "u"), false);
    assert_eq!(held(&store).as_deref(), Some("12"));
}

#[test]
fn an_object_that_we_deleted_does_not_come_back_by_an_older_event() {
    let store = Store::by_environment();
    store.shows(map(5, "u"), false);
    store.gone(&key(), "u");
    store.shows(map(6, "u"), false);
    assert_eq!(held(&store), None);
    store.shows(map(9, "another"), false);
    assert_eq!(held(&store).as_deref(), Some("9"));
}

#[test]
fn the_end_of_an_object_does_not_end_its_successor() {
    let store = Store::by_environment();
    store.shows(map(5, "u"), false);
    store.gone(&key(), "u");
    store.written(&key(), &object(9, "successor"));
    store.ends(&map(7, "u").metadata);
    assert_eq!(held(&store).as_deref(), Some("9"));
}

#[test]
fn a_list_drops_what_is_gone_and_keeps_what_was_written_since_it_began() {
    let store = Store::by_environment();
    store.shows(map(5, "u"), false);
    store.list_begins();
    store.list_ends();
    assert_eq!(held(&store), None);

    store.list_begins();
    store.written(&key(), &object(9, "u"));
    store.list_ends();
    assert_eq!(held(&store).as_deref(), Some("9"));

    store.list_begins();
    store.list_ends();
    assert_eq!(held(&store), None);
}

#[test]
fn a_change_is_told_once_whether_our_write_or_the_watch_comes_first() {
    let store = Store::by_environment();
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let listener = told.clone();
    store.listen(move |change: &Change<ConfigMap>| {
        let word = if matches!(change, Change::Is(_)) { "is" } else { "gone" };
        listener
            .lock()
            .unwrap()
            .push(format!("{word} {}", change.object().metadata.resource_version.clone().unwrap()));
    });
    store.written(&key(), &object(5, "u"));
    store.shows(map(5, "u"), false);
    store.shows(map(6, "u"), false);
    store.written(&key(), &object(6, "u"));
    store.gone(&key(), "u");
    store.ends(&map(7, "u").metadata);
    assert_eq!(*told.lock().unwrap(), ["is 5", "is 6", "gone 6"]);
}

#[test]
fn objects_are_found_by_their_environment() {
    let store = Store::by_environment();
    store.shows(map(5, "u"), false);
    assert_eq!(store.indexed("n", "shop").len(), 1);
    assert!(store.indexed("other", "shop").is_empty());
    let mut moved = map(6, "u");
    moved.metadata.labels = None;
    store.shows(moved, false);
    assert!(store.indexed("n", "shop").is_empty());
}

#[test]
fn a_poisoned_object_is_known_to_exist() {
    let store: Store<ConfigMap> = Store::by_environment();
    store.shows(map(5, "u"), false);
    store.poisoned(&map(6, "u").metadata, "spec.image: wrong".into(), false);
    assert!(store.get("n", "a").is_none() && store.is_poisoned("n", "a"));
    store.shows(map(7, "u"), false);
    assert!(store.get("n", "a").is_some() && !store.is_poisoned("n", "a"));
}

#[test]
fn a_list_of_a_cluster_that_was_brought_back_from_a_backup_is_believed() {
    let store = Store::by_environment();
    store.list_begins();
    store.shows(map(50, "u"), true);
    store.list_ends();
    store.list_begins();
    store.shows(map(20, "u"), true);
    store.list_ends();
    assert_eq!(held(&store).as_deref(), Some("20"));

    store.list_begins();
    store.written(&key(), &object(30, "u"));
    store.shows(map(20, "u"), true);
    store.list_ends();
    assert_eq!(held(&store).as_deref(), Some("30"));
}
