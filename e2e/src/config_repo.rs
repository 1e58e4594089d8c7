//! ConfigRepos in tests: one of a new repository, and what it says.

use crds::{ConditionStatus, ConditionType, ConfigRepo, Reason};

use crate::{GitHost, Repo, Space};

/// A ConfigRepo named `config` of a new repository, applied as `deployer`.
///
/// # Errors
/// When the cluster or the git host refuses.
pub async fn begin(test: &str, more: &str) -> anyhow::Result<(Space, Repo)> {
    let space = Space::new(test).await?;
    let host = GitHost::new()?;
    let repo = host.repo(&space.name).await?;
    space.apply(&host.secret("git")?).await?;
    space
        .apply(&format!(
            "apiVersion: keelway.dev/v1alpha1\nkind: ConfigRepo\nmetadata: {{name: config}}\nspec:\n  url: {}\n  interval: 2s\n  \
             secretRef: {{name: git}}\n  serviceAccountName: deployer\n{more}",
            repo.url
        ))
        .await?;
    Ok((space, repo))
}

/// A ConfigMap with one key.
pub fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: \"{value}\"}}\n")
}

/// Waits until Ready says this, and returns its message.
///
/// # Errors
/// When it does not say so in a minute; what it says instead is named.
pub async fn says(
    space: &Space,
    what: &str,
    status: ConditionStatus,
    reason: Reason,
) -> anyhow::Result<String> {
    space
        .until(what, "config", 60, |repo: &ConfigRepo| {
            let conditions = &repo.status.as_ref()?.conditions;
            let ready = conditions.iter().find(|c| c.type_ == ConditionType::Ready)?;
            (ready.status == status && ready.reason == reason).then(|| ready.message.clone())
        })
        .await
}

/// Waits until this commit is applied and Ready.
///
/// # Errors
/// When it is not in a minute.
pub async fn applied(space: &Space, commit: &str) -> anyhow::Result<()> {
    space
        .until("the commit is applied", "config", 60, |repo: &ConfigRepo| {
            let status = repo.status.as_ref()?;
            let ready = status.conditions.iter().find(|c| c.type_ == ConditionType::Ready)?;
            let last = status.last_applied.as_ref()?;
            (last.sha == commit && ready.status == ConditionStatus::True).then_some(())
        })
        .await
}
