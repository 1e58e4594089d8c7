//! Keelway's own kinds, checked against their schema before the API server is asked, so that a slip of the pen gets a
//! suggestion.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::suggest;

/// The schemas of Keelway's kinds.
#[derive(Debug)]
pub struct Schemas {
    kinds: BTreeMap<String, Value>,
}

impl Default for Schemas {
    fn default() -> Self {
        Self::new()
    }
}

impl Schemas {
    /// Of all kinds of this version of Keelway.
    pub fn new() -> Self {
        let schema =
            |version: &_| serde_json::to_value(version).ok()?.pointer("/schema/openAPIV3Schema").cloned();
        let kinds = crds::all()
            .into_iter()
            .filter_map(|crd| Some((crd.spec.names.kind, crd.spec.versions.first().and_then(schema)?)))
            .collect();
        Self { kinds }
    }

    /// What is wrong with an object of Keelway's group, in words; `None` for what is right and for other groups. Types
    /// and CEL rules are the API server's business.
    pub fn mistake(&self, object: &Value) -> Option<String> {
        let (group, version) = object.get("apiVersion")?.as_str()?.split_once('/')?;
        if group != crds::GROUP {
            return None;
        }
        if version != crds::VERSION {
            return Some(format!(
                "the version {version:?} of {group} is not known; write {group}/{}",
                crds::VERSION
            ));
        }
        let kind = object.get("kind")?.as_str()?;
        let Some(schema) = self.kinds.get(kind) else {
            let hint = suggest::hint(kind, self.kinds.keys().map(String::as_str));
            return Some(format!("{group} has no kind {kind:?}{hint}"));
        };
        object.as_object()?.iter().filter(|(key, _)| !is_envelope(key)).find_map(|(key, value)| match schema
            .pointer("/properties")?
            .get(key)
        {
            Some(field) => unknown(value, field, key),
            None => Some(unknown_field(key, key, schema.get("properties")?.as_object()?)),
        })
    }
}

fn is_envelope(key: &str) -> bool {
    matches!(key, "apiVersion" | "kind" | "metadata" | "status")
}

/// The first field of `value` that the schema does not have.
fn unknown(value: &Value, schema: &Value, path: &str) -> Option<String> {
    if schema.get("x-kubernetes-preserve-unknown-fields").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    match value {
        Value::Object(fields) => {
            if let Some(values) = schema.get("additionalProperties") {
                return fields
                    .iter()
                    .find_map(|(key, value)| unknown(value, values, &format!("{path}.{key}")));
            }
            let known = schema.get("properties")?.as_object()?;
            fields.iter().find_map(|(key, value)| {
                let path = format!("{path}.{key}");
                match known.get(key) {
                    Some(field) => unknown(value, field, &path),
                    None => Some(unknown_field(&path, key, known)),
                }
            })
        }
        Value::Array(items) => {
            let item = schema.get("items")?;
            items
                .iter()
                .enumerate()
                .find_map(|(index, value)| unknown(value, item, &format!("{path}[{index}]")))
        }
        _ => None,
    }
}

fn unknown_field(path: &str, key: &str, known: &Map<String, Value>) -> String {
    let hint = suggest::hint(key, known.keys().map(String::as_str));
    format!("the field {path} is not known{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn app(spec: &Value) -> Option<String> {
        let object = json!({"apiVersion": "keelway.dev/v1alpha1", "kind": "App", "metadata": {"name": "a"}, "spec": spec});
        Schemas::new().mistake(&object)
    }

    #[test]
    fn a_misspelt_field_gets_the_near_name() {
        assert_eq!(app(&json!({"image": "r/a:1", "processes": [{"name": "web"}]})), None);
        let error = app(&json!({"imgae": "r/a:1"})).unwrap();
        assert_eq!(error, "the field spec.imgae is not known; did you mean \"image\"?");
        let error = app(&json!({"processes": [{"name": "web"}, {"name": "b", "comand": ["x"]}]})).unwrap();
        assert_eq!(error, "the field spec.processes[1].comand is not known; did you mean \"command\"?");
    }

    #[test]
    fn a_misspelt_kind_or_version_gets_the_near_name() {
        let schemas = Schemas::new();
        let object = |version: &str, kind: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "a"}});
        let error = schemas.mistake(&object("keelway.dev/v1alpha1", "Ap")).unwrap();
        assert!(error.contains("did you mean \"App\""), "{error}");
        assert!(schemas.mistake(&object("keelway.dev/v1", "App")).unwrap().contains("keelway.dev/v1alpha1"));
        assert_eq!(schemas.mistake(&object("apps/v1", "Deploiment")), None);
    }
}
