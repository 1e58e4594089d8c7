//! The whole way: a commit to a config repository becomes pods that answer, and the next commit what they say.

use std::time::Duration;

use crds::{App, ConditionStatus, ConditionType, ConfigRepo};
use e2e::{GitHost, Space, eventually, hello};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::ListParams;

/// Asks the Service's cluster address from a pod's network, by way of the API server's proxy to one pod.
async fn answer(space: &Space, app: &str) -> anyhow::Result<String> {
    let selector = format!("keelway.dev/environment={app}-production,keelway.dev/process=web");
    let pods = space.api::<Pod>().list(&ListParams::default().labels(&selector)).await?;
    let newest = pods.items.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let name = newest.filter_map(|pod| pod.metadata.name.clone()).next_back();
    let name = name.ok_or_else(|| anyhow::anyhow!("no pod yet"))?;
    let path = format!("/api/v1/namespaces/{}/pods/{name}:8080/proxy/", space.name);
    e2e::kubectl::kubectl(&["get", "--raw", &path]).await
}

fn app(text: &str) -> anyhow::Result<String> {
    Ok(format!(
        "apiVersion: keelway.dev/v1alpha1\nkind: App\nmetadata: {{name: hello}}\nspec:\n  image: {}\n  processes:\n    \
         - {{name: web, size: nano, replicas: 2, readiness: {{path: /healthz, periodSeconds: 1}}}}\n  env:\n    - {{name: TEXT, value: {text}}}\n",
        hello("1")?
    ))
}

fn ready(repo: &ConfigRepo, commit: &str) -> Option<()> {
    let status = repo.status.as_ref()?;
    let applied = status.last_applied.as_ref()?;
    let is_ready = |c: &crds::Condition| c.type_ == ConditionType::Ready && c.status == ConditionStatus::True;
    (applied.sha == commit && status.conditions.iter().any(is_ready)).then_some(())
}

#[tokio::test]
async fn a_commit_becomes_pods_and_the_next_commit_what_they_say() -> anyhow::Result<()> {
    let space = Space::new("spine").await?;
    let host = GitHost::new()?;
    let repo = host.repo(&space.name).await?;
    repo.write("app.yaml", Some(&app("first")?))?;
    let first = repo.push("Run hello").await?;

    space.apply(&host.secret("git")?).await?;
    space
        .apply(&format!(
            "apiVersion: keelway.dev/v1alpha1\nkind: ConfigRepo\nmetadata: {{name: config}}\nspec:\n  url: {}\n  interval: 2s\n  \
             secretRef: {{name: git}}\n  serviceAccountName: deployer\n",
            repo.url
        ))
        .await?;
    space.until("the first commit is applied", "config", 90, |r: &ConfigRepo| ready(r, &first)).await?;
    let limit = Duration::from_secs(30);
    eventually("the app says first", limit, || async {
        Ok(answer(&space, "hello").await?.contains("first").then_some(()))
    })
    .await?;
    assert!(space.api::<Service>().get_opt("hello-production-web").await?.is_some());

    repo.write("app.yaml", Some(&app("second")?))?;
    let second = repo.push("Say second").await?;
    space.until("the second commit is applied", "config", 90, |r: &ConfigRepo| ready(r, &second)).await?;
    eventually("the app says second", limit, || async {
        Ok(answer(&space, "hello").await?.contains("second").then_some(()))
    })
    .await?;
    let table = e2e::kubectl::kubectl(&["get", "keelway", "-n", &space.name]).await?;
    assert!(table.contains("v2"), "kubectl get keelway tells the story:\n{table}");

    repo.write("app.yaml", None)?;
    repo.write("README.md", Some("nothing runs here\n"))?;
    repo.write("keep.yaml", Some("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: keep}\n"))?;
    repo.push("Remove hello").await?;
    space.until_gone::<App>("hello", 60).await?;
    space.until_gone::<Service>("hello-production-web", 60).await?;
    repo.done()?;
    space.done().await
}
