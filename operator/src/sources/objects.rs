//! The objects of one kind with an index over them: what a [`super::store::Store`] guards.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use kube::Resource;

use crate::controllers::Key;

/// How objects are found beside their names, as by the value of a label.
pub type IndexBy<K> = fn(&K) -> Option<String>;

/// The objects, and what is known of them beside.
pub(super) struct Inner<K> {
    pub(super) objects: HashMap<Key, Arc<K>>,
    /// (namespace, index value) → names.
    pub(super) index: HashMap<(String, String), BTreeSet<String>>,
    /// Own writes that the watch has not shown yet: resourceVersion, and the count of lists begun when it was written.
    pub(super) unseen: HashMap<Key, (u64, u64)>,
    /// Uids of objects that we saw deleted while older events may still be on their way.
    pub(super) dead: HashMap<Key, String>,
    /// Objects that could not be understood.
    pub(super) poison: HashMap<Key, String>,
    /// How many lists were begun.
    pub(super) lists: u64,
    /// Names found by the list that is under way.
    pub(super) listed: BTreeSet<Key>,
}

impl<K> Default for Inner<K> {
    fn default() -> Self {
        Self {
            objects: HashMap::new(),
            index: HashMap::new(),
            unseen: HashMap::new(),
            dead: HashMap::new(),
            poison: HashMap::new(),
            lists: 0,
            listed: BTreeSet::new(),
        }
    }
}

impl<K: Resource> Inner<K> {
    /// Puts an object in, or in the place of an older view of it.
    pub(super) fn insert(&mut self, key: Key, object: K, index_by: IndexBy<K>) -> Arc<K> {
        self.unindex(&key, index_by);
        if let Some(value) = index_by(&object) {
            self.index.entry((key.namespace.clone(), value)).or_default().insert(key.name.clone());
        }
        let object = Arc::new(object);
        self.objects.insert(key, object.clone());
        object
    }

    /// Takes an object out.
    pub(super) fn remove(&mut self, key: &Key, index_by: IndexBy<K>) -> Option<Arc<K>> {
        self.unindex(key, index_by);
        self.unseen.remove(key);
        self.objects.remove(key)
    }

    fn unindex(&mut self, key: &Key, index_by: IndexBy<K>) {
        let Some(value) = self.objects.get(key).and_then(|known| index_by(known)) else { return };
        let place = (key.namespace.clone(), value);
        if let Some(names) = self.index.get_mut(&place) {
            names.remove(&key.name);
            if names.is_empty() {
                self.index.remove(&place);
            }
        }
    }
}
