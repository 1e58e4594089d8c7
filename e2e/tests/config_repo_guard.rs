//! Nothing goes, and nothing goes back, without positive evidence.

use crds::{ConditionStatus, ConfigRepo, Reason};
use e2e::Space;
use e2e::config_repo::{applied, begin, config_map, says};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

#[tokio::test]
async fn what_a_commit_adds_makes_the_loss_of_the_rest_no_smaller() -> anyhow::Result<()> {
    let (space, repo) = begin("guard-swap", "").await?;
    let maps = |prefix: &str, count: u32| -> String {
        (0..count).map(|n| format!("---\n{}", config_map(&format!("{prefix}{n}"), "1"))).collect()
    };
    repo.write("all.yaml", Some(&maps("old", 4)))?;
    applied(&space, &repo.push("Four maps").await?).await?;
    repo.write("all.yaml", Some(&maps("new", 20)))?;
    repo.push("Twenty others").await?;
    says(&space, "it waits", ConditionStatus::False, Reason::PruneNeedsConfirmation).await?;
    let there = space.api::<ConfigMap>();
    assert!(there.get_opt("old3").await?.is_some() && there.get_opt("new19").await?.is_some());
    repo.done()?;
    space.done().await
}

#[tokio::test]
async fn one_empty_folder_of_two_is_an_error() -> anyhow::Result<()> {
    let (space, repo) = begin("guard-empty", "  paths: [apps, infra]\n").await?;
    repo.write("apps/a.yaml", Some(&config_map("a", "1")))?;
    repo.write("infra/b.yaml", Some(&config_map("b", "1")))?;
    applied(&space, &repo.push("Two folders").await?).await?;
    repo.write("infra/b.yaml", None)?;
    repo.write("infra/README.md", Some("nothing here"))?;
    repo.push("An empty one").await?;
    let message = says(&space, "it is refused", ConditionStatus::False, Reason::PathEmpty).await?;
    assert!(message.contains("infra holds no object"), "{message}");
    assert!(space.api::<ConfigMap>().get_opt("b").await?.is_some());
    repo.done()?;
    space.done().await
}

/// A Deployment of one container, which no test waits for.
fn deployment(space: &Space, label: &str, owner: &serde_json::Value) -> anyhow::Result<Deployment> {
    Ok(serde_json::from_value(json!({
        "metadata": {"name": "theirs", "namespace": space.name, "ownerReferences": [owner]},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"a": label}}, "template": {
            "metadata": {"labels": {"a": label}}, "spec": {"containers": [{"name": "a", "image": "none"}]}}}
    }))?)
}

#[tokio::test]
async fn recreate_takes_nothing_that_is_somebody_elses() -> anyhow::Result<()> {
    let (space, repo) = begin("guard-recreate", "").await?;
    let map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "owner"}}))?;
    let owner = space.api::<ConfigMap>().create(&PostParams::default(), &map).await?;
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "controller": true,
        "uid": owner.metadata.uid});
    let theirs = space
        .api::<Deployment>()
        .create(&PostParams::default(), &deployment(&space, "theirs", &reference)?)
        .await?;
    let mut ours = serde_json::to_value(deployment(&space, "ours", &reference)?)?;
    ours["apiVersion"] = "apps/v1".into();
    ours["kind"] = "Deployment".into();
    ours["metadata"] = json!({"name": "theirs", "annotations": {"keelway.dev/recreate": "enabled"}});
    repo.write("d.json", Some(&ours.to_string()))?;
    repo.push("The same name").await?;
    let message = says(&space, "it is refused", ConditionStatus::False, Reason::OwnedByAnother).await?;
    assert!(message.contains("ConfigMap owner"), "{message}");
    assert_eq!(space.api::<Deployment>().get("theirs").await?.metadata.uid, theirs.metadata.uid);
    repo.done()?;
    space.done().await
}

#[tokio::test]
async fn a_prune_that_is_refused_does_not_put_the_old_commit_back() -> anyhow::Result<()> {
    let (space, repo) = begin("guard-late", "").await?;
    for name in ["a", "b", "c", "d"] {
        repo.write(&format!("{name}.yaml"), Some(&config_map(name, "1")))?;
    }
    applied(&space, &repo.push("Four maps").await?).await?;
    may_not_delete(&space).await?;
    repo.write("a.yaml", Some(&config_map("a", "2")))?;
    repo.write("d.yaml", None)?;
    repo.push("One changed, one gone").await?;
    says(&space, "the prune is refused", ConditionStatus::False, Reason::Forbidden).await?;
    let maps = space.api::<ConfigMap>();
    let before = maps.get("a").await?;
    assert_eq!(before.data.clone().unwrap_or_default()["key"], "2");
    // A look that is asked for changes nothing: neither commit is put over the other.
    space
        .patch::<ConfigRepo>(
            "config",
            json!({"metadata": {"annotations": {"keelway.dev/reconcile-at": "now"}}}),
        )
        .await?;
    space
        .until("the look", "config", 30, |repo: &ConfigRepo| {
            (repo.status.as_ref()?.last_handled_reconcile_at.as_deref() == Some("now")).then_some(())
        })
        .await?;
    assert_eq!(maps.get("a").await?.metadata.resource_version, before.metadata.resource_version);
    assert!(maps.get_opt("d").await?.is_some());
    // Nor does a refused commit after it bring the first one back: parts of the second stand.
    repo.write("b.yaml", Some("apiVersion: v1\nkind: ConfigMap\n"))?;
    repo.push("A slip").await?;
    let message = says(&space, "the slip is told", ConditionStatus::False, Reason::InvalidManifest).await?;
    assert!(!message.contains("stays in force"), "{message}");
    assert_eq!(maps.get("a").await?.metadata.resource_version, before.metadata.resource_version);
    repo.done()?;
    space.done().await
}

/// Takes the right to delete from the account.
async fn may_not_delete(space: &Space) -> anyhow::Result<()> {
    let role: Role =
        serde_json::from_value(json!({"metadata": {"name": "careful"}, "rules": [{"apiGroups": [""],
        "resources": ["configmaps"], "verbs": ["get", "list", "watch", "create", "update", "patch"]}]}))?;
    space.api::<Role>().create(&PostParams::default(), &role).await?;
    let subject = json!({"kind": "ServiceAccount", "name": "deployer", "namespace": space.name});
    let binding: RoleBinding =
        serde_json::from_value(json!({"metadata": {"name": "careful"}, "subjects": [subject],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "careful"}}))?;
    space.api::<RoleBinding>().create(&PostParams::default(), &binding).await?;
    space.api::<RoleBinding>().delete("deployer", &DeleteParams::default()).await?;
    Ok(())
}
