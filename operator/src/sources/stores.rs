//! The stores of all watched kinds, and who is woken by a change of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use crds::{App, ConfigRepo, Environment, Release, Run};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, Secret, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Config;
use kube::{Api, Client, Resource};
use plan::ObjectKey;
use plan::environment::references::Kind;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::apply::Observer;
use crate::controllers::{Key, Queue, Queues};
use crate::sources::references::Readers;
use crate::sources::store::{Change, Store};
use crate::sources::wake::{wake_environment, wake_itself, wake_label, wake_owner, wake_readers};
use crate::sources::watch::Watches;

/// Everything that is watched.
pub struct Stores {
    /// ConfigRepos.
    pub config_repos: Store<ConfigRepo>,
    /// Apps.
    pub apps: Store<App>,
    /// Environments, found by their App.
    pub environments: Store<Environment>,
    /// Releases, found by their Environment, as all that follows.
    pub releases: Store<Release>,
    /// Runs, found by the Environment that they name.
    pub runs: Store<Run>,
    /// Deployments.
    pub deployments: Store<Deployment>,
    /// StatefulSets.
    pub stateful_sets: Store<StatefulSet>,
    /// Services.
    pub services: Store<Service>,
    /// PodDisruptionBudgets.
    pub budgets: Store<PodDisruptionBudget>,
    /// CronJobs.
    pub cron_jobs: Store<CronJob>,
    /// Jobs.
    pub jobs: Store<Job>,
    /// Pods.
    pub pods: Store<Pod>,
    /// Secrets, without their data.
    pub secrets: Store<PartialObjectMeta<Secret>>,
    /// ConfigMaps, without their data.
    pub config_maps: Store<PartialObjectMeta<ConfigMap>>,
    /// Nodes.
    pub nodes: Store<Node>,
    /// Which Environments read which Secrets and ConfigMaps.
    pub readers: Readers,
}

/// What Keelway's child objects carry; only such are watched.
const OURS: &str = "app.kubernetes.io/managed-by=keelway";

impl Stores {
    /// Empty stores.
    pub fn new() -> Self {
        Self {
            config_repos: Store::new(|_| None),
            apps: Store::new(|_| None),
            environments: Store::new(|environment| {
                environment.metadata.labels.as_ref()?.get(crds::names::APP).cloned()
            }),
            releases: Store::new(|release| Some(release.spec.environment.clone())),
            runs: Store::new(|run| Some(run.spec.environment_ref.name.as_str().to_owned())),
            deployments: Store::by_environment(),
            stateful_sets: Store::by_environment(),
            services: Store::by_environment(),
            budgets: Store::by_environment(),
            cron_jobs: Store::by_environment(),
            jobs: Store::by_environment(),
            pods: Store::by_environment(),
            secrets: Store::new(|_| None),
            config_maps: Store::new(|_| None),
            nodes: Store::new(|_| None),
            readers: Readers::default(),
        }
    }

    /// Starts all watches. A change wakes the object itself and whoever decides over it.
    pub fn watch(&self, watches: &mut Watches, client: &Client, queues: &Queues) {
        let all = Config::default;
        let ours = || Config::default().labels(OURS);
        let Queues { config_repos, apps, environments, runs } = queues;

        add(watches, client, all(), &self.config_repos, wake_itself(config_repos));
        add(watches, client, all(), &self.apps, wake_itself(apps));
        let (app, itself) = (wake_label(apps, crds::names::APP), wake_itself(environments));
        let by_environment = self.runs.clone();
        let run = runs.clone();
        add(watches, client, all(), &self.environments, move |change| {
            app(change);
            itself(change);
            // A Run waits for its Environment's live release.
            let Key { namespace, name } = Key::of(change.object().meta());
            for waiting in by_environment.indexed(&namespace, &name) {
                run.wake(Key::of(&waiting.metadata));
            }
        });
        let queue = environments.clone();
        add(watches, client, all(), &self.releases, move |change| {
            let release = change.object();
            let namespace = release.metadata.namespace.as_deref().unwrap_or_default();
            queue.wake(Key::new(namespace, &release.spec.environment));
        });
        add(watches, client, all(), &self.runs, wake_itself(runs));
        add(watches, client, ours(), &self.deployments, wake_environment(environments));
        add(watches, client, ours(), &self.stateful_sets, wake_environment(environments));
        add(watches, client, ours(), &self.services, wake_environment(environments));
        add(watches, client, ours(), &self.budgets, wake_environment(environments));
        add(watches, client, ours(), &self.cron_jobs, wake_environment(environments));
        let (environment, run) = (wake_environment(environments), wake_owner(runs, "Run"));
        add(watches, client, ours(), &self.jobs, move |change| {
            environment(change);
            run(change);
        });
        add(watches, client, ours(), &self.pods, wake_environment(environments));
        let wake = wake_readers(environments, &self.readers, Kind::Secret);
        watches.add_metadata(Api::all(client.clone()), all(), &self.secrets, wake);
        let wake = wake_readers(environments, &self.readers, Kind::ConfigMap);
        watches.add_metadata(Api::all(client.clone()), all(), &self.config_maps, wake);
        watches.add(Api::all(client.clone()), all(), &self.nodes, self.wake_on_node(environments));
    }

    /// The nodes, and whether each is ready.
    pub fn node_readiness(&self) -> BTreeMap<String, bool> {
        let name = |node: &Node| node.metadata.name.clone().unwrap_or_default();
        self.nodes.all().iter().map(|node| (name(node), is_ready(node))).collect()
    }

    /// Wakes the Environments that have a pod on a node which is not ready, or just became so again.
    fn wake_on_node(&self, environments: &Queue) -> impl Fn(&Change<Node>) + Send + Sync + use<> {
        let (queue, pods) = (environments.clone(), self.pods.clone());
        let lost = Mutex::new(BTreeSet::new());
        move |change| {
            let node = change.object().metadata.name.clone().unwrap_or_default();
            let ready = matches!(change, Change::Is(node) if is_ready(node));
            let mut lost = lost.lock().unwrap_or_else(PoisonError::into_inner);
            let changed = if ready { lost.remove(&node) } else { lost.insert(node.clone()) };
            drop(lost);
            if !changed {
                return;
            }
            for pod in pods.all() {
                let on = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
                let environment = pod.metadata.labels.as_ref().and_then(|l| l.get(crds::names::ENVIRONMENT));
                if let (true, Some(environment)) = (on == Some(&node), environment) {
                    queue.wake(Key::new(pod.metadata.namespace.as_deref().unwrap_or_default(), environment));
                }
            }
        }
    }

    fn observers(&self) -> HashMap<(String, String), Arc<dyn Observer>> {
        let Self {
            config_repos,
            apps,
            environments,
            releases,
            runs,
            deployments,
            stateful_sets,
            services,
            budgets,
            cron_jobs,
            jobs,
            pods,
            // Never written.
            secrets: _,
            config_maps: _,
            nodes: _,
            readers: _,
        } = self;
        HashMap::from([
            observer(config_repos),
            observer(apps),
            observer(environments),
            observer(releases),
            observer(runs),
            observer(deployments),
            observer(stateful_sets),
            observer(services),
            observer(budgets),
            observer(cron_jobs),
            observer(jobs),
            observer(pods),
        ])
    }

    /// Brings the answers to our own writes into the store of their kind.
    pub fn observer(&self) -> Arc<dyn Observer> {
        Arc::new(ByKind(self.observers()))
    }
}

impl Default for Stores {
    fn default() -> Self {
        Self::new()
    }
}

struct ByKind(HashMap<(String, String), Arc<dyn Observer>>);

impl ByKind {
    fn of(&self, key: &ObjectKey) -> Option<&Arc<dyn Observer>> {
        self.0.get(&(key.api_version.clone(), key.kind.clone()))
    }
}

impl Observer for ByKind {
    fn written(&self, key: &ObjectKey, object: &Value) {
        // What lacks the label is not watched, and would never leave the store again.
        let ours =
            object.pointer("/metadata/labels/app.kubernetes.io~1managed-by") == Some(&"keelway".into());
        if let (Some(store), true) = (self.of(key), ours || key.group() == crds::GROUP) {
            store.written(key, object);
        }
    }

    fn gone(&self, key: &ObjectKey, uid: &str) {
        if let Some(store) = self.of(key) {
            store.gone(key, uid);
        }
    }
}

fn observer<K>(store: &Store<K>) -> ((String, String), Arc<dyn Observer>)
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Send + Sync + 'static,
{
    ((K::api_version(&()).into_owned(), K::kind(&()).into_owned()), Arc::new(store.clone()))
}

fn add<K>(
    watches: &mut Watches,
    client: &Client,
    config: Config,
    store: &Store<K>,
    wake: impl Fn(&Change<K>) + Send + Sync + 'static,
) where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    watches.add(Api::all(client.clone()), config, store, wake);
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
