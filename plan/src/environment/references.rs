//! Which Secrets and ConfigMaps a configuration reads, and what is missing of them.

use std::collections::BTreeMap;
use std::fmt;

use crds::Reason;
use crds::env::EnvVar;
use crds::workload::Config;
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// The two kinds that variables are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        })
    }
}

/// What is read of one Secret or ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Every key, as `envFrom` does.
    pub all: bool,
    /// Single keys, and whether the process starts without them.
    pub keys: BTreeMap<String, Need>,
}

/// Who reads a key, and whether it may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The variable, as a message names it.
    pub variable: String,
    /// Whether the process starts without it.
    pub optional: bool,
}

/// Everything that a configuration reads, by kind and name.
pub type Wanted = BTreeMap<(Kind, String), Reads>;

/// What `config` reads.
pub fn wanted(config: &Config) -> Wanted {
    let mut wanted = Wanted::new();
    for from in &config.env_from {
        let secret = from.secret_ref.as_ref().map(|r| (Kind::Secret, r.name.to_string()));
        let map = from.config_map_ref.as_ref().map(|r| (Kind::ConfigMap, r.name.to_string()));
        for key in [secret, map].into_iter().flatten() {
            wanted.entry(key).or_default().all = true;
        }
    }
    let own = config.processes.iter().flat_map(|process| &process.env);
    for variable in config.env.iter().chain(own) {
        read(&mut wanted, variable);
    }
    wanted
}

fn read(wanted: &mut Wanted, variable: &EnvVar) {
    let Some(from) = &variable.value_from else { return };
    let secret = from.secret_key_ref.as_ref().map(|key| (Kind::Secret, key));
    let map = from.config_map_key_ref.as_ref().map(|key| (Kind::ConfigMap, key));
    for (kind, key) in [secret, map].into_iter().flatten() {
        let reads = wanted.entry((kind, key.name.to_string())).or_default();
        let need = Need { variable: variable.name.to_string(), optional: key.optional };
        reads
            .keys
            .entry(key.key.to_string())
            .and_modify(|known| known.optional &= key.optional)
            .or_insert(need);
    }
}

/// What was found of it, without any value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct References {
    /// A keyed digest of all values that are read; empty when nothing is read.
    pub fingerprint: String,
    /// What is missing and not optional.
    pub missing: Vec<Missing>,
}

/// A Secret, ConfigMap or key that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The key, when only that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The variable that reads it; none for `envFrom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, key, variable } = self;
        match key {
            Some(key) => write!(f, "{kind} `{name}` has no key `{key}`; add it")?,
            None => write!(f, "{kind} `{name}` is missing; create it")?,
        }
        match variable {
            Some(variable) => write!(f, ", or drop the variable {variable}"),
            None => write!(f, ", or drop it from envFrom"),
        }
    }
}

impl References {
    /// A refusal that names all that is missing, if anything is.
    pub fn refusal(&self) -> Option<Refusal> {
        let words: Vec<_> = self.missing.iter().map(ToString::to_string).collect();
        (!words.is_empty()).then(|| Refusal::needs_user(Reason::SecretMissing, words.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_that_one_reader_needs_is_needed() {
        let config: Config = serde_json::from_value(json!({
            "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": true}}}],
            "envFrom": [{"configMapRef": {"name": "m"}}],
            "processes": [{"name": "web", "env": [{"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}],
        }))
        .unwrap();
        let wanted = wanted(&config);
        assert!(!wanted[&(Kind::Secret, "s".into())].keys["k"].optional);
        assert!(wanted[&(Kind::ConfigMap, "m".into())].all);
    }

    #[test]
    fn what_is_missing_is_said_with_its_cure() {
        let missing = Missing {
            kind: Kind::Secret,
            name: "db-url".into(),
            key: None,
            variable: Some("DATABASE_URL".into()),
        };
        let refusal = References { fingerprint: String::new(), missing: vec![missing] }.refusal().unwrap();
        assert_eq!(
            refusal.message,
            "Secret `db-url` is missing; create it, or drop the variable DATABASE_URL"
        );
    }
}
