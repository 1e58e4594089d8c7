//! The state of a scenario's namespace, in a form that two runs can be compared by: the namespace and uids are
//! replaced by names, and what differs between two undisturbed runs is masked by a file that a person can review.

use std::collections::BTreeMap;

use anyhow::Context as _;
use kube::Client;
use serde_json::Value;

use crate::api;

/// The kinds that are compared: paths below the API, and plurals.
const KINDS: [(&str, &[&str]); 6] = [
    ("/api/v1", &["configmaps", "secrets", "services", "serviceaccounts", "pods"]),
    ("/apis/apps/v1", &["deployments", "replicasets", "statefulsets"]),
    ("/apis/batch/v1", &["jobs", "cronjobs"]),
    ("/apis/policy/v1", &["poddisruptionbudgets"]),
    ("/apis/rbac.authorization.k8s.io/v1", &["roles", "rolebindings"]),
    ("/apis/keelway.dev/v1alpha1", &["configrepos", "apps", "environments", "releases", "runs"]),
];

/// Objects by plural and name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot(pub BTreeMap<String, Value>);

impl Snapshot {
    /// Reads the namespace.
    ///
    /// # Errors
    /// A kind that cannot be listed.
    pub async fn take(client: &Client, namespace: &str) -> anyhow::Result<Self> {
        let mut objects = BTreeMap::new();
        for (prefix, plurals) in KINDS {
            for plural in plurals {
                let list = api::get(client, &format!("{prefix}/namespaces/{namespace}/{plural}")).await?;
                let items = list.as_ref().and_then(|list| list["items"].as_array()).context("no list")?;
                for item in items {
                    let name = item["metadata"]["name"].as_str().unwrap_or_default().replace(namespace, "NS");
                    objects.insert(format!("{plural}/{name}"), item.clone());
                }
            }
        }
        Ok(Self(named(objects, namespace)))
    }

    /// One object.
    pub fn object(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Without what the masks hide.
    #[must_use]
    pub fn masked(&self, masks: &Masks) -> Self {
        Self(self.0.iter().map(|(key, value)| (key.clone(), masks.hide(key, value.clone()))).collect())
    }

    /// Where this state differs from another, one line each.
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for key in self.0.keys().chain(expected.0.keys().filter(|key| !self.0.contains_key(*key))) {
            match (self.0.get(key), expected.0.get(key)) {
                (Some(_), None) => lines.push(format!("{key}: is there and should not be")),
                (None, Some(_)) => lines.push(format!("{key}: is missing")),
                (Some(found), Some(wanted)) => differing(key, "", found, wanted, &mut lines),
                (None, None) => {}
            }
        }
        lines
    }
}

/// Replaces uids by the object that they are of, and the namespace by `NS`.
fn named(objects: BTreeMap<String, Value>, namespace: &str) -> BTreeMap<String, Value> {
    let mut names = vec![(namespace.to_owned(), "NS".to_owned())];
    for (key, object) in &objects {
        if let Some(uid) = object["metadata"]["uid"].as_str() {
            names.push((uid.to_owned(), format!("uid of {key}")));
        }
    }
    objects
        .into_iter()
        .map(|(key, mut object)| {
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.remove("managedFields");
            }
            rename(&mut object, &names);
            (key, object)
        })
        .collect()
}

fn rename(value: &mut Value, names: &[(String, String)]) {
    match value {
        Value::String(text) => {
            for (from, to) in names {
                if text.contains(from.as_str()) {
                    *text = text.replace(from.as_str(), to);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        Value::Object(fields) => fields.values_mut().for_each(|field| rename(field, names)),
        _ => {}
    }
}

fn differing(key: &str, path: &str, found: &Value, wanted: &Value, lines: &mut Vec<String>) {
    match (found, wanted) {
        (Value::Object(a), Value::Object(b)) => {
            for field in a.keys().chain(b.keys().filter(|field| !a.contains_key(*field))) {
                let null = &Value::Null;
                let (a, b) = (a.get(field).unwrap_or(null), b.get(field).unwrap_or(null));
                differing(key, &format!("{path}/{}", field.replace('/', "~1")), a, b, lines);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differing(key, &format!("{path}/{index}"), a, b, lines);
            }
        }
        (a, b) if a == b => {}
        (a, b) => lines.push(format!("{key} {path}: {} instead of {}", shown(a), shown(b))),
    }
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}

/// Which fields differ between two undisturbed runs: lines of a plural (or `*`) and a JSON pointer whose parts may be `*`.
#[derive(Clone, Debug)]
pub struct Masks(Vec<(String, Vec<String>)>);

impl Masks {
    /// Reads the file; `#` begins a comment.
    ///
    /// # Errors
    /// A line without a plural and a pointer.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim())
            .filter(|line| !line.is_empty());
        lines
            .map(|line| {
                let (plural, pointer) = line
                    .split_once(char::is_whitespace)
                    .with_context(|| format!("{line:?}: write a plural and a pointer"))?;
                let parts =
                    pointer.trim().trim_start_matches('/').split('/').map(|part| part.replace("~1", "/"));
                Ok((plural.to_owned(), parts.collect()))
            })
            .collect::<anyhow::Result<_>>()
            .map(Self)
    }

    fn hide(&self, key: &str, mut object: Value) -> Value {
        let plural = key.split('/').next().unwrap_or_default();
        for (_, parts) in self.0.iter().filter(|(of, _)| of == "*" || of == plural) {
            hide(&mut object, parts);
        }
        object
    }
}

fn hide(value: &mut Value, parts: &[String]) {
    let Some((first, rest)) = parts.split_first() else { return };
    match value {
        Value::Object(fields) => {
            let names: Vec<_> =
                fields.keys().filter(|name| first == "*" || *name == first).cloned().collect();
            for name in names {
                if rest.is_empty() {
                    fields.insert(name, "masked".into());
                } else if let Some(field) = fields.get_mut(&name) {
                    hide(field, rest);
                }
            }
        }
        Value::Array(items) if first == "*" => items
            .iter_mut()
            .for_each(|item| if rest.is_empty() { *item = "masked".into() } else { hide(item, rest) }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn snapshot(object: Value) -> Snapshot {
        Snapshot(BTreeMap::from([("apps/shop".into(), object)]))
    }

    #[test]
    fn a_mask_hides_a_field_and_nothing_beside_it() {
        let masks = Masks::parse("# times\n* /status/conditions/*/lastTransitionTime # when\n").unwrap();
        let state = |time: &str, status: &str| {
            snapshot(json!({"status": {"conditions": [{"lastTransitionTime": time, "status": status}]}}))
                .masked(&masks)
        };
        assert!(state("1", "True").differences(&state("2", "True")).is_empty());
        assert_eq!(state("1", "False").differences(&state("2", "True")).len(), 1);
    }

    #[test]
    fn missing_and_surplus_objects_are_differences() {
        let empty = Snapshot::default();
        let one = snapshot(json!({}));
        assert_eq!(one.differences(&empty), ["apps/shop: is there and should not be"]);
        assert_eq!(empty.differences(&one), ["apps/shop: is missing"]);
    }

    #[test]
    fn uids_and_the_namespace_read_as_names() {
        let objects = BTreeMap::from([
            ("apps/shop".to_owned(), json!({"metadata": {"uid": "u-1", "namespace": "cm-7"}})),
            ("environments/shop".to_owned(), json!({"metadata": {"ownerReferences": [{"uid": "u-1"}]}})),
        ]);
        let named = named(objects, "cm-7");
        assert_eq!(named["environments/shop"]["metadata"]["ownerReferences"][0]["uid"], "uid of apps/shop");
        assert_eq!(named["apps/shop"]["metadata"]["namespace"], "NS");
    }
}
