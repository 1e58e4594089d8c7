//! One object of the repository, made ready to be applied: with its namespace, its owner's marks and a stamp.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crds::names::{COMMIT, OWNER, OWNER_UID};
use serde_json::{Map, Value};

use crate::config_repo::order::Wave;
use crate::matching::{APPLIED, short_digest, stamp};
use crate::object::{Manifest, ObjectKey};

/// Where something stands in the repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The path of the file.
    pub path: Arc<str>,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path, self.line)
    }
}

/// An object as it stands in the repository; it has apiVersion, kind and metadata.name.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Where it stands.
    pub place: Place,
    /// The object.
    pub json: Value,
    /// Whether its file is encrypted.
    pub encrypted: bool,
}

/// What a person must mend in the repository. It never holds a value of the object, which may be a Secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Mistake {
    /// Where it stands.
    pub place: Place,
    /// What is wrong and what to do.
    pub message: String,
}

/// The ConfigRepo that applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its uid.
    pub uid: String,
    /// `namespace/name`.
    pub name: String,
    /// The namespace of objects that name none.
    pub target_namespace: String,
}

/// Whether objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// They do.
    Namespaced,
    /// They do not.
    Cluster,
}

/// An object to have.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Which object.
    pub key: ObjectKey,
    /// Where it stands in the repository.
    pub place: Place,
    /// What is applied, without the commit that last changed it.
    pub manifest: Manifest,
    /// The digest of what is applied.
    pub digest: String,
    /// When it is applied.
    pub wave: Wave,
    /// Whether it is a Secret that everybody who reads the repository can read.
    pub plain_secret: bool,
}

impl Planned {
    /// The value of an annotation that git gives the object.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.manifest.value().get("metadata")?.get("annotations")?.get(name)?.as_str()
    }

    /// What is applied, with the commit that last changed it for Keelway's own kinds, which stamp it on their releases.
    pub fn at_commit(&self, commit: &str) -> Manifest {
        let mut manifest = self.manifest.clone();
        if self.key.group() == crds::GROUP {
            put(manifest.value_mut(), "annotations", COMMIT, commit);
        }
        manifest
    }
}

/// Makes an object ready. `scope` is what is known of its kind; an unknown kind keeps the namespace that it names.
///
/// # Errors
/// [`Mistake`] where its metadata cannot be used.
pub fn normalise(source: &Source, scope: Option<Scope>, owner: &Owner) -> Result<Planned, Mistake> {
    let mistake = |message: &str| Mistake { place: source.place.clone(), message: message.to_owned() };
    let mut json = source.json.clone();
    check_metadata(&json).map_err(&mistake)?;
    if let Some(object) = json.as_object_mut() {
        object.remove("status");
    }
    set_namespace(&mut json, scope, owner).map_err(&mistake)?;
    for noise in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"] {
        if let Some(Value::Object(metadata)) = json.get_mut("metadata") {
            metadata.remove(noise);
        }
    }
    let plain_secret = is_secret(&json) && !source.encrypted && has_data(&json);
    if is_secret(&json) {
        encode_string_data(&mut json);
    }
    put(&mut json, "labels", OWNER_UID, &owner.uid);
    put(&mut json, "annotations", OWNER, &owner.name);
    if let Some(Value::Object(annotations)) = json.pointer_mut("/metadata/annotations") {
        annotations.remove(COMMIT);
    }
    let manifest =
        Manifest::new(json).ok_or_else(|| mistake("apiVersion, kind or metadata.name is missing"))?;
    let manifest = stamp(manifest);
    let digest = section_text(manifest.value(), APPLIED);
    let key = manifest.key();
    let wave = Wave::of(key.group(), &key.kind);
    Ok(Planned { key, place: source.place.clone(), manifest, digest, wave, plain_secret })
}

fn check_metadata(json: &Value) -> Result<(), &'static str> {
    let strings = |value: Option<&Value>| match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.values().all(Value::is_string),
        Some(_) => false,
    };
    let metadata = json.get("metadata").and_then(Value::as_object).ok_or("metadata is not a map")?;
    if !strings(metadata.get("labels")) {
        return Err("metadata.labels must be a map of texts; put numbers and true/false into quotes");
    }
    if !strings(metadata.get("annotations")) {
        return Err("metadata.annotations must be a map of texts; put numbers and true/false into quotes");
    }
    match metadata.get("namespace") {
        None | Some(Value::Null | Value::String(_)) => Ok(()),
        Some(_) => Err("metadata.namespace must be a text; put it into quotes"),
    }
}

fn set_namespace(json: &mut Value, scope: Option<Scope>, owner: &Owner) -> Result<(), &'static str> {
    let Some(Value::Object(metadata)) = json.get_mut("metadata") else { return Ok(()) };
    let named = metadata.get("namespace").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    match scope {
        Some(Scope::Cluster) if named => {
            Err("objects of this kind live in no namespace; remove metadata.namespace")
        }
        Some(Scope::Cluster) => {
            metadata.remove("namespace");
            Ok(())
        }
        Some(Scope::Namespaced) | None if named => Ok(()),
        Some(Scope::Namespaced) => {
            metadata.insert("namespace".into(), owner.target_namespace.clone().into());
            Ok(())
        }
        None => Ok(()),
    }
}

fn is_secret(json: &Value) -> bool {
    let text = |key: &str| json.get(key).and_then(Value::as_str);
    text("apiVersion") == Some("v1") && text("kind") == Some("Secret")
}

fn has_data(json: &Value) -> bool {
    ["data", "stringData"]
        .iter()
        .any(|key| json.get(key).and_then(Value::as_object).is_some_and(|data| !data.is_empty()))
}

/// `stringData` is written only and never read back; as `data` it can be compared.
fn encode_string_data(json: &mut Value) {
    let Some(object) = json.as_object_mut() else { return };
    let Some(Value::Object(texts)) = object.remove("stringData") else { return };
    let data = object.entry("data").or_insert_with(|| Value::Object(Map::new()));
    if data.is_null() {
        *data = Value::Object(Map::new());
    }
    let Value::Object(data) = data else { return };
    for (key, value) in texts {
        let value = match value {
            Value::String(text) => Value::String(base64(text.as_bytes())),
            other => other,
        };
        data.insert(key, value);
    }
}

/// Base64 with padding, RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let padded = [chunk[0], chunk.get(1).copied().unwrap_or(0), chunk.get(2).copied().unwrap_or(0)];
        let group = u32::from(padded[0]) << 16 | u32::from(padded[1]) << 8 | u32::from(padded[2]);
        for index in 0..4 {
            let digit = usize::try_from(group >> (18 - 6 * index) & 63).unwrap_or_default();
            text.push(if index <= chunk.len() { char::from(ALPHABET[digit]) } else { '=' });
        }
    }
    text
}

/// Sets a label or annotation; `section` is `labels` or `annotations`.
fn put(json: &mut Value, section: &str, key: &str, value: &str) {
    let Some(Value::Object(metadata)) = json.get_mut("metadata") else { return };
    let section = metadata.entry(section).or_insert(Value::Null);
    if !section.is_object() {
        *section = Value::Object(Map::new());
    }
    if let Value::Object(map) = section {
        map.insert(key.to_owned(), value.into());
    }
}

fn section_text(json: &Value, annotation: &str) -> String {
    let found = json.get("metadata").and_then(|m| m.get("annotations")).and_then(|a| a.get(annotation));
    found.and_then(Value::as_str).map_or_else(|| short_digest(json), str::to_owned)
}

/// Objects that stand twice in the set, each with both places.
pub fn duplicates<'a>(set: impl IntoIterator<Item = &'a Planned>) -> Vec<Mistake> {
    let mut known: BTreeMap<(String, String, Option<String>, String), &Place> = BTreeMap::new();
    let mut mistakes = Vec::new();
    for planned in set {
        let key = &planned.key;
        let identity = (key.group().to_owned(), key.kind.clone(), key.namespace.clone(), key.name.clone());
        match known.get(&identity) {
            Some(first) => mistakes.push(Mistake {
                place: planned.place.clone(),
                message: format!("{key} stands already at {first}; remove one of the two"),
            }),
            None => {
                known.insert(identity, &planned.place);
            }
        }
    }
    mistakes
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
