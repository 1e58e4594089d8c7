//! Objects of any kind, as they are planned and as they are found.

use std::fmt;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which object: kind, namespace and name. Two versions of one kind are the same object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectKey {
    /// API group and version, as in `apps/v1`; `v1` for the core group.
    pub api_version: String,
    /// The kind, as in `Deployment`.
    pub kind: String,
    /// The namespace; none for kinds without.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectKey {
    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The API version without its group.
    pub fn version(&self) -> &str {
        self.api_version.split_once('/').map_or(self.api_version.as_str(), |(_, version)| version)
    }

    /// The key of a typed object.
    pub fn of<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        Self {
            api_version: K::api_version(&()).into_owned(),
            kind: K::kind(&()).into_owned(),
            namespace: object.meta().namespace.clone(),
            name: object.meta().name.clone().unwrap_or_default(),
        }
    }

    /// The reference that an Event carries.
    pub fn reference(&self, uid: Option<String>) -> ObjectReference {
        ObjectReference {
            api_version: Some(self.api_version.clone()),
            kind: Some(self.kind.clone()),
            namespace: self.namespace.clone(),
            name: Some(self.name.clone()),
            uid,
            ..ObjectReference::default()
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// An object to have: exactly the fields that we decide, as JSON. It always has apiVersion, kind and a name.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Manifest(Value);

impl Manifest {
    /// Wraps JSON that has apiVersion, kind and metadata.name; `None` where one of them is missing or empty.
    pub fn new(value: Value) -> Option<Self> {
        let text =
            |pointer: &str| value.pointer(pointer).and_then(Value::as_str).is_some_and(|t| !t.is_empty());
        (text("/apiVersion") && text("/kind") && text("/metadata/name")).then_some(Self(value))
    }

    /// A typed object without its status, nulls and empty `metadata` noise; `None` only without a name.
    pub fn of<K: Resource<DynamicType = ()> + Serialize>(object: &K) -> Option<Self> {
        let mut value = serde_json::to_value(object).ok()?;
        if let Value::Object(map) = &mut value {
            map.insert("apiVersion".into(), K::api_version(&()).into());
            map.insert("kind".into(), K::kind(&()).into());
            map.remove("status");
        }
        drop_nulls(&mut value);
        Self::new(value)
    }

    /// Which object this is.
    pub fn key(&self) -> ObjectKey {
        let text = |pointer: &str| self.0.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        ObjectKey {
            api_version: text("/apiVersion").unwrap_or_default(),
            kind: text("/kind").unwrap_or_default(),
            namespace: text("/metadata/namespace").filter(|n| !n.is_empty()),
            name: text("/metadata/name").unwrap_or_default(),
        }
    }

    /// The JSON.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The JSON, to be changed; apiVersion, kind and name must stay.
    pub fn value_mut(&mut self) -> &mut Value {
        &mut self.0
    }

    /// The JSON, taken out.
    pub fn into_value(self) -> Value {
        self.0
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_manifest_needs_kind_version_and_name() {
        let whole =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}});
        let key = Manifest::new(whole).unwrap().key();
        assert_eq!(key.to_string(), "ConfigMap n/a");
        assert_eq!((key.group(), key.version()), ("", "v1"));
        assert!(Manifest::new(json!({"kind": "ConfigMap", "metadata": {"name": "a"}})).is_none());
        assert!(
            Manifest::new(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ""}}))
                .is_none()
        );
    }
}
