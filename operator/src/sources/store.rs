//! What the cluster holds of one kind, never older than our own last write.
//!
//! A watch and the answers to our own writes both enter; the newer of two views of an object stays. A reconcile
//! that reads the store therefore never acts on something older than what it wrote itself.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use kube::Resource;
use kube::api::ObjectMeta;
use plan::ObjectKey;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::apply::Observer;
use crate::controllers::Key;
use crate::sources::objects::{IndexBy, Inner};

/// What became of an object.
#[derive(Clone, Debug)]
pub enum Change<K> {
    /// It is there, as this.
    Is(Arc<K>),
    /// It is gone; this is how it was last.
    Gone(Arc<K>),
}

impl<K> Change<K> {
    /// The object as it is, or was.
    pub fn object(&self) -> &Arc<K> {
        match self {
            Self::Is(object) | Self::Gone(object) => object,
        }
    }
}

/// Hears of every change, by a watch or by our own write; it only wakes keys, and must not call the store.
type Listener<K> = Box<dyn Fn(&Change<K>) + Send + Sync>;

/// All objects of one kind; a cheap handle.
pub struct Store<K> {
    inner: Arc<RwLock<Inner<K>>>,
    listener: Arc<OnceLock<Listener<K>>>,
    index_by: IndexBy<K>,
}

impl<K> Clone for Store<K> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), listener: self.listener.clone(), index_by: self.index_by }
    }
}

/// resourceVersions of one object are compared as numbers, as the API server's own caches do.
fn version(meta: &ObjectMeta) -> u64 {
    meta.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or_default()
}

impl<K: Resource> Store<K> {
    /// An empty store. `index_by` gives the value by which objects of a namespace are found.
    pub fn new(index_by: IndexBy<K>) -> Self {
        Self { inner: Arc::default(), listener: Arc::default(), index_by }
    }

    /// An empty store whose objects are found by a label: the one of their Environment.
    pub fn by_environment() -> Self {
        Self::new(|object| object.meta().labels.as_ref()?.get(crds::names::ENVIRONMENT).cloned())
    }

    /// One object.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.read().objects.get(&Key::new(namespace, name)).cloned()
    }

    /// The objects of a namespace with this index value, by name.
    pub fn indexed(&self, namespace: &str, value: &str) -> Vec<Arc<K>> {
        let inner = self.read();
        let names = inner.index.get(&(namespace.to_owned(), value.to_owned()));
        names
            .into_iter()
            .flatten()
            .filter_map(|name| inner.objects.get(&Key::new(namespace, name)).cloned())
            .collect()
    }

    /// All objects, in no order.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.read().objects.values().cloned().collect()
    }

    /// The keys of all objects, in no order.
    pub fn keys(&self) -> Vec<Key> {
        self.read().objects.keys().cloned().collect()
    }

    /// Whether the object exists but could not be understood: then its absence from the store means nothing.
    pub fn is_poisoned(&self, namespace: &str, name: &str) -> bool {
        self.read().poison.contains_key(&Key::new(namespace, name))
    }

    /// Sets who hears of changes; only the first call counts.
    pub(crate) fn listen(&self, listener: impl Fn(&Change<K>) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
    }

    fn tell(&self, change: Option<&Change<K>>) {
        if let (Some(change), Some(listener)) = (change, self.listener.get()) {
            listener(change);
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Inner<K>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner<K>> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A list begins.
    pub(crate) fn list_begins(&self) {
        let mut inner = self.write();
        inner.lists += 1;
        inner.listed.clear();
    }

    /// A list ended: what it did not show is gone, unless we wrote it after the list began.
    pub(crate) fn list_ends(&self) {
        let gone = self.unlisted();
        for object in gone {
            self.tell(Some(&Change::Gone(object)));
        }
    }

    fn unlisted(&self) -> Vec<Arc<K>> {
        let mut inner = self.write();
        let (listed, lists) = (std::mem::take(&mut inner.listed), inner.lists);
        inner.dead.clear();
        inner.poison.retain(|key, _| listed.contains(key));
        let missing: Vec<Key> = inner
            .objects
            .keys()
            .filter(|key| !listed.contains(*key))
            .filter(|key| inner.unseen.get(*key).is_none_or(|(_, written)| *written < lists))
            .cloned()
            .collect();
        missing.iter().filter_map(|key| inner.remove(key, self.index_by)).collect()
    }

    /// The list or the watch shows an object.
    pub(crate) fn shows(&self, object: K, listed: bool) {
        let change = self.newer(object, listed);
        self.tell(change.as_ref());
    }

    fn newer(&self, object: K, listed: bool) -> Option<Change<K>> {
        let key = Key::of(object.meta());
        let mut inner = self.write();
        if listed {
            inner.listed.insert(key.clone());
        }
        inner.poison.remove(&key);
        let (new, uid) = (version(object.meta()), object.meta().uid.clone().unwrap_or_default());
        if inner.dead.get(&key) == Some(&uid) {
            return None;
        }
        inner.dead.remove(&key);
        if inner.unseen.get(&key).is_some_and(|(written, _)| *written <= new) {
            inner.unseen.remove(&key);
        }
        let known = inner.objects.get(&key).map(|known| version(known.meta()));
        // A list that shows less than we know, and not because of our own write since, follows a cluster that was
        // brought back from a backup.
        let written_since = inner.unseen.get(&key).is_some_and(|(_, begun)| *begun == inner.lists);
        let went_back = listed && !written_since && known.is_some_and(|known| known > new);
        if known.is_some_and(|known| known >= new) && !went_back {
            return None;
        }
        Some(Change::Is(inner.insert(key, object, self.index_by)))
    }

    /// The watch shows that an object is gone.
    pub(crate) fn ends(&self, meta: &ObjectMeta) {
        let change = self.ended(meta);
        self.tell(change.as_ref());
    }

    fn ended(&self, meta: &ObjectMeta) -> Option<Change<K>> {
        let key = Key::of(meta);
        let mut inner = self.write();
        inner.poison.remove(&key);
        let uid = meta.uid.clone().unwrap_or_default();
        if inner.dead.get(&key) == Some(&uid) {
            inner.dead.remove(&key);
        }
        // Another object of the same name may have taken its place in an answer to our own write.
        if inner.objects.get(&key).is_some_and(|known| known.meta().uid != meta.uid) {
            return None;
        }
        inner.remove(&key, self.index_by).map(Change::Gone)
    }

    /// The API server answered our own write with this object.
    fn answered(&self, object: K) -> Option<Change<K>> {
        let (key, new) = (Key::of(object.meta()), version(object.meta()));
        let mut inner = self.write();
        if inner.objects.get(&key).is_some_and(|known| version(known.meta()) >= new) {
            return None;
        }
        let lists = inner.lists;
        inner.dead.remove(&key);
        inner.unseen.insert(key.clone(), (new, lists));
        Some(Change::Is(inner.insert(key, object, self.index_by)))
    }

    /// The API server answered that the object is gone.
    fn buried(&self, key: Key, uid: &str) -> Option<Change<K>> {
        let mut inner = self.write();
        let same = inner.objects.get(&key).is_some_and(|known| known.meta().uid.as_deref() == Some(uid));
        let gone = same.then(|| inner.remove(&key, self.index_by)).flatten()?;
        inner.dead.insert(key, uid.to_owned());
        Some(Change::Gone(gone))
    }

    /// An object exists but cannot be understood: it is left aside, all others go on.
    pub(crate) fn poisoned(&self, meta: &ObjectMeta, why: String, listed: bool) {
        let key = Key::of(meta);
        let mut inner = self.write();
        if listed {
            inner.listed.insert(key.clone());
        }
        inner.remove(&key, self.index_by);
        inner.poison.insert(key, why);
    }

    /// How many objects could not be understood.
    pub(crate) fn poison_count(&self) -> usize {
        self.read().poison.len()
    }
}

impl<K> Observer for Store<K>
where
    K: Resource + DeserializeOwned + Send + Sync + 'static,
{
    fn written(&self, _: &ObjectKey, object: &Value) {
        let Ok(mut object) = serde_json::from_value::<K>(object.clone()) else { return };
        object.meta_mut().managed_fields = None;
        let change = self.answered(object);
        self.tell(change.as_ref());
    }

    fn gone(&self, key: &ObjectKey, uid: &str) {
        let key = Key::new(key.namespace.as_deref().unwrap_or_default(), &key.name);
        let change = self.buried(key, uid);
        self.tell(change.as_ref());
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
