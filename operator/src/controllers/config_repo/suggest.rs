//! The near name of a misspelt field, from the API server's own description of its kinds.

use http::Request;
use kube::Client;
use manifests::suggest;
use plan::ObjectKey;
use serde_json::Value;

/// Levels of a path that are followed; deeper ones get no suggestion.
const LEVELS: usize = 40;

/// Words to append to a refusal of `field`, as in `spec.replica`; none where nothing is near.
pub(super) async fn near_field(client: &Client, key: &ObjectKey, field: &str) -> Option<String> {
    let path = match key.group() {
        "" => format!("/openapi/v3/api/{}", key.version()),
        group => format!("/openapi/v3/apis/{group}/{}", key.version()),
    };
    let request = Request::get(path).header("Accept", "application/json").body(Vec::new()).ok()?;
    let document: Value = client.request(request).await.ok()?;
    let hint = hint(&document, key, field);
    (!hint.is_empty()).then_some(hint)
}

fn hint(document: &Value, key: &ObjectKey, field: &str) -> String {
    let parts: Vec<_> = field.split('.').map(|part| part.split('[').next().unwrap_or(part)).collect();
    let Some((last, parents)) = parts.split_last() else { return String::new() };
    let Some(mut schema) = kind(document, key) else { return String::new() };
    for part in parents.iter().take(LEVELS) {
        let Some(next) =
            schema.get("properties").and_then(|p| p.get(part)).and_then(|n| resolve(document, n))
        else {
            return String::new();
        };
        schema = next;
    }
    let names = schema.get("properties").and_then(Value::as_object);
    suggest::hint(last, names.into_iter().flat_map(|names| names.keys().map(String::as_str)))
}

fn kind<'a>(document: &'a Value, key: &ObjectKey) -> Option<&'a Value> {
    let schemas = document.pointer("/components/schemas")?.as_object()?;
    schemas.values().find(|schema| {
        let kinds = schema.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
        kinds.into_iter().flatten().any(|kind| {
            let text = |name: &str| kind.get(name).and_then(Value::as_str).unwrap_or_default();
            (text("group"), text("version"), text("kind")) == (key.group(), key.version(), key.kind.as_str())
        })
    })
}

/// Follows references, and goes from a list to its items.
fn resolve<'a>(document: &'a Value, mut schema: &'a Value) -> Option<&'a Value> {
    for _ in 0..LEVELS {
        let reference =
            schema.get("$ref").or_else(|| schema.pointer("/allOf/0/$ref")).and_then(Value::as_str);
        schema = match (reference, schema.get("items")) {
            (Some(reference), _) => document.pointer(reference.strip_prefix('#')?)?,
            (None, Some(items)) => items,
            (None, None) => return Some(schema),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_near_name_is_found_below_references_and_lists() {
        let document = json!({"components": {"schemas": {
            "Deployment": {"x-kubernetes-group-version-kind": [{"group": "apps", "version": "v1", "kind": "Deployment"}],
                "properties": {"spec": {"allOf": [{"$ref": "#/components/schemas/Spec"}]}}},
            "Spec": {"properties": {"replicas": {}, "containers": {"items": {"allOf": [{"$ref": "#/components/schemas/Container"}]}}}},
            "Container": {"properties": {"image": {}, "command": {}}}
        }}});
        let key = ObjectKey {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: None,
            name: "a".into(),
        };
        assert_eq!(hint(&document, &key, "spec.replica"), "; did you mean \"replicas\"?");
        assert_eq!(hint(&document, &key, "spec.containers[0].imgae"), "; did you mean \"image\"?");
        assert_eq!(hint(&document, &key, "spec.nowhere.x"), "");
        assert_eq!(hint(&document, &key, "spec.zzzzzz"), "");
    }
}
