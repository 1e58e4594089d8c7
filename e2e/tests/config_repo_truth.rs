//! Git is the truth: what it says is there, what it no longer says goes, and what others change is set back.

use std::time::{Duration, Instant};

use crds::{ConditionStatus, ConditionType, ConfigRepo, Reason};
use e2e::config_repo::{applied, begin, config_map, says};
use e2e::eventually;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{DeleteParams, PatchParams, PostParams};
use serde_json::json;

#[tokio::test]
async fn what_git_no_longer_has_goes_and_what_is_marked_stays() -> anyhow::Result<()> {
    let (space, repo) = begin("config-prune", "").await?;
    for name in ["a", "b", "c", "d", "e"] {
        repo.write(&format!("{name}.yaml"), Some(&config_map(name, "1")))?;
    }
    let kept = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, annotations: {keelway.dev/prune: disabled}}\n";
    repo.write("kept.yaml", Some(kept))?;
    applied(&space, &repo.push("Six maps").await?).await?;

    repo.write("a.yaml", None)?;
    repo.write("kept.yaml", None)?;
    applied(&space, &repo.push("Two less").await?).await?;
    let maps = space.api::<ConfigMap>();
    assert!(maps.get_opt("a").await?.is_none());
    assert!(maps.get_opt("kept").await?.is_some());
    let inventory = space.api::<ConfigRepo>().get("config").await?.status.unwrap_or_default().inventory;
    let names: Vec<_> = inventory.iter().map(|reference| reference.name.as_str()).collect();
    assert_eq!(names, ["b", "c", "d", "e"]);
    repo.done()?;
    space.done().await
}

#[tokio::test]
async fn a_large_prune_waits_for_its_confirmation() -> anyhow::Result<()> {
    let (space, repo) = begin("config-confirm", "").await?;
    let all: String = (0..6).map(|n| format!("---\n{}", config_map(&format!("m{n}"), "1"))).collect();
    repo.write("all.yaml", Some(&all))?;
    applied(&space, &repo.push("Six maps").await?).await?;
    repo.write("all.yaml", Some(&config_map("m0", "2")))?;
    let commit = repo.push("One map").await?;

    let message = says(&space, "it waits", ConditionStatus::False, Reason::PruneNeedsConfirmation).await?;
    let maps = space.api::<ConfigMap>();
    assert!(maps.get_opt("m5").await?.is_some(), "nothing goes before the confirmation");
    let token = message
        .split_once("confirm-prune=")
        .and_then(|(_, rest)| rest.split_once(':'))
        .map(|(token, _)| token);
    let token = token.ok_or_else(|| anyhow::anyhow!("no token in {message}"))?;
    space
        .patch::<ConfigRepo>(
            "config",
            json!({"metadata": {"annotations": {"keelway.dev/confirm-prune": token}}}),
        )
        .await?;
    applied(&space, &commit).await?;
    assert!(maps.get_opt("m5").await?.is_none());
    assert!(maps.get_opt("m0").await?.is_some());
    repo.done()?;
    space.done().await
}

#[tokio::test]
async fn what_somebody_changes_is_set_back_within_two_seconds() -> anyhow::Result<()> {
    let (space, repo) = begin("config-drift", "").await?;
    repo.write("a.yaml", Some(&config_map("a", "git")))?;
    let free = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: free, annotations: {keelway.dev/drift: ignore}}\ndata: {key: git}\n";
    repo.write("free.yaml", Some(free))?;
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: git}\n";
    repo.write("secret.yaml", Some(secret))?;
    applied(&space, &repo.push("Three objects").await?).await?;
    let maps = space.api::<ConfigMap>();
    let limit = Duration::from_secs(2);

    let theirs =
        json!({"data": {"key": "hand", "theirs": "stays"}, "metadata": {"labels": {"theirs": "stays"}}});
    space.patch::<ConfigMap>("a", theirs.clone()).await?;
    space.patch::<ConfigMap>("free", theirs).await?;
    eventually("the data is git's again", limit, || async {
        let data = maps.get("a").await?.data.unwrap_or_default();
        anyhow::ensure!(data.get("theirs").is_some_and(|value| value == "stays"), "a foreign key went");
        Ok((data.get("key").is_some_and(|value| value == "git")).then_some(()))
    })
    .await?;

    space
        .patch::<ConfigMap>("a", json!({"metadata": {"labels": {"keelway.dev/config-repo-uid": null}}}))
        .await?;
    eventually("our label is back", limit, || async {
        Ok(maps
            .get("a")
            .await?
            .metadata
            .labels
            .unwrap_or_default()
            .contains_key("keelway.dev/config-repo-uid")
            .then_some(()))
    })
    .await?;

    maps.delete("a", &DeleteParams::default()).await?;
    eventually("the map is back", limit, || async { Ok(maps.get_opt("a").await?.map(|_| ())) }).await?;

    space.patch::<Secret>("s", json!({"stringData": {"key": "hand"}})).await?;
    eventually("the secret is git's again", limit, || async {
        let data = space.api::<Secret>().get("s").await?.data.unwrap_or_default();
        Ok(data.get("key").is_some_and(|value| value.0 == b"git").then_some(()))
    })
    .await?;
    assert_eq!(maps.get("free").await?.data.unwrap_or_default().get("key").map(String::as_str), Some("hand"));
    repo.done()?;
    space.done().await
}

#[tokio::test]
async fn two_config_repos_never_fight_over_an_object() -> anyhow::Result<()> {
    let (space, repo) = begin("config-claims", "").await?;
    repo.write("a.yaml", Some(&config_map("a", "1")))?;
    let commit = repo.push("One map").await?;
    applied(&space, &commit).await?;
    space
        .apply(&format!(
            "apiVersion: keelway.dev/v1alpha1\nkind: ConfigRepo\nmetadata: {{name: second}}\nspec:\n  url: {}\n  \
             secretRef: {{name: git}}\n  serviceAccountName: deployer\n",
            repo.url
        ))
        .await?;
    let message = space
        .until("the second is refused", "second", 30, |repo: &ConfigRepo| {
            let conditions = &repo.status.as_ref()?.conditions;
            let ready = conditions.iter().find(|c| c.type_ == ConditionType::Ready)?;
            (ready.reason == Reason::OwnedByAnother).then(|| ready.message.clone())
        })
        .await?;
    assert!(
        message.starts_with("a.yaml:1: ") && message.contains(&format!("ConfigRepo {}/config", space.name)),
        "{message}"
    );
    let before = space.api::<ConfigMap>().get("a").await?.metadata.resource_version;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(space.api::<ConfigMap>().get("a").await?.metadata.resource_version, before, "nobody writes");
    applied(&space, &commit).await?;
    repo.done()?;
    space.done().await
}

#[tokio::test]
async fn deleting_a_config_repo_deletes_or_keeps_what_it_applied() -> anyhow::Result<()> {
    let (space, repo) = begin("config-delete", "  deletionPolicy: Delete\n").await?;
    repo.write("a.yaml", Some(&config_map("a", "1")))?;
    applied(&space, &repo.push("One map").await?).await?;
    let repos = space.api::<ConfigRepo>();
    repos.delete("config", &DeleteParams::default()).await?;
    space.until_gone::<ConfigRepo>("config", 20).await?;
    assert!(space.api::<ConfigMap>().get_opt("a").await?.is_none());

    space
        .apply(&format!(
            "apiVersion: keelway.dev/v1alpha1\nkind: ConfigRepo\nmetadata: {{name: config}}\nspec:\n  url: {}\n  \
             secretRef: {{name: git}}\n  serviceAccountName: deployer\n  deletionPolicy: Delete\n",
            repo.url
        ))
        .await?;
    says(&space, "it is applied again", ConditionStatus::True, Reason::Applied).await?;
    e2e::kubectl::kubectl(&["delete", "serviceaccount", "deployer", "-n", &space.name]).await?;
    repos.delete("config", &DeleteParams::default()).await?;
    space.until_gone::<ConfigRepo>("config", 20).await?;
    assert!(space.api::<ConfigMap>().get_opt("a").await?.is_some(), "without its account nothing is deleted");
    repo.done()?;
    space.done().await
}

#[tokio::test]
async fn an_idle_config_repo_writes_nothing() -> anyhow::Result<()> {
    let (space, repo) = begin("config-idle", "").await?;
    repo.write("a.yaml", Some(&config_map("a", "1")))?;
    applied(&space, &repo.push("One map").await?).await?;
    let version = async || -> anyhow::Result<_> {
        let repo = space.api::<ConfigRepo>().get("config").await?.metadata.resource_version;
        Ok((repo, space.api::<ConfigMap>().get("a").await?.metadata.resource_version))
    };
    let before = version().await?;
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(begun.elapsed() > Duration::from_secs(6), "three intervals went by");
    assert_eq!(version().await?, before);
    repo.done()?;
    space.done().await
}

#[tokio::test]
async fn an_object_that_exists_already_is_adopted() -> anyhow::Result<()> {
    let (space, repo) = begin("config-adopt", "").await?;
    let map: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "a"}, "data": {"key": "hand", "more": "stays"}}))?;
    space.api::<ConfigMap>().create(&PostParams::default(), &map).await?;
    repo.write("a.yaml", Some(&config_map("a", "git")))?;
    applied(&space, &repo.push("One map").await?).await?;
    let data = space.api::<ConfigMap>().get("a").await?.data.unwrap_or_default();
    assert_eq!((data["key"].as_str(), data["more"].as_str()), ("git", "stays"));
    let theirs = kube::api::Patch::Merge(json!({"data": {"more": "changed"}}));
    space.api::<ConfigMap>().patch("a", &PatchParams::default(), &theirs).await?;
    repo.done()?;
    space.done().await
}
