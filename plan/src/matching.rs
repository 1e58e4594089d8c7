//! Does an object in the cluster already say what we want of it? Kubernetes fills in defaults and others add fields,
//! so equality is no answer: every field that we decide must be there with our value, and nothing that we decided
//! before and no longer do may remain. The second half is the annotation [`APPLIED`].

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::object::Manifest;

/// Annotation: a digest of the fields that were last applied.
pub const APPLIED: &str = "keelway.dev/applied";

/// Stamps the manifest with the digest of its own fields.
pub fn stamp(mut manifest: Manifest) -> Manifest {
    if let Some(annotations) = annotations_mut(manifest.value_mut()) {
        annotations.remove(APPLIED);
    }
    let digest = short_digest(manifest.value());
    if let Some(annotations) = annotations_mut(manifest.value_mut()) {
        annotations.insert(APPLIED.into(), digest.into());
    }
    manifest
}

/// Whether the live object holds every field of the (stamped) manifest.
pub fn holds(live: &Value, wanted: &Manifest) -> bool {
    contains(live, wanted.value(), false)
}

/// The first 32 hex digits of the SHA-256 of the JSON; keys are sorted, so equal values have equal digests.
pub fn short_digest(value: &Value) -> String {
    Sha256::digest(value.to_string()).iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn annotations_mut(value: &mut Value) -> Option<&mut Map<String, Value>> {
    let metadata = value.as_object_mut()?.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    let annotations =
        metadata.as_object_mut()?.entry("annotations").or_insert_with(|| Value::Object(Map::new()));
    annotations.as_object_mut()
}

/// The fields whose values are quantities; elsewhere `1` and `1000m` are different texts.
const QUANTITIES: [&str; 5] = ["requests", "limits", "hard", "capacity", "sizeLimit"];

/// Whether `live` has all that `wanted` has. Empty maps, lists and strings, `false` and 0 count as absent: the API server
/// drops them, except where 0 means something else than nothing, and there it keeps them.
fn contains(live: &Value, wanted: &Value, quantities: bool) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| match live.get(key) {
                Some(found) => contains(found, value, quantities || QUANTITIES.contains(&key.as_str())),
                None => is_empty(value),
            })
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && wanted.iter().zip(live).all(|(value, found)| contains(found, value, quantities))
        }
        (found, value) => found == value || (quantities && same_quantity(found, value)),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
    }
}

/// `1000m` and `1`, `1024Mi` and `1Gi`: the API server writes quantities in their canonical form.
fn same_quantity(a: &Value, b: &Value) -> bool {
    let amount = |value: &Value| match value {
        Value::String(text) => quantity(text),
        Value::Number(number) => number.as_f64(),
        _ => None,
    };
    matches!((amount(a), amount(b)), (Some(a), Some(b)) if (a - b).abs() <= f64::EPSILON * a.abs().max(b.abs()))
}

fn quantity(text: &str) -> Option<f64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let factor = match suffix {
        "" => 1.0,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        "Pi" => 1_125_899_906_842_624.0,
        "Ei" => 1_152_921_504_606_846_976.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest(data: Value) -> Manifest {
        Manifest::new(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}),
        )
        .unwrap()
    }

    #[test]
    fn defaults_and_foreign_fields_do_not_count_as_drift() {
        let wanted = stamp(manifest(json!({"a": "1"})));
        let mut live = wanted.value().clone();
        live["data"]["theirs"] = "x".into();
        live["metadata"]["resourceVersion"] = "7".into();
        assert!(holds(&live, &wanted));
        live["data"]["a"] = "2".into();
        assert!(!holds(&live, &wanted));
    }

    #[test]
    fn a_field_that_we_no_longer_decide_shows_by_the_stamp() {
        let before = stamp(manifest(json!({"a": "1", "b": "2"})));
        let after = stamp(manifest(json!({"a": "1"})));
        assert!(!holds(before.value(), &after));
    }

    #[test]
    fn quantities_are_compared_by_amount() {
        let wanted = json!({"limits": {"cpu": "1000m", "memory": "1024Mi"}});
        assert!(contains(&json!({"limits": {"cpu": "1", "memory": "1Gi"}}), &wanted, false));
        assert!(!contains(&json!({"limits": {"cpu": "2", "memory": "1Gi"}}), &wanted, false));
        assert!(!contains(&json!({"data": {"a": "1"}}), &json!({"data": {"a": "1000m"}}), false));
    }

    #[test]
    fn a_zero_that_the_api_server_drops_is_there() {
        assert!(contains(&json!({}), &json!({"minReadySeconds": 0}), false));
        assert!(!contains(&json!({"replicas": 1}), &json!({"replicas": 0}), false));
        assert!(!contains(&json!({}), &json!({"replicas": 1}), false));
    }

    #[test]
    fn a_stamp_is_stable() {
        let once = stamp(manifest(json!({"a": "1"})));
        assert_eq!(stamp(once.clone()), once);
    }
}
