use super::*;
use serde_json::json;

fn object(version: &str, kind: &str, spec: Value, status: Value) -> Value {
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": "a", "generation": 2}, "spec": spec, "status": status})
}

fn is_progressing(value: &Value) -> bool {
    matches!(health(value), Health::Progressing(_))
}

#[test]
fn a_deployment_is_healthy_when_all_pods_are_new_and_available() {
    let of = |status| object("apps/v1", "Deployment", json!({"replicas": 2}), status);
    assert!(is_progressing(&of(json!({}))));
    let done = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2});
    assert_eq!(health(&of(done.clone())), Health::Healthy);
    for (field, value) in
        [("observedGeneration", 1), ("replicas", 3), ("updatedReplicas", 1), ("availableReplicas", 1)]
    {
        let mut status = done.clone();
        status[field] = value.into();
        assert!(is_progressing(&of(status)), "{field}");
    }
    let mut stuck = done;
    stuck["conditions"] = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}]);
    assert_eq!(health(&of(stuck)), Health::Failed("timed out".into()));
    assert_eq!(
        health(&object("apps/v1", "Deployment", json!({"replicas": 0}), json!({"observedGeneration": 2}))),
        Health::Healthy
    );
}

#[test]
fn the_other_built_in_kinds_follow_their_own_fields() {
    let cases = [
        (
            object(
                "apps/v1",
                "StatefulSet",
                json!({"replicas": 1}),
                json!({"observedGeneration": 2, "updatedReplicas": 1, "readyReplicas": 1}),
            ),
            true,
        ),
        (
            object(
                "apps/v1",
                "StatefulSet",
                json!({"replicas": 2}),
                json!({"observedGeneration": 2, "updatedReplicas": 1, "readyReplicas": 2}),
            ),
            false,
        ),
        (object("apps/v1", "DaemonSet", json!({}), json!({"desiredNumberScheduled": 0})), true),
        (
            object(
                "apps/v1",
                "DaemonSet",
                json!({}),
                json!({"desiredNumberScheduled": 1, "updatedNumberScheduled": 1}),
            ),
            false,
        ),
        (object("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Bound"})), true),
        (object("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Pending"})), false),
        (object("v1", "Pod", json!({}), json!({"phase": "Succeeded"})), true),
        (object("v1", "Pod", json!({}), json!({"phase": "Running"})), false),
        (object("v1", "Service", json!({"type": "ClusterIP"}), json!({})), true),
        (object("v1", "Service", json!({"type": "LoadBalancer"}), json!({})), false),
        (object("batch/v1", "Job", json!({}), json!({"active": 1})), true),
        (object("v1", "ConfigMap", json!(null), json!(null)), true),
        (
            object(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                json!({}),
                json!({"conditions": [{"type": "Established", "status": "True"}]}),
            ),
            true,
        ),
        (object("apiextensions.k8s.io/v1", "CustomResourceDefinition", json!({}), json!({})), false),
    ];
    for (value, healthy) in cases {
        assert_eq!(health(&value) == Health::Healthy, healthy, "{value}");
    }
    let failed = json!({"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "m"}]});
    assert_eq!(
        health(&object("batch/v1", "Job", json!({}), failed)),
        Health::Failed("BackoffLimitExceeded: m".into())
    );
}

#[test]
fn any_other_kind_is_judged_by_its_conditions() {
    let of = |conditions| {
        object(
            "example.com/v1",
            "Thing",
            json!({}),
            json!({"observedGeneration": 2, "conditions": conditions}),
        )
    };
    assert_eq!(health(&of(json!([{"type": "Ready", "status": "True"}]))), Health::Healthy);
    assert!(is_progressing(&of(json!([{"type": "Ready", "status": "False", "reason": "Starts"}]))));
    assert!(is_progressing(&of(
        json!([{"type": "Ready", "status": "True"}, {"type": "Reconciling", "status": "True"}])
    )));
    assert_eq!(
        health(&of(json!([{"type": "Stalled", "status": "True", "message": "no"}]))),
        Health::Failed("no".into())
    );
    assert_eq!(
        health(&json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {}})),
        Health::Healthy
    );
    assert!(is_progressing(&json!({"apiVersion": "keelway.dev/v1alpha1", "kind": "App", "metadata": {}})));
}
