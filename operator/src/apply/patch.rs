//! The bodies of small writes: an object of only a few fields, and a patch that fits one object alone.

use plan::ObjectKey;
use serde_json::{Value, json};

/// An object of only name and these fields.
pub(super) fn named(key: &ObjectKey, fields: &Value) -> Value {
    let mut object = json!({
        "apiVersion": key.api_version,
        "kind": key.kind,
        "metadata": { "name": key.name, "namespace": key.namespace },
    });
    merge(&mut object, fields);
    object
}

/// Pins a patch to one object: another one of the same name has another uid, and the API server answers 409.
pub(super) fn pinned(mut patch: Value, uid: &str, resource_version: Option<&str>) -> Value {
    merge(&mut patch, &json!({ "metadata": { "uid": uid } }));
    if let Some(version) = resource_version {
        merge(&mut patch, &json!({ "metadata": { "resourceVersion": version } }));
    }
    patch
}

fn merge(into: &mut Value, fields: &Value) {
    match (into, fields) {
        (Value::Object(into), Value::Object(fields)) => {
            for (key, value) in fields {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, fields) => *into = fields.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_pinned_to_one_object() {
        let patch = pinned(json!({"metadata": {"labels": {"a": "b"}}}), "u-1", Some("7"));
        assert_eq!(patch, json!({"metadata": {"labels": {"a": "b"}, "uid": "u-1", "resourceVersion": "7"}}));
    }
}
