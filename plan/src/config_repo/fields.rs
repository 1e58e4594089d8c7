//! Drift: does the cluster still hold the fields that git decides?
//!
//! The API server itself keeps the answer. After a server-side apply, `metadata.managedFields` lists every field that our
//! manager owns; whoever changes or removes one of them takes it out of that list, and what others add never enters it.
//! So no defaults and no formats are compared: the list is. `spec.replicas` is left out, because autoscalers own it.

use crds::names::MANAGER_CONFIG;
use serde_json::{Map, Value};

use crate::matching::short_digest;

/// The fields that our manager owns by apply, in the form of `fieldsV1`; `None` where it owns none.
pub fn own(live: &Value) -> Option<Value> {
    let entries = live.get("metadata")?.get("managedFields")?.as_array()?;
    let ours = entries.iter().find(|entry| {
        entry.get("manager").and_then(Value::as_str) == Some(MANAGER_CONFIG)
            && entry.get("operation").and_then(Value::as_str) == Some("Apply")
            && entry.get("subresource").and_then(Value::as_str).unwrap_or_default().is_empty()
    })?;
    let mut fields = ours.get("fieldsV1")?.clone();
    if let Some(Value::Object(spec)) = fields.get_mut("f:spec") {
        spec.remove("f:replicas");
    }
    Some(fields)
}

/// A digest of the fields that our manager owns.
pub fn digest(fields: &Value) -> String {
    short_digest(fields)
}

/// Whether we own `spec.replicas`, that is: nobody scaled the object since.
pub fn owns_replicas(live: &Value) -> bool {
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().any(|entry| {
        entry.get("manager").and_then(Value::as_str) == Some(MANAGER_CONFIG)
            && entry.pointer("/fieldsV1/f:spec/f:replicas").is_some()
    })
}

/// Whether every field of `wanted` is in `fields`. It is asked only when no earlier list is known to compare with.
pub fn cover(fields: &Value, wanted: &Value) -> bool {
    let Some(object) = wanted.as_object() else { return false };
    object.iter().filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind")).all(|(key, value)| {
        let mut value = value.clone();
        match (key.as_str(), &mut value) {
            // They identify the object and are owned by nobody.
            ("metadata", Value::Object(metadata)) => {
                metadata.remove("name");
                metadata.remove("namespace");
            }
            ("spec", Value::Object(spec)) => {
                spec.remove("replicas");
            }
            _ => {}
        }
        covers_field(fields, key, &value)
    })
}

fn covers_field(fields: &Value, key: &str, value: &Value) -> bool {
    if value.is_null() {
        return true;
    }
    match fields.get(format!("f:{key}")) {
        Some(found) => covers(found, value),
        None => is_empty(value),
    }
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Null)
        || value.as_object().is_some_and(|map| map.values().all(is_empty))
        || value.as_array().is_some_and(Vec::is_empty)
}

fn covers(fields: &Value, value: &Value) -> bool {
    let Some(children) = fields.as_object() else { return true };
    // A field without children is owned as a whole; one whose only child is `.` is an empty map or list.
    if children.is_empty() {
        return true;
    }
    match value {
        Value::Object(map) => map.iter().all(|(key, value)| covers_field(fields, key, value)),
        Value::Array(items) => items.iter().all(|item| covers_item(children, item)),
        _ => true,
    }
}

/// An item of a list that is a map (`k:{"name":"web"}`) or a set (`v:"a"`).
fn covers_item(children: &Map<String, Value>, item: &Value) -> bool {
    children.iter().any(|(name, fields)| {
        if let Some(text) = name.strip_prefix("v:") {
            return serde_json::from_str::<Value>(text).is_ok_and(|value| &value == item);
        }
        let Some(keys) = name.strip_prefix("k:").and_then(|text| serde_json::from_str::<Value>(text).ok())
        else {
            return false;
        };
        // A key that git leaves out was filled in with its default, such as the protocol of a port.
        let same = keys.as_object().is_some_and(|keys| {
            keys.iter().all(|(key, value)| item.get(key).is_none_or(|found| found == value))
        });
        same && covers(fields, item)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(fields: &Value) -> Value {
        json!({"metadata": {"managedFields": [
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:data": {"f:x": {}}}},
            {"manager": "keelway-config", "operation": "Apply", "fieldsV1": fields},
        ]}})
    }

    fn deployment_fields() -> Value {
        json!({"f:spec": {
            "f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}, "f:args": {},
                    "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}}}}}})
    }

    fn deployment() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "n"},
            "spec": {"replicas": 2, "strategy": {}, "template": {"spec": {"containers": [
                {"name": "web", "image": "r:1", "args": ["a", "b"], "ports": [{"containerPort": 80}]}]}}}})
    }

    #[test]
    fn the_fields_of_an_apply_cover_what_was_applied() {
        let fields = own(&live(&deployment_fields())).unwrap();
        assert!(cover(&fields, &deployment()));
        assert!(fields.pointer("/f:spec/f:replicas").is_none());
        assert!(owns_replicas(&live(&deployment_fields())));
    }

    #[test]
    fn a_field_that_somebody_took_is_drift() {
        for gone in ["f:image", "f:args", "f:ports", "f:name"] {
            let mut fields = deployment_fields();
            let path = "/f:spec/f:template/f:spec/f:containers/k:{\"name\":\"web\"}";
            fields.pointer_mut(path).unwrap().as_object_mut().unwrap().remove(gone);
            assert!(!cover(&fields, &deployment()), "{gone}");
            assert_ne!(digest(&fields), digest(&deployment_fields()));
        }
    }

    #[test]
    fn scaling_by_somebody_else_is_no_drift() {
        let mut fields = deployment_fields();
        fields["f:spec"].as_object_mut().unwrap().remove("f:replicas");
        assert!(cover(&own(&live(&fields)).unwrap(), &deployment()));
        assert_eq!(own(&live(&fields)), own(&live(&deployment_fields())));
        assert!(!owns_replicas(&live(&fields)));
    }

    #[test]
    fn sets_and_whole_lists_are_understood() {
        let fields = json!({"f:metadata": {"f:finalizers": {"v:\"a\"": {}}}, "f:rules": {}});
        let wanted = |finalizer: &str| json!({"metadata": {"name": "x", "finalizers": [finalizer]}, "rules": [{"verbs": ["get"]}]});
        assert!(cover(&fields, &wanted("a")));
        assert!(!cover(&fields, &wanted("b")));
        assert!(!cover(&json!({"f:metadata": {"f:finalizers": {"v:\"a\"": {}}}}), &wanted("a")));
    }

    #[test]
    fn without_our_entry_nothing_is_owned() {
        assert_eq!(own(&json!({"metadata": {"managedFields": []}})), None);
        assert_eq!(own(&json!({"metadata": {}})), None);
    }
}
