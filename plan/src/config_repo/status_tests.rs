use super::*;
use crate::step::EventKind;
use serde_json::json;

fn repo(status: Option<ConfigRepoStatus>) -> ConfigRepo {
    let mut repo: ConfigRepo = serde_json::from_value(json!({
        "apiVersion": "keelway.dev/v1alpha1", "kind": "ConfigRepo",
        "metadata": {"name": "platform", "namespace": "team", "generation": 3},
        "spec": {"url": "https://git.example.com/acme/platform.git", "serviceAccountName": "deployer"}
    }))
    .unwrap();
    repo.status = status;
    repo
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn commit(digit: char) -> Commit {
    Commit {
        sha: digit.to_string().repeat(40),
        author: Some("Ann <ann@example.com>".into()),
        subject: Some("Two replicas".into()),
        time: None,
    }
}

fn reference(name: &str) -> ObjectRef {
    ObjectRef {
        version: "v1".into(),
        kind: "ConfigMap".into(),
        namespace: "team".into(),
        name: name.into(),
        ..ObjectRef::default()
    }
}

fn key(name: &str) -> ObjectKey {
    super::super::inventory::key(&reference(name))
}

fn facts(digit: char) -> Facts {
    Facts { commit: Some(commit(digit)), inventory: vec![reference("a"), reference("b")], ..Facts::default() }
}

fn done() -> Done {
    Done { objects: 2, applied_with: "w".into(), ..Done::default() }
}

fn good() -> Told {
    status(&repo(None), &facts('a'), &Outcome::Applied(done()), at(100))
}

#[test]
fn an_applied_commit_is_told_once() {
    let told = good();
    insta::assert_yaml_snapshot!(told.status);
    assert_eq!(told.events[0].message, "aaaaaaa by Ann <ann@example.com>: Two replicas (2 objects)");
    let again = status(&repo(Some(told.status.clone())), &facts('a'), &Outcome::Applied(done()), at(900));
    assert_eq!((again.status, again.events), (told.status, Vec::new()));
}

#[test]
fn a_refused_commit_leaves_the_last_good_one_in_force() {
    let refusal = Refusal::needs_user(Reason::Refused, "apps/web.yaml:7: the field spec.imgae is not known");
    let told = status(&repo(Some(good().status)), &facts('b'), &Outcome::Stopped(refusal), at(200));
    insta::assert_yaml_snapshot!(told.status);
    assert_eq!((told.events.len(), told.events[0].kind), (1, EventKind::Warning));
}

#[test]
fn a_transient_error_is_no_stall() {
    let told = status(
        &repo(Some(good().status)),
        &facts('a'),
        &Outcome::Stopped(Refusal::transient("no answer")),
        at(200),
    );
    let kinds: Vec<_> = told.status.conditions.iter().map(|c| c.type_).collect();
    assert_eq!(kinds, [ConditionType::Ready, ConditionType::Reconciling]);
}

#[test]
fn a_large_prune_shows_its_token() {
    let objects = ["a", "b", "c", "d", "e", "f"].map(reference).to_vec();
    let pending = Pending { objects, token: "0123456789ab".into() };
    let told = status(
        &repo(None),
        &facts('a'),
        &Outcome::Applied(Done { pending: Some(pending), ..done() }),
        at(100),
    );
    insta::assert_yaml_snapshot!(told.status.conditions);
}

#[test]
fn objects_that_start_are_progress_until_the_timeout() {
    let starting = Outcome::Applied(Done {
        unhealthy: vec![(key("web"), Health::Progressing("0 of 2 pods are ready".into()))],
        ..done()
    });
    let first = status(&repo(None), &facts('a'), &starting, at(100));
    assert_eq!(first.wake, Some(at(220)));
    let late = status(&repo(Some(first.status.clone())), &facts('a'), &starting, at(220));
    assert_eq!(late.wake, None);
    insta::assert_yaml_snapshot!([first.status.conditions, late.status.conditions]);
    assert_eq!((late.events.len(), late.events[0].reason.as_str()), (1, "Unhealthy"));
}

#[test]
fn plain_secrets_are_a_warning_until_a_commit_without_them() {
    let place = Place { path: "team/secret.yaml".into(), line: 2 };
    let warned = Facts { plain_secrets: vec![place], ..facts('a') };
    let first = status(&repo(None), &warned, &Outcome::Applied(done()), at(100));
    let has = |told: &Told| told.status.conditions.iter().any(|c| c.type_ == ConditionType::Warning);
    assert!(has(&first));
    let unread = Facts { commit: None, ..facts('a') };
    let failed = status(
        &repo(Some(first.status.clone())),
        &unread,
        &Outcome::Stopped(Refusal::transient("x")),
        at(110),
    );
    assert!(has(&failed));
    assert!(!has(&status(&repo(Some(first.status)), &facts('b'), &Outcome::Applied(done()), at(120))));
}

#[test]
fn suspending_keeps_what_is_known() {
    let told = status(&repo(Some(good().status)), &facts('a'), &Outcome::Suspended, at(300));
    assert_eq!(told.status.summary.as_deref(), Some("aaaaaaa (2 objects)"));
    assert_eq!(told.status.inventory.len(), 2);
    assert_eq!(told.status.conditions[0].reason, Reason::Suspended);
}

#[test]
fn the_interval_is_spread_by_a_tenth() {
    let minute = Duration::from_secs(60);
    assert_eq!(next_look(at(0), minute, 0.0), at(54));
    assert_eq!(next_look(at(0), minute, 1.0), at(66));
    assert!(next_look(at(0), Duration::ZERO, 0.5) >= at(0));
    assert!(next_look(at(100), Duration::ZERO, 0.0).as_millisecond() >= 100_900);
}
