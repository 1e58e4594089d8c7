//! Referenced Secrets and ConfigMaps as facts: a keyed digest of the values that are read, and what is missing. The
//! values themselves are neither held nor passed on, except to take them out of a log.
//!
//! The key keeps a digest in a Release, which many may read, from confirming a guess of a short password.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crds::workload::Config;
use crds::{Environment, Reason};
use hmac::{Hmac, KeyInit as _, Mac as _};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Resource as _, ResourceExt as _};
use plan::environment::references::{Kind, Missing, Reads, References, Wanted, wanted};
use plan::{Class, Manifest, Refusal, Step};
use serde_json::json;
use sha2::Sha256;
use tokio::sync::OnceCell;

use crate::apply::Identity;
use crate::context::Context;
use crate::controllers::Key;

/// The Secret of the operator's namespace that holds the key of the digests.
const KEY_SECRET: &str = "keelway-reference-key";
/// The key in it.
const KEY_FIELD: &str = "key";

/// One object by kind, namespace and name.
type Object = (Kind, Key);

/// Which Environments read which objects, so that a change wakes them; a cheap handle.
#[derive(Clone, Default)]
pub struct Readers(Arc<Mutex<HashMap<Object, BTreeSet<String>>>>);

impl Readers {
    /// Remembers what an Environment reads, before it is read: a change in between then wakes it.
    fn remember(&self, namespace: &str, environment: &str, wanted: &Wanted) {
        let mut readers = lock(&self.0);
        for (kind, name) in wanted.keys() {
            let object = (*kind, Key::new(namespace, name));
            readers.entry(object).or_default().insert(environment.to_owned());
        }
    }

    /// The Environments that read an object.
    pub fn of(&self, kind: Kind, object: &Key) -> Vec<Key> {
        let readers = lock(&self.0);
        let names = readers.get(&(kind, object.clone()));
        names.into_iter().flatten().map(|name| Key::new(&object.namespace, name)).collect()
    }
}

/// An object's values as digests, as of one resourceVersion.
struct Digests {
    version: String,
    values: BTreeMap<String, [u8; 32]>,
}

/// Reads referenced objects.
#[derive(Default)]
pub struct Reader {
    key: OnceCell<Vec<u8>>,
    known: Mutex<HashMap<Object, Arc<Digests>>>,
}

impl Reader {
    /// The state of everything that an Environment's configuration reads.
    ///
    /// # Errors
    /// When the API server does not answer: then nothing is known, least of all that something is missing.
    pub async fn read(&self, context: &Context, environment: &Environment) -> Result<References, Refusal> {
        let wanted = wanted(&environment.spec.config);
        if wanted.is_empty() {
            return Ok(References::default());
        }
        let namespace = environment.namespace().unwrap_or_default();
        context.stores.readers.remember(&namespace, &environment.name_any(), &wanted);
        let key = self.key.get_or_try_init(|| load_key(context)).await?;
        let mut missing = Vec::new();
        let mut whole = mac(key);
        for ((kind, name), reads) in &wanted {
            let object = (*kind, Key::new(&namespace, name));
            let found = self.digests(context, key, &object).await?;
            missing.extend(gaps(*kind, name, reads, found.as_deref()));
            let values = found.as_ref().map(|found| &found.values);
            for (field, digest) in values.into_iter().flatten() {
                if reads.all || reads.keys.contains_key(field) {
                    whole.update(format!("{kind}\0{name}\0{field}\0").as_bytes());
                    whole.update(digest);
                }
            }
        }
        Ok(References { fingerprint: hex(&whole.finalize().into_bytes()[..16]), missing })
    }

    /// The digests of an object's values; none where it is not there.
    async fn digests(
        &self,
        context: &Context,
        key: &[u8],
        object: &Object,
    ) -> Result<Option<Arc<Digests>>, Refusal> {
        let Some(version) = watched(context, object) else {
            lock(&self.known).remove(object);
            return Ok(None);
        };
        let known = lock(&self.known).get(object).filter(|known| known.version == version).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some((version, values)) = fetch(context, object).await? else { return Ok(None) };
        let digest = |value: &Vec<u8>| {
            let mut mac = mac(key);
            mac.update(value);
            mac.finalize().into_bytes().into()
        };
        let values = values.iter().map(|(field, value)| (field.clone(), digest(value))).collect();
        let digests = Arc::new(Digests { version, values });
        lock(&self.known).insert(object.clone(), digests.clone());
        Ok(Some(digests))
    }
}

/// The values of all Secrets that a configuration reads, to take them out of a log.
///
/// # Errors
/// When one could not be read: then no log may be shown.
pub async fn secret_values(
    context: &Context,
    namespace: &str,
    config: &Config,
) -> Result<Vec<Vec<u8>>, Refusal> {
    let mut values = Vec::new();
    for (kind, name) in wanted(config).into_keys() {
        if kind == Kind::Secret {
            let found = fetch(context, &(kind, Key::new(namespace, &name))).await?;
            values.extend(found.into_iter().flat_map(|(_, fields)| fields.into_values()));
        }
    }
    Ok(values)
}

/// The resourceVersion that the watch shows.
fn watched(context: &Context, (kind, key): &Object) -> Option<String> {
    let stores = &context.stores;
    match kind {
        Kind::Secret => stores.secrets.get(&key.namespace, &key.name)?.meta().resource_version.clone(),
        Kind::ConfigMap => stores.config_maps.get(&key.namespace, &key.name)?.meta().resource_version.clone(),
    }
}

/// An object's resourceVersion and values.
async fn fetch(
    context: &Context,
    (kind, key): &Object,
) -> Result<Option<(String, BTreeMap<String, Vec<u8>>)>, Refusal> {
    let failed = |error: &kube::Error| {
        let class = match error {
            kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
            _ => "no answer".to_owned(),
        };
        Refusal::transient(format!("{kind} `{}` could not be read ({class})", key.name))
    };
    match kind {
        Kind::Secret => {
            let api = Api::<Secret>::namespaced(context.client.clone(), &key.namespace);
            let secret = api.get_opt(&key.name).await.map_err(|error| failed(&error))?;
            Ok(secret.map(|secret| {
                let version = secret.resource_version().unwrap_or_default();
                let data = secret.data.unwrap_or_default();
                (version, data.into_iter().map(|(field, ByteString(value))| (field, value)).collect())
            }))
        }
        Kind::ConfigMap => {
            let api = Api::<ConfigMap>::namespaced(context.client.clone(), &key.namespace);
            let map = api.get_opt(&key.name).await.map_err(|error| failed(&error))?;
            Ok(map.map(|map| {
                let version = map.resource_version().unwrap_or_default();
                let data = map.data.unwrap_or_default();
                (version, data.into_iter().map(|(field, value)| (field, value.into_bytes())).collect())
            }))
        }
    }
}

/// What is missing and not optional.
fn gaps(kind: Kind, name: &str, reads: &Reads, found: Option<&Digests>) -> Vec<Missing> {
    let gap = |key: Option<&String>, variable: Option<&String>| Missing {
        kind,
        name: name.to_owned(),
        key: key.cloned(),
        variable: variable.cloned(),
    };
    let needed = || reads.keys.iter().filter(|(_, need)| !need.optional);
    match found {
        Some(found) => needed()
            .filter(|(key, _)| !found.values.contains_key(*key))
            .map(|(key, need)| gap(Some(key), Some(&need.variable)))
            .collect(),
        None if reads.all => vec![gap(None, None)],
        None => needed().take(1).map(|(_, need)| gap(None, Some(&need.variable))).collect(),
    }
}

/// The key of the digests. Made once for an install; without it every start would roll all pods.
async fn load_key(context: &Context) -> Result<Vec<u8>, Refusal> {
    let namespace = &context.settings.namespace;
    let api = Api::<Secret>::namespaced(context.client.clone(), namespace);
    for _ in 0..2 {
        let found = api.get_opt(KEY_SECRET).await.map_err(|_| {
            Refusal::transient(format!("Secret `{namespace}/{KEY_SECRET}` could not be read"))
        })?;
        if let Some(secret) = found {
            let key =
                secret.data.unwrap_or_default().remove(KEY_FIELD).filter(|ByteString(key)| key.len() >= 32);
            return key.map(|ByteString(key)| key).ok_or_else(|| {
                Refusal::needs_user(
                    Reason::InvalidSpec,
                    format!("Secret `{namespace}/{KEY_SECRET}` holds no key of 32 bytes; delete it, and a new one is made"),
                )
            });
        }
        create_key(context, namespace).await?;
    }
    Err(Refusal::transient(format!("Secret `{namespace}/{KEY_SECRET}` was made and is not there")))
}

async fn create_key(context: &Context, namespace: &str) -> Result<(), Refusal> {
    let mut key = [0_u8; 32];
    getrandom::fill(&mut key).map_err(|_| Refusal::transient("the system has no random numbers yet"))?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": KEY_SECRET, "namespace": namespace},
        "data": {KEY_FIELD: ByteString(key.to_vec())},
    });
    let steps = Manifest::new(secret).map(Step::Create).into_iter().collect();
    let applied = context.writer.run(&Identity::OPERATOR, steps).await;
    match applied.refusal() {
        // Another process made it a moment ago.
        Some(refusal) if refusal.class == Class::Transient => Ok(()),
        Some(refusal) => Err(refusal.clone()),
        None => Ok(()),
    }
}

#[expect(clippy::default_trait_access, reason = "its type is longer than this function")]
fn mac(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::environment::references::Need;

    fn reads(optional: bool) -> Reads {
        let need = Need { variable: "URL".into(), optional };
        Reads { all: false, keys: BTreeMap::from([("url".to_owned(), need)]) }
    }

    #[test]
    fn only_what_is_needed_is_missing() {
        let empty = Digests { version: "1".into(), values: BTreeMap::new() };
        assert_eq!(gaps(Kind::Secret, "db", &reads(false), Some(&empty))[0].key.as_deref(), Some("url"));
        assert_eq!(gaps(Kind::Secret, "db", &reads(false), None)[0].key, None);
        assert!(gaps(Kind::Secret, "db", &reads(true), None).is_empty());
        assert!(gaps(Kind::Secret, "db", &reads(true), Some(&empty)).is_empty());
        assert_eq!(gaps(Kind::ConfigMap, "m", &Reads { all: true, keys: BTreeMap::new() }, None).len(), 1);
    }

    #[test]
    fn readers_are_found_by_what_they_read() {
        let readers = Readers::default();
        readers.remember("n", "shop", &Wanted::from([((Kind::Secret, "db".into()), reads(false))]));
        assert_eq!(readers.of(Kind::Secret, &Key::new("n", "db")), [Key::new("n", "shop")]);
        assert!(readers.of(Kind::Secret, &Key::new("m", "db")).is_empty());
        assert!(readers.of(Kind::ConfigMap, &Key::new("n", "db")).is_empty());
    }
}
