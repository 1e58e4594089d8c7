//! Who is woken by a change: from the changed object to the key in a queue.

use kube::Resource;
use plan::environment::references::Kind;

use crate::controllers::{Key, Queue};
use crate::sources::references::Readers;
use crate::sources::store::Change;

/// Wakes the object that changed.
pub(super) fn wake_itself<K: Resource>(queue: &Queue) -> impl Fn(&Change<K>) + Send + Sync + use<K> {
    let queue = queue.clone();
    move |change| queue.wake(Key::of(change.object().meta()))
}

/// Wakes the Environment that the label of the changed object names.
pub(super) fn wake_environment<K: Resource>(queue: &Queue) -> impl Fn(&Change<K>) + Send + Sync + use<K> {
    wake_label(queue, crds::names::ENVIRONMENT)
}

/// Wakes the object that a label of the changed one names.
pub(super) fn wake_label<K: Resource>(
    queue: &Queue,
    label: &'static str,
) -> impl Fn(&Change<K>) + Send + Sync + use<K> {
    let queue = queue.clone();
    move |change| {
        let meta = change.object().meta();
        if let Some(name) = meta.labels.as_ref().and_then(|labels| labels.get(label)) {
            queue.wake(Key::new(meta.namespace.as_deref().unwrap_or_default(), name));
        }
    }
}

/// Wakes the Environments that read the Secret or ConfigMap that changed.
pub(super) fn wake_readers<K: Resource>(
    queue: &Queue,
    readers: &Readers,
    kind: Kind,
) -> impl Fn(&Change<K>) + Send + Sync + use<K> {
    let (queue, readers) = (queue.clone(), readers.clone());
    move |change| {
        let environments = readers.of(kind, &Key::of(change.object().meta()));
        environments.into_iter().for_each(|environment| queue.wake(environment));
    }
}

/// Wakes the owners of one kind of the changed object.
pub(super) fn wake_owner<K: Resource>(
    queue: &Queue,
    kind: &'static str,
) -> impl Fn(&Change<K>) + Send + Sync + use<K> {
    let queue = queue.clone();
    move |change| {
        let meta = change.object().meta();
        for owner in meta.owner_references.iter().flatten().filter(|owner| owner.kind == kind) {
            queue.wake(Key::new(meta.namespace.as_deref().unwrap_or_default(), &owner.name));
        }
    }
}
