//! Where a ConfigRepo reads from and what it waits for: ssh, SOPS, dependsOn, suspend.

use crds::{ConditionType, ConfigRepo, Reason};
use e2e::kubectl::run;
use e2e::{GitHost, Repo, Space, setting};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::json;

fn config(name: &str, url: &str, more: &str) -> String {
    format!(
        "apiVersion: keelway.dev/v1alpha1\nkind: ConfigRepo\nmetadata: {{name: {name}}}\nspec:\n  url: {url}\n  interval: 1h\n  \
         secretRef: {{name: git}}\n  serviceAccountName: deployer\n{more}"
    )
}

fn map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: {value}}}\n")
}

/// The reason and message of Ready, for the spec as it is now.
fn ready(repo: &ConfigRepo) -> Option<(Reason, String)> {
    let status = repo.status.as_ref()?;
    let found = status.conditions.iter().find(|c| c.type_ == ConditionType::Ready)?;
    (Some(found.observed_generation) == repo.metadata.generation)
        .then(|| (found.reason, found.message.clone()))
}

fn applied(repo: &ConfigRepo) -> Option<()> {
    (ready(repo)?.0 == Reason::Applied).then_some(())
}

/// A repository that the Secret `git` of the space opens by https.
async fn https(space: &Space, name: &str) -> anyhow::Result<Repo> {
    let host = GitHost::new()?;
    space.apply(&host.secret("git")?).await?;
    host.repo(&format!("{}-{name}", space.name)).await
}

#[tokio::test]
async fn a_repository_is_read_by_ssh_and_only_from_the_host_that_is_known() -> anyhow::Result<()> {
    let space = Space::new("ssh").await?;
    let host = GitHost::new()?;
    let repo = host.repo(&space.name).await?;
    repo.write("a.yaml", Some(&map("a", "by-ssh")))?;
    repo.push("First").await?;

    let key = std::env::temp_dir().join(format!("keelway-e2e-{}", space.name));
    let file = key.display().to_string();
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &file], None).await?;
    let public = std::fs::read_to_string(format!("{file}.pub"))?;
    let asked = json!({"title": "keelway", "key": public, "read_only": true});
    host.call("POST", &format!("/repos/{}/keys", repo.path), Some(&asked)).await?;
    let known = std::fs::read_to_string(setting("GITEA_KNOWN_HOSTS")?)?;
    let secret = |known: &str| -> anyhow::Result<String> {
        let data = json!({"identity": std::fs::read_to_string(&key)?, "known_hosts": known});
        Ok(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git"}, "stringData": data})
            .to_string())
    };
    // The key of another host at the same address: whoever answers there is not the one that was meant.
    let words: Vec<&str> = known.lines().next().unwrap_or_default().split_whitespace().collect();
    let stranger =
        format!("{} {}\n", words[0], public.split_whitespace().take(2).collect::<Vec<_>>().join(" "));
    space.apply(&secret(&stranger)?).await?;
    let url = format!("{}/{}.git", setting("GITEA_SSH")?, repo.path);
    space.apply(&config("config", &url, "")).await?;
    let told = space
        .until("the wrong host key is told of", "config", 60, |repo: &ConfigRepo| {
            ready(repo).filter(|(reason, _)| *reason != Reason::Progressing)
        })
        .await?;
    assert!(told.1.contains("known_hosts"), "{told:?}");
    assert!(space.api::<ConfigMap>().get_opt("a").await?.is_none());

    space.apply(&secret(&known)?).await?;
    let now = json!({"metadata": {"annotations": {"keelway.dev/reconcile-at": "mended"}}});
    space.patch::<ConfigRepo>("config", now).await?;
    space.until("it is applied", "config", 60, applied).await?;
    let found: ConfigMap = space.api().get("a").await?;
    assert_eq!(found.data.unwrap_or_default()["key"], "by-ssh");
    std::fs::remove_file(&key)?;
    std::fs::remove_file(format!("{file}.pub"))?;
    repo.done()?;
    space.done().await
}

#[tokio::test]
async fn an_encrypted_secret_arrives_in_clear_in_the_cluster_alone() -> anyhow::Result<()> {
    const ENCRYPTED: &str = include_str!("../../manifests/tests/sops/encrypted/regex.yaml");
    const KEY: &str = include_str!("../../manifests/tests/sops/test.agekey");
    let space = Space::new("sops").await?;
    let repo = https(&space, "sops").await?;
    repo.write("secret.yaml", Some(ENCRYPTED))?;
    repo.push("An encrypted Secret").await?;
    space.apply(&config("config", &repo.url, "")).await?;
    let told = space
        .until("it asks for a key", "config", 60, |repo: &ConfigRepo| {
            ready(repo).filter(|(reason, _)| *reason != Reason::Progressing)
        })
        .await?;
    assert!(told.1.contains("spec.decryption.secretRef"), "{told:?}");

    let key = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "age"}, "stringData": {"a.agekey": KEY}});
    space.apply(&key.to_string()).await?;
    let decryption = "  decryption: {provider: sops, secretRef: {name: age}}\n";
    space.apply(&config("config", &repo.url, decryption)).await?;
    space.until("it is applied", "config", 60, applied).await?;
    let found: Secret = space.api().get("shop").await?;
    let data = found.data.unwrap_or_default();
    assert_eq!(data["password"].0, b"correct horse battery staple");
    let status: ConfigRepo = space.api().get("config").await?;
    assert!(!serde_json::to_string(&status)?.contains("correct horse"), "no status quotes a Secret");
    repo.done()?;
    space.done().await
}

#[tokio::test]
async fn a_repository_waits_for_those_it_depends_on_and_stands_still_while_suspended() -> anyhow::Result<()> {
    let space = Space::new("depends").await?;
    let repo = https(&space, "depends").await?;
    repo.write("base/a.yaml", Some(&map("base", "one")))?;
    repo.write("apps/a.yaml", Some(&map("apps", "one")))?;
    repo.push("First").await?;
    space.apply(&config("apps", &repo.url, "  paths: [apps]\n  dependsOn: [{name: base}]\n")).await?;
    let told = space
        .until("it waits", "apps", 60, |repo: &ConfigRepo| {
            ready(repo).filter(|(reason, _)| *reason == Reason::DependencyNotReady)
        })
        .await?;
    assert!(told.1.contains("base"), "{told:?}");
    assert!(space.api::<ConfigMap>().get_opt("apps").await?.is_none());
    space.apply(&config("base", &repo.url, "  paths: [base]\n")).await?;
    space.until("the first is applied", "base", 60, applied).await?;
    space.until("the second follows by itself", "apps", 30, applied).await?;

    space.apply(&config("base", &repo.url, "  paths: [base]\n  suspend: true\n")).await?;
    let suspended =
        |repo: &ConfigRepo| ready(repo).filter(|(reason, _)| *reason == Reason::Suspended).map(|_| ());
    space.until("it is suspended", "base", 30, suspended).await?;
    repo.write("base/a.yaml", Some(&map("base", "two")))?;
    let second = repo.push("Second").await?;
    let now = json!({"metadata": {"annotations": {"keelway.dev/reconcile-at": "now"}}});
    space.patch::<ConfigRepo>("base", now).await?;
    space.patch::<ConfigMap>("base", json!({"data": {"key": "by hand"}})).await?;
    // The other repository of the same URL fetches the second commit, so the first had every chance to see it.
    let now = json!({"metadata": {"annotations": {"keelway.dev/reconcile-at": "now"}}});
    space.patch::<ConfigRepo>("apps", now).await?;
    let seen = |repo: &ConfigRepo| (repo.status.as_ref()?.last_seen.as_ref()?.sha == second).then_some(());
    space.until("the other one sees the commit", "apps", 30, seen).await?;
    let kept: ConfigMap = space.api().get("base").await?;
    assert_eq!(kept.data.unwrap_or_default()["key"], "by hand", "nothing is set back while suspended");

    space.apply(&config("base", &repo.url, "  paths: [base]\n  suspend: false\n")).await?;
    space.until("it goes on", "base", 30, applied).await?;
    let mended: ConfigMap = space.api().get("base").await?;
    assert_eq!(mended.data.unwrap_or_default()["key"], "two");
    repo.done()?;
    space.done().await
}
