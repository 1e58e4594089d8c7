//! What is known of the cluster: small facts instead of whole objects, because there may be thousands.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use crds::routing::Routing;
use crds::{ConditionStatus, ConditionType, Environment};
use k8s_openapi::api::discovery::v1::{EndpointConditions, EndpointSlice};
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt as _};

use super::Change;
use crate::reload::tell;

/// Namespace and name.
pub type Key = (String, String);

/// An Environment as the router needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its uid, for events about it.
    pub uid: String,
    /// Where it answers.
    pub hosts: Vec<String>,
    /// The stage.
    pub stage: String,
    /// When it was made, in seconds since 1970.
    pub since: i64,
    /// Whether a release gets traffic.
    pub is_live: bool,
    /// Why it is not ready, in words.
    pub cause: Option<String>,
    /// What its App asks of the router.
    pub routing: Routing,
}

/// Pods of one slice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pods {
    /// The Service.
    pub service: String,
    /// Those that are ready.
    pub ready: Vec<SocketAddr>,
    /// Those that are on their way out.
    pub ending: Vec<SocketAddr>,
    /// Those among them that still answer.
    pub leaving: Vec<SocketAddr>,
    /// Those that are not ready yet, or not any more.
    pub unready: Vec<SocketAddr>,
}

/// Everything of one kind; a list that is under way replaces it when it is whole.
struct Objects<V> {
    all: HashMap<Key, V>,
    listing: Option<HashMap<Key, V>>,
    is_whole: bool,
}

impl<V> Default for Objects<V> {
    fn default() -> Self {
        Self { all: HashMap::new(), listing: None, is_whole: false }
    }
}

impl<V: PartialEq> Objects<V> {
    /// Takes in an event; whether it changed anything.
    ///
    /// What has no facts (it cannot be read) stays as it was known, and stands in the way of no other.
    fn take<K: Resource>(&mut self, event: Event<K>, facts: impl Fn(&K) -> Option<V>) -> bool
    where
        V: Clone,
    {
        let key = |object: &K| {
            let meta = object.meta();
            (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
        };
        match event {
            Event::Init => self.listing = Some(HashMap::new()),
            Event::InitApply(object) => {
                let key = key(&object);
                let facts = facts(&object).or_else(|| self.all.get(&key).cloned());
                if let (Some(listing), Some(facts)) = (&mut self.listing, facts) {
                    listing.insert(key, facts);
                }
            }
            Event::InitDone => {
                let listed = self.listing.take().unwrap_or_default();
                let is_news = !self.is_whole || listed != self.all;
                (self.all, self.is_whole) = (listed, true);
                return is_news;
            }
            Event::Apply(object) => {
                let Some(new) = facts(&object) else { return false };
                let key = key(&object);
                let is_news = self.all.get(&key) != Some(&new);
                self.all.insert(key, new);
                return is_news;
            }
            Event::Delete(object) => return self.all.remove(&key(&object)).is_some(),
        }
        false
    }
}

/// What is known of the cluster.
#[derive(Default)]
pub struct Known {
    /// The domain below which every Environment has a host.
    domain: Option<String>,
    environments: Objects<Facts>,
    slices: Objects<Pods>,
}

impl Known {
    /// Nothing yet; every Environment will have a host below `domain`.
    pub fn new(domain: Option<String>) -> Self {
        Self { domain, ..Self::default() }
    }

    /// Takes in what a watch saw; whether routes may change by it.
    pub(super) fn take(&mut self, change: Change) -> bool {
        match change {
            Change::Environment(event) => {
                let domain = self.domain.as_deref();
                self.environments.take(event, |guarded| match &guarded.0 {
                    Ok(environment) => Some(facts(environment, domain)),
                    Err(error) => {
                        let meta = &error.metadata;
                        let name = (meta.namespace.as_deref(), meta.name.as_deref());
                        tell(&format!(
                            "an Environment cannot be read, and stays as it was: {name:?}: {}",
                            error.error
                        ));
                        None
                    }
                })
            }
            Change::Slice(event) => self.slices.take(event, |slice| Some(pods(slice))),
        }
    }

    /// Whether both lists were seen as a whole.
    pub fn is_whole(&self) -> bool {
        self.environments.is_whole && self.slices.is_whole
    }

    /// The Environments.
    pub fn environments(&self) -> impl Iterator<Item = (&Key, &Facts)> {
        self.environments.all.iter()
    }

    /// The pods of every Service, by namespace and name, of all its slices.
    pub fn services(&self) -> BTreeMap<Key, Pods> {
        let mut services: BTreeMap<Key, Pods> = BTreeMap::new();
        for ((namespace, _), pods) in &self.slices.all {
            let all = services.entry((namespace.clone(), pods.service.clone())).or_default();
            all.ready.extend(&pods.ready);
            all.ending.extend(&pods.ending);
            all.leaving.extend(&pods.leaving);
            all.unready.extend(&pods.unready);
        }
        services
    }
}

fn facts(environment: &Environment, domain: Option<&str>) -> Facts {
    let status = environment.status.as_ref();
    let ready = status.and_then(|s| s.conditions.iter().find(|c| c.type_ == ConditionType::Ready));
    let made = environment.creation_timestamp().map_or(0, |time| time.0.as_second());
    Facts {
        uid: environment.uid().unwrap_or_default(),
        hosts: environment.spec.hosts(domain),
        stage: environment.spec.stage.as_str().to_owned(),
        since: made,
        is_live: status.is_some_and(|status| status.live_release.is_some()),
        routing: environment.spec.routing.clone(),
        cause: ready.filter(|c| c.status == ConditionStatus::False).map(|c| c.message.clone()),
    }
}

fn pods(slice: &EndpointSlice) -> Pods {
    let service = slice.labels().get("kubernetes.io/service-name").cloned().unwrap_or_default();
    let mut pods = Pods { service, ..Pods::default() };
    let port = slice.ports.iter().flatten().find_map(|port| u16::try_from(port.port?).ok());
    let Some(port) = port else { return pods };
    for endpoint in &slice.endpoints {
        let addresses = endpoint.addresses.iter().filter_map(|address| address.parse::<IpAddr>().ok());
        let addresses = addresses.map(|ip| SocketAddr::from((ip, port)));
        let unknown = EndpointConditions::default();
        let conditions = endpoint.conditions.as_ref().unwrap_or(&unknown);
        // No statement is taken for yes, as the API says of both.
        if conditions.ready.unwrap_or(true) {
            pods.ready.extend(addresses);
        } else if conditions.terminating.unwrap_or(false) {
            let addresses: Vec<_> = addresses.collect();
            if conditions.serving.unwrap_or(true) {
                pods.leaving.extend(&addresses);
            }
            pods.ending.extend(addresses);
        } else {
            pods.unready.extend(addresses);
        }
    }
    pods
}
