//! Bad input: each mistake gets a condition that names the cure, the rest keeps working, and nothing is deleted.

use crds::{ConditionStatus, ConditionType, ConfigRepo, Reason};
use e2e::{GitHost, Repo, Space};
use k8s_openapi::api::core::v1::ConfigMap;

const GOOD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\ndata: {key: \"1\"}\n";

async fn begin(test: &str) -> anyhow::Result<(Space, Repo)> {
    let space = Space::new(test).await?;
    let host = GitHost::new()?;
    let repo = host.repo(&space.name).await?;
    space.apply(&host.secret("git")?).await?;
    space.apply(&config(&repo.url, "{branch: main}", "deployer")).await?;
    repo.write("good.yaml", Some(GOOD))?;
    let commit = repo.push("Good").await?;
    space
        .until("the good commit is applied", "config", 60, |repo: &ConfigRepo| {
            (repo.status.as_ref()?.last_applied.as_ref()?.sha == commit).then_some(())
        })
        .await?;
    Ok((space, repo))
}

fn config(url: &str, reference: &str, account: &str) -> String {
    format!(
        "apiVersion: keelway.dev/v1alpha1\nkind: ConfigRepo\nmetadata: {{name: config}}\nspec:\n  url: {url}\n  ref: {reference}\n  \
         interval: 2s\n  secretRef: {{name: git}}\n  serviceAccountName: {account}\n"
    )
}

async fn stops(space: &Space, what: &str, words: &[&str]) -> anyhow::Result<Reason> {
    let reason = space
        .until(what, "config", 60, |repo: &ConfigRepo| {
            let ready = repo.status.as_ref()?.conditions.iter().find(|c| c.type_ == ConditionType::Ready)?;
            let all = words.iter().all(|word| ready.message.contains(word));
            (ready.status == ConditionStatus::False && all).then_some(ready.reason)
        })
        .await?;
    let good = space.api::<ConfigMap>().get_opt("good").await?;
    anyhow::ensure!(
        good.is_some_and(|map| map.data.unwrap_or_default()["key"] == "1"),
        "{what}: the good object changed"
    );
    Ok(reason)
}

#[tokio::test]
async fn a_commit_that_is_refused_changes_nothing_and_the_next_one_mends_it() -> anyhow::Result<()> {
    let (space, repo) = begin("config-bad").await?;
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replica: 0\n  selector: {matchLabels: {a: b}}\n  \
                      template: {metadata: {labels: {a: b}}, spec: {containers: [{name: web, image: r}]}}\n";
    let bad = [
        ("duplicate.yaml", "a: 1\na: 2\n", &["duplicate.yaml:2", "stands twice"][..]),
        (
            "typo.yaml",
            "apiVersion: keelway.dev/v1alpha1\nkind: App\nmetadata: {name: x}\nspec: {imgae: r}\n",
            &["typo.yaml:1", "did you mean \"image\""],
        ),
        (
            "kind.yaml",
            "apiVersion: keelway.dev/v1alpha1\nkind: Ap\nmetadata: {name: x}\n",
            &["kind.yaml:1", "did you mean \"App\""],
        ),
        (
            "unknown.yaml",
            "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x}\n",
            &["unknown.yaml:1", "knows no kind Thing"],
        ),
        ("deployment.yaml", deployment, &["deployment.yaml:1", "did you mean \"replicas\""]),
        (
            "boolean.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nimmutable: yes\n",
            &["boolean.yaml:1", "immutable"],
        ),
        ("twice.yaml", GOOD, &["twice.yaml:1", "good.yaml:1"]),
        (
            "elsewhere.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: default}\n",
            &["elsewhere.yaml:1", "may not patch"],
        ),
    ];
    for (path, text, words) in bad {
        repo.write("good.yaml", Some(&GOOD.replace("\"1\"", "\"2\"")))?;
        repo.write(path, Some(text))?;
        repo.push(path).await?;
        stops(&space, path, words).await?;
        repo.write(path, None)?;
        repo.write("good.yaml", Some(GOOD))?;
        let mended = repo.push("Mended").await?;
        space
            .until("the mended commit is applied", "config", 60, |repo: &ConfigRepo| {
                (repo.status.as_ref()?.last_applied.as_ref()?.sha == mended).then_some(())
            })
            .await?;
    }
    repo.done()?;
    space.done().await
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_deletes_nothing() -> anyhow::Result<()> {
    let (space, repo) = begin("config-lost").await?;
    space.apply(&config(&repo.url, "{branch: gone}", "deployer")).await?;
    assert_eq!(stops(&space, "a missing branch", &["gone"]).await?, Reason::RefMissing);
    space.apply(&config(&format!("{}x", repo.url), "{branch: main}", "deployer")).await?;
    stops(&space, "a missing repository", &["404"]).await?;
    space.apply(&config("https://10.0.0.1/a/b.git", "{branch: main}", "deployer")).await?;
    stops(&space, "an address that may not be dialled", &["10.0.0.1"]).await?;
    space.apply(&config(&repo.url, "{branch: main}", "nobody")).await?;
    assert_eq!(
        stops(&space, "a missing account", &["nobody", "does not exist"]).await?,
        Reason::AccountMissing
    );
    repo.git(&["rm", "-q", "good.yaml"]).await?;
    repo.push("Empty").await?;
    space.apply(&config(&repo.url, "{branch: main}", "deployer")).await?;
    assert_eq!(stops(&space, "an empty repository", &["holds no object"]).await?, Reason::PathEmpty);
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]).await?;
    repo.git(&["commit", "-q", "--amend", "-m", "Rewritten"]).await?;
    repo.git(&["push", "-q", "--force", "origin", "HEAD"]).await?;
    let rewritten = repo.git(&["rev-parse", "HEAD"]).await?.trim().to_owned();
    space
        .until("a forced push is followed", "config", 60, |repo: &ConfigRepo| {
            (repo.status.as_ref()?.last_applied.as_ref()?.sha == rewritten).then_some(())
        })
        .await?;
    repo.done()?;
    space.done().await
}
