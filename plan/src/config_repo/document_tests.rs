use super::*;
use serde_json::json;

fn owner() -> Owner {
    Owner { uid: "u-1".into(), name: "team/platform".into(), target_namespace: "team".into() }
}

fn source(json: Value) -> Source {
    Source { place: Place { path: "a.yaml".into(), line: 3 }, json, encrypted: false }
}

fn planned(json: Value) -> Planned {
    normalise(&source(json), Some(Scope::Namespaced), &owner()).unwrap()
}

#[test]
fn an_object_gets_namespace_owner_and_stamp_and_loses_what_the_server_decides() {
    let planned = planned(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}, "status": {"x": 1},
        "metadata": {"name": "a", "uid": "x", "resourceVersion": "1", "creationTimestamp": null,
                     "annotations": {"keelway.dev/commit": "forged"}}
    }));
    let digest = planned.digest.clone();
    assert_eq!(
        planned.manifest.value(),
        &json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"},
            "metadata": {"name": "a", "namespace": "team",
                "labels": {"keelway.dev/config-repo-uid": "u-1"},
                "annotations": {"keelway.dev/config-repo": "team/platform", "keelway.dev/applied": digest}}
        })
    );
}

#[test]
fn only_keelways_own_kinds_carry_the_commit_and_it_does_not_change_the_digest() {
    let app =
        planned(json!({"apiVersion": "keelway.dev/v1alpha1", "kind": "App", "metadata": {"name": "a"}}));
    let with = app.at_commit("3f9c2ab");
    assert_eq!(with.value()["metadata"]["annotations"]["keelway.dev/commit"], "3f9c2ab");
    assert_eq!(with.value()["metadata"]["annotations"]["keelway.dev/applied"], app.digest.as_str());
    let map = planned(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}));
    assert_eq!(map.at_commit("3f9c2ab"), map.manifest);
}

#[test]
fn string_data_becomes_data() {
    for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("ü\n", "w7wK")] {
        let secret = planned(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
            "data": {"b": "eA=="}, "stringData": {"a": text}
        }));
        assert_eq!(secret.manifest.value()["data"], json!({"a": encoded, "b": "eA=="}));
        assert!(secret.manifest.value().get("stringData").is_none());
        assert!(secret.plain_secret);
    }
}

#[test]
fn a_namespace_must_fit_the_kind() {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a", "namespace": "x"}});
    let error = normalise(&source(role), Some(Scope::Cluster), &owner()).unwrap_err();
    assert!(error.to_string().starts_with("a.yaml:3: objects of this kind live in no namespace"), "{error}");
}

#[test]
fn labels_that_are_no_texts_are_refused() {
    let map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"a": true}}});
    let error = normalise(&source(map), Some(Scope::Namespaced), &owner()).unwrap_err();
    assert!(error.message.contains("quotes"), "{error}");
}

#[test]
fn an_object_that_stands_twice_is_named_with_both_places() {
    let map =
        |version: &str| planned(json!({"apiVersion": version, "kind": "Ingress", "metadata": {"name": "a"}}));
    let (first, mut second) = (map("networking.k8s.io/v1"), map("networking.k8s.io/v1beta1"));
    second.place.line = 9;
    let mistakes = duplicates([&first, &second]);
    assert_eq!(
        mistakes[0].to_string(),
        "a.yaml:9: Ingress team/a stands already at a.yaml:3; remove one of the two"
    );
    assert!(duplicates([&first]).is_empty());
}
