//! Watches: a stream of the API server enters, changes of a store leave.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{Stream, StreamExt as _, pin_mut};
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::watcher::{self, Config, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::warn;

use crate::metrics::Metrics;
use crate::sources::store::{Change, Store};

/// How many stores have shown their first full list.
#[derive(Clone, Default)]
pub struct Sync {
    pending: Arc<AtomicUsize>,
    done: Arc<Notify>,
}

impl Sync {
    /// Whether every store is full.
    pub fn is_done(&self) -> bool {
        self.pending.load(Ordering::Acquire) == 0
    }

    /// Waits until every store is full.
    pub async fn wait(&self) {
        loop {
            let notified = self.done.notified();
            if self.is_done() {
                return;
            }
            notified.await;
        }
    }

    fn expect(&self) {
        self.pending.fetch_add(1, Ordering::AcqRel);
    }

    fn arrived(&self) {
        if self.pending.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_waiters();
        }
    }
}

/// The watches of the process. They run in leader and standby alike, so that a new leader is warm.
pub struct Watches {
    tasks: JoinSet<()>,
    sync: Sync,
    metrics: Metrics,
}

impl Watches {
    /// No watch yet.
    pub fn new(metrics: Metrics) -> Self {
        Self { tasks: JoinSet::new(), sync: Sync::default(), metrics }
    }

    /// Tells whether every store is full.
    pub fn sync(&self) -> Sync {
        self.sync.clone()
    }

    /// Keeps `store` equal to the cluster and tells every change. An object that cannot be understood is left aside.
    pub fn add<K>(
        &mut self,
        api: Api<DeserializeGuard<K>>,
        config: Config,
        store: &Store<K>,
        on_change: impl Fn(&Change<K>) + Send + std::marker::Sync + 'static,
    ) where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + std::marker::Sync + 'static,
    {
        let events = watch(api, config).map(|event| {
            event.map(|event| {
                event.modify(|DeserializeGuard(parsed)| {
                    if let Ok(object) = parsed {
                        object.meta_mut().managed_fields = None;
                    }
                })
            })
        });
        self.follow(events, store, on_change);
    }

    /// As [`Watches::add`], of metadata alone: for Secrets and ConfigMaps, whose data need not be held in memory.
    pub fn add_metadata<K>(
        &mut self,
        api: Api<PartialObjectMeta<K>>,
        config: Config,
        store: &Store<PartialObjectMeta<K>>,
        on_change: impl Fn(&Change<PartialObjectMeta<K>>) + Send + std::marker::Sync + 'static,
    ) where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + std::marker::Sync + 'static,
    {
        let events = watch(api, config).map(|event| {
            event.map(|event| guarded(event.modify(|object| object.metadata.managed_fields = None)))
        });
        self.follow(events, store, on_change);
    }

    fn follow<K>(
        &mut self,
        events: impl Stream<Item = Result<Event<DeserializeGuard<K>>, watcher::Error>> + Send + 'static,
        store: &Store<K>,
        on_change: impl Fn(&Change<K>) + Send + std::marker::Sync + 'static,
    ) where
        K: Resource<DynamicType = ()> + Send + std::marker::Sync + 'static,
    {
        self.sync.expect();
        store.listen(on_change);
        let (store, sync, metrics) = (store.clone(), self.sync.clone(), self.metrics.clone());
        self.tasks.spawn(async move {
            let events = events.default_backoff();
            pin_mut!(events);
            let mut first = true;
            while let Some(event) = events.next().await {
                let full = matches!(event, Ok(Event::InitDone));
                take(&store, event, &metrics);
                if full && std::mem::take(&mut first) {
                    sync.arrived();
                }
            }
        });
    }
}

fn guarded<K>(event: Event<K>) -> Event<DeserializeGuard<K>> {
    let fine = |object| DeserializeGuard(Ok(object));
    match event {
        Event::Apply(object) => Event::Apply(fine(object)),
        Event::Delete(object) => Event::Delete(fine(object)),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(fine(object)),
        Event::InitDone => Event::InitDone,
    }
}

/// Brings one event into the store.
fn take<K: Resource<DynamicType = ()>>(
    store: &Store<K>,
    event: Result<Event<DeserializeGuard<K>>, watcher::Error>,
    metrics: &Metrics,
) {
    let kind = K::kind(&());
    match event {
        Ok(Event::Init) => store.list_begins(),
        Ok(Event::InitDone) => store.list_ends(),
        Ok(Event::InitApply(DeserializeGuard(Ok(object)))) => store.shows(object, true),
        Ok(Event::Apply(DeserializeGuard(Ok(object)))) => store.shows(object, false),
        Ok(Event::Delete(guard)) => store.ends(guard.meta()),
        Ok(Event::InitApply(DeserializeGuard(Err(poison)))) => set_aside(store, &poison, true),
        Ok(Event::Apply(DeserializeGuard(Err(poison)))) => set_aside(store, &poison, false),
        Err(error) => warn!(%kind, class = watch_error(&error), "a watch failed; it is started again"),
    }
    metrics.poisoned(&kind, store.poison_count());
}

fn set_aside<K: Resource<DynamicType = ()>>(
    store: &Store<K>,
    poison: &kube::core::error_boundary::InvalidObject,
    listed: bool,
) {
    warn!(
        kind = %K::kind(&()),
        namespace = poison.metadata.namespace.as_deref().unwrap_or_default(),
        name = poison.metadata.name.as_deref().unwrap_or_default(),
        "an object could not be understood and is left aside; mend its fields as `kubectl explain` shows them"
    );
    store.poisoned(&poison.metadata, poison.error.clone(), listed);
}

/// Only the class is logged: the text may repeat an answer's body.
fn watch_error(error: &watcher::Error) -> &'static str {
    match error {
        watcher::Error::InitialListFailed(_) => "list failed",
        watcher::Error::WatchStartFailed(_) => "start failed",
        watcher::Error::WatchError(status) if status.code == 410 => "too old, listed anew",
        watcher::Error::WatchError(_) => "error event",
        watcher::Error::WatchFailed(_) => "connection failed",
        watcher::Error::NoResourceVersion => "no resourceVersion",
    }
}
