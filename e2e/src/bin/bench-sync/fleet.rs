//! Many Apps in one config repository.

use std::time::{Duration, Instant};

use crds::{ConditionStatus, ConditionType, ConfigRepo, Environment};
use e2e::{GitHost, Repo, Space, eventually};
use kube::api::ListParams;
use serde_json::json;

use crate::audit;

/// The image of every App: given by digest, so that no registry is asked.
const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Many Apps in one config repository, and the namespace where they run.
pub(crate) struct Fleet {
    pub(crate) space: Space,
    pub(crate) repo: Repo,
    pub(crate) apps: usize,
}

/// ConfigMaps beside the Apps: an object that is changed more than ten times a minute is left alone for a while.
pub(crate) const MAPS: usize = 25;

fn map(number: usize) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: map-{number}}}\ndata: {{key: a}}\n")
}

/// The YAML of one App, scaled to zero.
pub(crate) fn app(name: &str, text: &str) -> String {
    format!(
        "apiVersion: keelway.dev/v1alpha1\nkind: App\nmetadata: {{name: {name}}}\nspec:\n  image: registry.example.com/acme/app@{DIGEST}\n  \
         processes: [{{name: web, replicas: 0}}]\n  env: [{{name: TEXT, value: \"{text}\"}}]\n"
    )
}

impl Fleet {
    /// An empty repository with its `ConfigRepo`, and a push notification from the git host to the operator.
    pub(crate) async fn new(host: &GitHost, apps: usize, round: usize) -> anyhow::Result<Self> {
        let space = crate::space().await?;
        let repo = host.repo(&format!("{}-{round}", space.name)).await?;
        repo.write("apps/maps.yaml", Some(&(0..MAPS).map(map).collect::<Vec<_>>().join("---\n")))?;
        repo.push("First").await?;
        space.apply(&host.secret("git")?).await?;
        let hook = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hook"}, "stringData": {"token": "bench"}});
        space.apply(&hook.to_string()).await?;
        space
            .apply(&format!(
                "apiVersion: keelway.dev/v1alpha1\nkind: ConfigRepo\nmetadata: {{name: config}}\nspec:\n  url: {}\n  paths: [apps]\n  interval: 10m\n  \
                 secretRef: {{name: git}}\n  serviceAccountName: deployer\n  webhook: {{secretRef: {{name: hook}}}}\n",
                repo.url
            ))
            .await?;
        let address = e2e::kubectl::kubectl(&[
            "get",
            "service",
            "keelway",
            "-n",
            "keelway-system",
            "-o",
            "jsonpath={.spec.clusterIP}",
        ])
        .await?;
        let url = format!("http://{}/hooks/{}/config", address.trim(), space.name);
        let hook = json!({"type": "gitea", "active": true, "events": ["push"],
            "config": {"url": url, "content_type": "json", "secret": "bench"}});
        host.call("POST", &format!("/repos/{}/hooks", repo.path), Some(&hook)).await?;
        let fleet = Self { space, repo, apps };
        fleet.until_ready(None).await?;
        Ok(fleet)
    }

    /// Commits all Apps and waits until every Environment is Ready; how long that took from the push on.
    pub(crate) async fn first_sync(&mut self) -> anyhow::Result<Duration> {
        for number in 0..self.apps {
            self.repo
                .write(&format!("apps/app-{number}.yaml"), Some(&app(&format!("app-{number}"), "first")))?;
        }
        self.repo.push("All apps").await?;
        let begun = Instant::now();
        let api = self.space.api::<Environment>();
        let wanted = self.apps;
        eventually("all Environments are Ready", Duration::from_secs(600), || async {
            let all = api.list(&ListParams::default()).await?;
            let ready = all.items.iter().filter(|environment| is_ready(environment)).count();
            anyhow::ensure!(ready == wanted, "{ready} of {wanted}");
            Ok(Some(()))
        })
        .await?;
        Ok(begun.elapsed())
    }

    /// Asks for a sync although nothing changed: how many writes it made, and how long it took.
    pub(crate) async fn resync(&self) -> anyhow::Result<(f64, Duration)> {
        self.until_ready(None).await?;
        let mark = audit::mark()?;
        let begun = Instant::now();
        let token = format!("{begun:?}");
        let patch = json!({"metadata": {"annotations": {"keelway.dev/reconcile-at": token}}});
        self.space.patch::<ConfigRepo>("config", patch).await?;
        self.until_ready(Some(&token)).await?;
        let took = begun.elapsed();
        // That the annotation was acted upon is the one status that such a resync must write.
        Ok(((audit::writes_since(mark)? - 1.0).max(0.0), took))
    }

    async fn until_ready(&self, handled: Option<&str>) -> anyhow::Result<()> {
        self.space
            .until("the ConfigRepo is Ready", "config", 300, |repo: &ConfigRepo| {
                let status = repo.status.as_ref()?;
                let ready = |c: &crds::Condition| {
                    c.type_ == ConditionType::Ready && c.status == ConditionStatus::True
                };
                let acted = handled.is_none() || status.last_handled_reconcile_at.as_deref() == handled;
                (acted && status.conditions.iter().any(ready)).then_some(())
            })
            .await
    }

    /// Takes all of it away, to the last object.
    pub(crate) async fn done(self) -> anyhow::Result<()> {
        self.repo.done()?;
        self.space.gone().await
    }
}

fn is_ready(environment: &Environment) -> bool {
    let ready = |c: &crds::Condition| c.type_ == ConditionType::Ready && c.status == ConditionStatus::True;
    environment.status.as_ref().is_some_and(|status| status.conditions.iter().any(ready))
}
