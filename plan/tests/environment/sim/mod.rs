//! A simple model of a cluster: an API server with server-side apply, the controllers of Kubernetes, a kubelet, and
//! Keelway's rules. Time and order of events are chosen by the test.

mod api;
mod controllers;

use std::collections::BTreeMap;

use crds::{App, Environment, Release};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use plan::environment::references::References;
use plan::environment::{self, World};
use plan::{Applied, ObjectKey, app};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What the processes of an image do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// They become ready and stay so.
    Good,
    /// They end again and again.
    Crash,
    /// They run and never become ready.
    Hang,
    /// They become ready; the release command fails.
    BadCommand,
    /// Their node does not answer: nothing about them changes, and they do not go.
    Lost,
}

/// A cluster with one App in it.
#[derive(Clone)]
pub struct Sim {
    /// All objects.
    pub objects: BTreeMap<ObjectKey, Value>,
    /// What `keelway` applied last, and who owns `spec.replicas`.
    applied: BTreeMap<ObjectKey, Value>,
    replicas_owner: BTreeMap<ObjectKey, String>,
    /// The time.
    pub now: Timestamp,
    /// Counts versions and uids.
    counter: u64,
    /// What an image's processes do, by a word in its name.
    pub behaviour: fn(&str) -> Behaviour,
    /// The state of referenced Secrets.
    pub references: References,
    /// How many writes Keelway made, statuses of its own kinds included.
    pub writes: u32,
}

/// The App's name, in the namespace `team`.
pub const NAME: &str = "shop";

/// An image by digest whose name says how it behaves.
pub fn image(word: &str) -> String {
    let digest: String = word.bytes().cycle().take(32).map(|byte| format!("{byte:02x}")).collect();
    format!("registry.example.com/{word}@sha256:{digest}")
}

/// The behaviour that an image is named after.
pub fn by_name(image: &str) -> Behaviour {
    match image {
        _ if image.contains("crash") => Behaviour::Crash,
        _ if image.contains("hang") => Behaviour::Hang,
        _ if image.contains("badcmd") => Behaviour::BadCommand,
        _ => Behaviour::Good,
    }
}

impl Sim {
    /// An empty cluster.
    pub fn new() -> Self {
        Self {
            objects: BTreeMap::new(),
            applied: BTreeMap::new(),
            replicas_owner: BTreeMap::new(),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            counter: 0,
            behaviour: by_name,
            references: References::default(),
            writes: 0,
        }
    }

    /// A person applies the App with this spec.
    pub fn user_applies(&mut self, spec: &Value) {
        let spec: crds::AppSpec = serde_json::from_value(spec.clone()).expect("a spec");
        let key = app_key();
        match self.objects.get_mut(&key) {
            Some(app) => {
                if app["spec"] != json!(spec) {
                    app["spec"] = json!(spec);
                    let generation = app["metadata"]["generation"].as_i64().unwrap() + 1;
                    app["metadata"]["generation"] = generation.into();
                }
            }
            None => {
                let app = json!({"apiVersion": "keelway.dev/v1alpha1", "kind": "App",
                    "metadata": {"name": NAME, "namespace": "team"}, "spec": spec});
                self.insert(key, app);
            }
        }
    }

    /// A person annotates the App.
    pub fn user_annotates(&mut self, name: &str, value: &str) {
        self.objects.get_mut(&app_key()).unwrap()["metadata"]["annotations"][name] = value.into();
    }

    /// The objects of a kind.
    pub fn list<K: DeserializeOwned>(&self, kind: &str) -> Vec<K> {
        let of_kind = self.objects.iter().filter(|(key, _)| key.kind == kind);
        of_kind.map(|(_, object)| serde_json::from_value(object.clone()).unwrap()).collect()
    }

    /// The Environment.
    pub fn environment(&self) -> Option<Environment> {
        self.list("Environment").pop()
    }

    /// The App.
    pub fn app(&self) -> App {
        self.list("App").pop().unwrap()
    }

    /// The Releases, oldest first.
    pub fn releases(&self) -> Vec<Release> {
        let mut releases: Vec<Release> = self.list("Release");
        releases.sort_by_key(|release| release.spec.number);
        releases
    }

    /// What the environment controller would see.
    pub fn world(&self) -> Option<World> {
        Some(World {
            taken_hosts: BTreeMap::new(),
            public: None,
            environment: self.environment()?,
            releases: self.list("Release"),
            deployments: self.list("Deployment"),
            stateful_sets: self.list("StatefulSet"),
            services: self.list("Service"),
            disruption_budgets: self.list("PodDisruptionBudget"),
            cron_jobs: self.list("CronJob"),
            jobs: self.list("Job"),
            pods: self.list("Pod"),
            references: self.references.clone(),
            logs: BTreeMap::new(),
            nodes: BTreeMap::new(),
            sizes: plan::sizes::Sizes::default(),
            now: self.now,
        })
    }

    /// The app controller looks, and its process ends after `limit` writes.
    pub fn reconcile_app(&mut self, limit: usize) {
        let environment = self.environment();
        let world = app::World { app: self.app(), environment, lookup: None, now: self.now };
        let (plan, refusal) = app::plan(&world);
        if plan.steps.len() > limit {
            return;
        }
        let applied = self.run(plan.steps);
        let status = app::status(&world, refusal.as_ref(), &applied);
        if world.app.status.clone().unwrap_or_default() != status {
            self.set_status(&ObjectKey::of(&world.app), &json!(status));
        }
    }

    /// The environment controller looks, and its process ends after `limit` writes.
    pub fn reconcile_environment(&mut self, limit: usize) {
        let Some(world) = self.world() else { return };
        let planned = environment::plan(&world);
        let steps: Vec<_> = planned.plan.steps.iter().take(limit).cloned().collect();
        let whole = steps.len() == planned.plan.steps.len();
        let applied = self.run(steps);
        if !whole {
            return;
        }
        self.write_environment_status(&world, &planned, &applied);
    }

    fn write_environment_status(&mut self, world: &World, planned: &environment::Planned, applied: &Applied) {
        let status = planned.status(world, applied);
        if world.environment.status.clone().unwrap_or_default() != status {
            self.set_status(&ObjectKey::of(&world.environment), &json!(status));
        }
    }

    /// Everything acts until nothing changes, at most for a simulated day. Returns whether it came to rest.
    pub fn settle(&mut self) -> bool {
        for _ in 0..400 {
            let before = self.objects.clone();
            self.reconcile_app(usize::MAX);
            self.reconcile_environment(usize::MAX);
            self.kubernetes();
            if self.objects == before {
                let Some(wake) = self.wake() else { return true };
                self.now = wake;
            }
        }
        false
    }

    /// When a controller wants to look again although nothing changes; none where that would change nothing.
    fn wake(&self) -> Option<Timestamp> {
        let world = self.world()?;
        let wake = environment::plan(&world).plan.wake?;
        Some(wake.max(self.now))
    }

    /// The words of the App's Ready condition: status, reason, message.
    pub fn ready(&self) -> String {
        let status = self.app().status.unwrap_or_default();
        let ready = status.conditions.iter().find(|c| c.type_ == crds::ConditionType::Ready);
        ready.map_or_else(String::new, |c| format!("{:?} {} {}", c.status, c.reason.as_str(), c.message))
    }

    /// The phases of the releases.
    pub fn phases(&self) -> Vec<String> {
        let phase = |release: &Release| release.status.clone().unwrap_or_default().phase;
        self.releases()
            .iter()
            .map(|release| format!("v{} {:?}", release.spec.number, phase(release)))
            .collect()
    }

    fn time(&self) -> Value {
        json!(Time(self.now))
    }

    fn tick(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

/// The App's key.
pub fn app_key() -> ObjectKey {
    let app: App = serde_json::from_value(
        json!({"metadata": {"name": NAME, "namespace": "team"}, "spec": {"image": "a"}}),
    )
    .unwrap();
    debug_assert_eq!(app.name_any(), NAME);
    ObjectKey::of(&app)
}

/// The key of an object of the team.
pub fn key(api_version: &str, kind: &str, name: &str) -> ObjectKey {
    ObjectKey {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: Some("team".into()),
        name: name.into(),
    }
}
