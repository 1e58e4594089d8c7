//! What happens in every run: phases, each with an act of a person and the state that must follow.

use std::future::Future;
use std::pin::Pin;

use kube::Client;
use serde_json::{Value, json};

use crate::api;
use crate::git_server::GitServer;
use crate::snapshot::Snapshot;

/// Where a run takes place.
#[derive(Clone, Copy)]
pub struct Stage<'a> {
    /// A client with every right.
    pub client: &'a Client,
    /// The run's namespace.
    pub namespace: &'a str,
    /// The git host; its repository is named as the namespace.
    pub git: &'a GitServer,
}

type Act = for<'a> fn(Stage<'a>) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;

/// An act and what must follow.
#[derive(Clone, Copy)]
pub struct Phase {
    /// Its name in reports.
    pub name: &'static str,
    /// What a person does.
    pub act: Act,
    /// Whether what must follow is there.
    pub done: fn(&Snapshot) -> bool,
}

/// A row of phases that begins in an empty namespace.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name in reports.
    pub name: &'static str,
    /// Its phases, in order.
    pub phases: &'static [Phase],
    /// Whether the next act comes while the operator is down, so that what it was at never settles.
    pub overtaken: bool,
}

macro_rules! act {
    ($function:ident) => {
        |stage| Box::pin($function(stage))
    };
}

/// All scenarios.
pub const SCENARIOS: [Scenario; 3] = [
    Scenario { name: "app", phases: &APP, overtaken: false },
    Scenario { name: "repo", phases: &REPO, overtaken: false },
    Scenario { name: "overtaken", phases: &REPO, overtaken: true },
];

const APP: [Phase; 4] = [
    Phase { name: "create an App", act: act!(create_app), done: |now| is_ready(now, "apps/shop") },
    Phase {
        name: "change it",
        act: act!(change_app),
        done: |now| is_ready(now, "apps/shop") && runs(now, "2"),
    },
    Phase {
        name: "roll it back",
        act: act!(roll_back_app),
        done: |now| is_ready(now, "apps/shop") && runs(now, "1"),
    },
    Phase { name: "delete it", act: act!(delete_app), done: has_none_of_ours },
];

const REPO: [Phase; 4] = [
    Phase {
        name: "create a ConfigRepo",
        act: act!(create_repo),
        done: |now| is_applied(now, "first") && has(now, &["configmaps/a", "configmaps/b"], &[]),
    },
    Phase {
        name: "a commit that prunes",
        act: act!(second_commit),
        done: |now| {
            is_applied(now, "second") && has(now, &["configmaps/a", "configmaps/c"], &["configmaps/b"])
        },
    },
    Phase {
        name: "a commit that removes what was just created",
        act: act!(third_commit),
        done: |now| {
            let gone = ["configmaps/b", "configmaps/c"];
            is_applied(now, "third") && has(now, &["configmaps/a", "configmaps/d"], &gone)
        },
    },
    Phase {
        name: "delete the ConfigRepo",
        act: act!(delete_repo),
        done: |now| has(now, &[], &["configmaps/a", "configmaps/d", "configrepos/config"]),
    },
];

const KEELWAY: &str = "/apis/keelway.dev/v1alpha1/namespaces";

fn app(round: &str) -> Value {
    json!({
        "apiVersion": "keelway.dev/v1alpha1", "kind": "App", "metadata": {"name": "shop"},
        "spec": {
            "image": format!("registry.example.com/shop@sha256:{}", "a".repeat(64)),
            "processes": [{"name": "web", "replicas": 0}, {"name": "worker", "replicas": 0, "command": ["work"]}],
            "jobs": [{"name": "report", "schedule": "0 3 * * *", "command": ["report"], "suspend": true}],
            "env": [{"name": "ROUND", "value": round}],
        },
    })
}

async fn create_app(stage: Stage<'_>) -> anyhow::Result<()> {
    api::create(stage.client, &format!("{KEELWAY}/{}/apps", stage.namespace), &app("1")).await.map(drop)
}

async fn change_app(stage: Stage<'_>) -> anyhow::Result<()> {
    set_round(stage, "2").await
}

async fn roll_back_app(stage: Stage<'_>) -> anyhow::Result<()> {
    set_round(stage, "1").await
}

async fn set_round(stage: Stage<'_>, round: &str) -> anyhow::Result<()> {
    let patch = json!({"spec": {"env": [{"name": "ROUND", "value": round}]}});
    api::merge(stage.client, &format!("{KEELWAY}/{}/apps/shop", stage.namespace), &patch).await.map(drop)
}

async fn delete_app(stage: Stage<'_>) -> anyhow::Result<()> {
    api::delete(stage.client, &format!("{KEELWAY}/{}/apps/shop", stage.namespace)).await
}

fn map(name: &str, round: &str) -> (String, String) {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"round": round}});
    (format!("{name}.yaml"), map.to_string())
}

/// Objects that stay through all commits, so that what is pruned is less than the third that asks for a confirmation.
const KEPT: [(&str, &str); 4] = [("k1", "1"), ("k2", "1"), ("k3", "1"), ("k4", "1")];

async fn commit(stage: Stage<'_>, maps: &[(&str, &str)], subject: &str) -> anyhow::Result<()> {
    let files: Vec<_> = maps.iter().chain(&KEPT).map(|(name, round)| map(name, round)).collect();
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    stage.git.commit(stage.namespace, &files, subject).await
}

async fn create_repo(stage: Stage<'_>) -> anyhow::Result<()> {
    commit(stage, &[("a", "1"), ("b", "1")], "first").await?;
    let Stage { client, namespace, git } = stage;
    let account = json!({"metadata": {"name": "deployer"}});
    api::create(client, &format!("/api/v1/namespaces/{namespace}/serviceaccounts"), &account).await?;
    let binding = json!({
        "metadata": {"name": "deployer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": namespace}],
    });
    api::create(
        client,
        &format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"),
        &binding,
    )
    .await?;
    let repo = json!({
        "apiVersion": "keelway.dev/v1alpha1", "kind": "ConfigRepo", "metadata": {"name": "config"},
        "spec": {
            "url": git.url(namespace), "serviceAccountName": "deployer", "interval": "1h", "deletionPolicy": "Delete",
        },
    });
    api::create(client, &format!("{KEELWAY}/{namespace}/configrepos"), &repo).await?;
    Ok(())
}

async fn second_commit(stage: Stage<'_>) -> anyhow::Result<()> {
    commit(stage, &[("a", "2"), ("c", "2")], "second").await?;
    look_now(stage, "second").await
}

async fn third_commit(stage: Stage<'_>) -> anyhow::Result<()> {
    commit(stage, &[("a", "2"), ("d", "3")], "third").await?;
    look_now(stage, "third").await
}

/// Asks for a look now, as a webhook does.
async fn look_now(stage: Stage<'_>, value: &str) -> anyhow::Result<()> {
    let patch = json!({"metadata": {"annotations": {"keelway.dev/reconcile-at": value}}});
    api::merge(stage.client, &format!("{KEELWAY}/{}/configrepos/config", stage.namespace), &patch)
        .await
        .map(drop)
}

async fn delete_repo(stage: Stage<'_>) -> anyhow::Result<()> {
    api::delete(stage.client, &format!("{KEELWAY}/{}/configrepos/config", stage.namespace)).await
}

fn is_ready(now: &Snapshot, key: &str) -> bool {
    let Some(object) = now.object(key) else { return false };
    let generation = &object["metadata"]["generation"];
    object["status"]["conditions"].as_array().into_iter().flatten().any(|condition| {
        condition["type"] == "Ready"
            && condition["status"] == "True"
            && condition["observedGeneration"] == *generation
    })
}

/// Whether the Deployment of the process `web` has this value of `ROUND`.
fn runs(now: &Snapshot, round: &str) -> bool {
    now.object("deployments/shop-production-web").is_some_and(|deployment| {
        let env = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array();
        env.into_iter().flatten().any(|variable| variable["name"] == "ROUND" && variable["value"] == round)
    })
}

fn has_none_of_ours(now: &Snapshot) -> bool {
    now.0.keys().all(|key| ["serviceaccounts/default", "configmaps/kube-root-ca.crt"].contains(&key.as_str()))
}

fn is_applied(now: &Snapshot, subject: &str) -> bool {
    is_ready(now, "configrepos/config")
        && now
            .object("configrepos/config")
            .is_some_and(|repo| repo["status"]["lastApplied"]["subject"] == subject)
}

fn has(now: &Snapshot, present: &[&str], absent: &[&str]) -> bool {
    present.iter().all(|key| now.object(key).is_some()) && absent.iter().all(|key| now.object(key).is_none())
}
