//! Answers of a real API server (1.34), as recorded.

use plan::Class;
use serde_json::{Value, json};

use super::*;

fn key(api_version: &str, kind: &str) -> ObjectKey {
    ObjectKey {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: Some("team".into()),
        name: "shop".into(),
    }
}

fn answered(body: Value) -> kube::Error {
    let status: Status = serde_json::from_value(body).unwrap();
    kube::Error::Api(status.boxed())
}

fn mapped(body: Value, verb: &'static str, key: &ObjectKey) -> Refusal {
    let identity = Identity::service_account("team", "deployer").unwrap();
    refusal(&answered(body), &Attempt::new(verb, key, &identity))
}

#[test]
fn a_missing_right_names_account_verb_and_cure() {
    let body = json!({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"deployments.apps \"shop\" is forbidden: User \"system:serviceaccount:team:deployer\" cannot patch resource \"deployments\" in API group \"apps\" in the namespace \"team\"","reason":"Forbidden","details":{"name":"shop","group":"apps","kind":"deployments"},"code":403});
    let refusal = mapped(body, "patch", &key("apps/v1", "Deployment"));
    assert_eq!((refusal.class, refusal.reason), (Class::NeedsUser, Reason::Forbidden));
    assert!(
        refusal.message.starts_with(
            "service account team/deployer may not patch Deployment team/shop; grant it by a Role"
        ),
        "{}",
        refusal.message
    );
}

#[test]
fn an_account_that_may_not_be_used_is_told_from_one_that_may_not_write() {
    let body = json!({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"serviceaccounts \"deployer\" is forbidden: User \"system:serviceaccount:keelway:keelway\" cannot impersonate resource \"serviceaccounts\" in API group \"\" in the namespace \"team\"","reason":"Forbidden","details":{"name":"deployer","kind":"serviceaccounts"},"code":403});
    let refusal = mapped(body, "patch", &key("v1", "ConfigMap"));
    assert_eq!((refusal.class, refusal.reason), (Class::NeedsUser, Reason::AccountMissing));
}

#[test]
fn an_invalid_field_is_named_and_waits_for_a_person() {
    let body = json!({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Deployment.apps \"shop\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0","reason":"Invalid","details":{"name":"shop","group":"apps","kind":"Deployment","causes":[{"reason":"FieldValueInvalid","message":"Invalid value: -1: must be greater than or equal to 0","field":"spec.replicas"}]},"code":422});
    let refusal = mapped(body, "patch", &key("apps/v1", "Deployment"));
    assert_eq!(refusal.class, Class::NeedsUser);
    assert!(refusal.message.contains("spec.replicas"), "{}", refusal.message);
}

#[test]
fn an_unknown_field_is_a_persons_matter_although_it_comes_as_500() {
    let body = json!({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"failed to create typed patch object (team/shop; apps/v1, Kind=Deployment): .spec.replica: field not declared in schema","code":500});
    assert_eq!(mapped(body, "patch", &key("apps/v1", "Deployment")).class, Class::NeedsUser);
}

#[test]
fn a_secrets_values_never_reach_a_message() {
    let body = json!({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Secret \"shop\" is invalid: data[canary]: Invalid value: \"hunter2\": bad","reason":"Invalid","details":{"name":"shop","kind":"Secret","causes":[{"reason":"FieldValueInvalid","message":"Invalid value: \"hunter2\": bad","field":"data[canary]"}]},"code":422});
    let refusal = mapped(body, "patch", &key("v1", "Secret"));
    assert!(!refusal.message.contains("hunter2"), "{}", refusal.message);
    assert!(refusal.message.contains("data[canary]"), "{}", refusal.message);
    let body = json!({"kind":"Status","status":"Failure","message":"cannot decode hunter2","reason":"BadRequest","code":400});
    assert!(!mapped(body, "patch", &key("v1", "Secret")).message.contains("hunter2"));
}

#[test]
fn what_may_work_the_next_time_is_transient() {
    let terminating = json!({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"configmaps \"shop\" is forbidden: unable to create new content in namespace team because it is being terminated","reason":"Forbidden","details":{"name":"shop","kind":"configmaps","causes":[{"reason":"NamespaceTerminating","message":"namespace team is being terminated","field":"metadata.namespace"}]},"code":403});
    let conflict = json!({"kind":"Status","status":"Failure","message":"Operation cannot be fulfilled on configmaps \"shop\": the object has been modified","reason":"Conflict","code":409});
    let exists = json!({"kind":"Status","status":"Failure","message":"configmaps \"shop\" already exists","reason":"AlreadyExists","code":409});
    let busy = json!({"kind":"Status","status":"Failure","message":"the server is currently unable to handle the request","reason":"ServiceUnavailable","code":503});
    let slow = json!({"kind":"Status","status":"Failure","message":"Timeout: request did not complete within the allotted timeout","reason":"Timeout","code":504});
    let missing = json!({"kind":"Status","status":"Failure","message":"namespaces \"team\" not found","reason":"NotFound","code":404});
    for body in [terminating, conflict, exists, busy, slow, missing] {
        assert_eq!(mapped(body.clone(), "patch", &key("v1", "ConfigMap")).class, Class::Transient, "{body}");
    }
}

#[test]
fn a_conflict_names_the_other_field_manager() {
    let body = json!({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas","reason":"Conflict","details":{"causes":[{"reason":"FieldManagerConflict","message":"conflict with \"kubectl\" with subresource \"scale\" using apps/v1","field":".spec.replicas"}]},"code":409});
    assert_eq!(conflicting_managers(&answered(body)), ["kubectl"]);
    let other =
        json!({"kind":"Status","status":"Failure","message":"modified","reason":"Conflict","code":409});
    assert!(conflicting_managers(&answered(other)).is_empty());
}
