//! One watch per ConfigRepo, kind and namespace, as its service account.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crds::names::OWNER_UID;
use futures::{StreamExt as _, pin_mut};
use http::HeaderValue;
use kube::api::{ApiResource, DynamicObject};
use kube::client::Body;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Client};
use plan::ObjectKey;
use serde_json::Value;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::debug;

use super::{Managed, index, key_of};
use crate::apply::Identity;
use crate::controllers::Key;

/// What one watch shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Topic {
    pub api_version: String,
    pub kind: String,
    pub namespace: Option<String>,
}

impl Topic {
    /// The topic of an object.
    pub fn of(key: &ObjectKey) -> Self {
        let ObjectKey { api_version, kind, namespace, name: _ } = key.clone();
        Self { api_version, kind, namespace }
    }
}

const STARTING: u8 = 0;
const FULL: u8 = 1;
const REFUSED: u8 = 2;

/// A watch that runs until it is dropped.
pub(super) struct Watch {
    state: Arc<AtomicU8>,
    task: AbortHandle,
}

impl Watch {
    /// Whether it has shown all there is, or may not.
    pub fn is_settled(&self) -> bool {
        self.state.load(Ordering::Acquire) != STARTING
    }

    /// Whether the service account may not watch.
    pub fn is_refused(&self) -> bool {
        self.state.load(Ordering::Acquire) == REFUSED
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Managed {
    /// Starts a watch of the objects of this ConfigRepo.
    pub(super) fn watch(&self, key: Key, uid: &str, identity: &Identity, topic: Topic) -> Watch {
        let state = Arc::new(AtomicU8::new(STARTING));
        let config = Config::default().labels(&format!("{OWNER_UID}={uid}"));
        let (this, shared, identity) = (self.clone(), state.clone(), identity.clone());
        let task = tokio::spawn(async move { this.follow(key, &identity, topic, config, &shared).await });
        Watch { state, task: task.abort_handle() }
    }

    async fn follow(&self, key: Key, identity: &Identity, topic: Topic, config: Config, state: &AtomicU8) {
        let api = loop {
            if let Some(api) = self.api(identity, &topic).await {
                break api;
            }
            // The kind is not known yet: its definition is of the same commit.
            self.mark(state, FULL);
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        };
        let events = watcher(api, config).default_backoff();
        pin_mut!(events);
        let (mut began, mut names) = (Instant::now(), HashSet::new());
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => (began, names) = (Instant::now(), HashSet::new()),
                Ok(Event::InitApply(object)) => {
                    if let Some(live) = value(object, &topic) {
                        names.extend(key_of(&live));
                        self.shown(&key, &live);
                    }
                }
                Ok(Event::InitDone) => {
                    self.listed(&key, &topic, &names, began);
                    self.mark(state, FULL);
                }
                Ok(Event::Apply(object)) => {
                    value(object, &topic).iter().for_each(|live| self.shown(&key, live));
                }
                Ok(Event::Delete(object)) => {
                    value(object, &topic).iter().for_each(|live| self.gone(&key, live));
                }
                Err(error) => {
                    debug!(object = %key, kind = topic.kind, "a watch of applied objects failed; it is started again");
                    self.mark(state, if is_forbidden(&error) { REFUSED } else { STARTING });
                }
            }
        }
    }

    fn listed(&self, key: &Key, topic: &Topic, names: &HashSet<ObjectKey>, began: Instant) {
        let is_topic = |object: &ObjectKey| Topic::of(object) == *topic;
        let change = self.lock().get_mut(key).map(|repo| repo.index.listed(is_topic, names, began));
        self.wake(key, change.unwrap_or(index::Change::None));
    }

    fn mark(&self, state: &AtomicU8, to: u8) {
        // A watch that was full once is broken only for a moment; its next list tells what was missed.
        if to == STARTING && state.load(Ordering::Acquire) == FULL {
            return;
        }
        state.store(to, Ordering::Release);
        self.news.notify_waiters();
    }

    async fn api(&self, identity: &Identity, topic: &Topic) -> Option<Api<DynamicObject>> {
        let Topic { api_version, kind, namespace } = topic.clone();
        let key = ObjectKey {
            api_version: api_version.clone(),
            kind: kind.clone(),
            namespace,
            name: String::new(),
        };
        let resource = self.kinds.resource(&key).await.ok()?;
        let api_resource = ApiResource {
            group: key.group().to_owned(),
            version: key.version().to_owned(),
            api_version,
            kind,
            plural: resource.plural,
        };
        let client = acting_as(&self.client, identity)?;
        Some(match &key.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &api_resource),
            None => Api::all_with(client, &api_resource),
        })
    }
}

/// The same connections, as somebody else. The header is the one thing that differs.
fn acting_as(client: &Client, identity: &Identity) -> Option<Client> {
    let Some(user) = identity.user() else { return Some(client.clone()) };
    let user = HeaderValue::from_str(&user).ok()?;
    let inner = client.clone();
    let service = tower::service_fn(move |mut request: http::Request<Body>| {
        request.headers_mut().insert("Impersonate-User", user.clone());
        let inner = inner.clone();
        async move { inner.send(request).await }
    });
    Some(Client::new(service, client.default_namespace()))
}

/// The object as JSON; a list leaves apiVersion and kind out.
fn value(object: DynamicObject, topic: &Topic) -> Option<Value> {
    let mut live = serde_json::to_value(object).ok()?;
    let map = live.as_object_mut()?;
    map.insert("apiVersion".into(), topic.api_version.clone().into());
    map.insert("kind".into(), topic.kind.clone().into());
    Some(live)
}

fn is_forbidden(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))
    | watcher::Error::WatchFailed(kube::Error::Api(status))
    | watcher::Error::WatchError(status)) = error
    else {
        return false;
    };
    status.code == 403
}
