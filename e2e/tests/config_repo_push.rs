//! A push notification means "look now"; a forged one means nothing.

use std::time::{Duration, Instant};

use crds::ConfigRepo;
use e2e::kubectl::{kubectl, run};
use e2e::{GitHost, Space};

/// The addresses of the operator's replicas, `ip:port`: the leader's and the standby's.
async fn replicas() -> anyhow::Result<Vec<String>> {
    let path = "jsonpath={range .items[*]}{.status.podIP}:8080 {end}";
    let selector = "app.kubernetes.io/component=operator";
    let args = [
        "get",
        "pods",
        "-n",
        "keelway-system",
        "-l",
        selector,
        "--field-selector=status.phase=Running",
        "-o",
        path,
    ];
    Ok(kubectl(&args).await?.split_whitespace().map(str::to_owned).collect())
}

/// Posts a notification as a git host does, and returns the status of the answer.
async fn notify(space: &Space, address: &str, token: &str) -> anyhow::Result<String> {
    let url = format!("http://{address}/hooks/{}/config", space.name);
    let header = format!("X-Gitlab-Token: {token}");
    run("curl", &["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", &header, "-d", "{}", &url], None)
        .await
}

#[tokio::test]
async fn a_push_notification_is_acted_upon_at_once_and_a_forged_one_is_not() -> anyhow::Result<()> {
    let space = Space::new("config-push").await?;
    let repo = GitHost::new()?.repo(&space.name).await?;
    space.apply(&GitHost::new()?.secret("git")?).await?;
    let hook = "apiVersion: v1\nkind: Secret\nmetadata: {name: hook}\nstringData: {token: correct-horse}\n";
    space.apply(hook).await?;
    let map = |value: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{key: {value}}}\n")
    };
    repo.write("a.yaml", Some(&map("first")))?;
    let first = repo.push("First").await?;
    space
        .apply(&format!(
            "apiVersion: keelway.dev/v1alpha1\nkind: ConfigRepo\nmetadata: {{name: config}}\nspec:\n  url: {}\n  interval: 1h\n  \
             secretRef: {{name: git}}\n  serviceAccountName: deployer\n  webhook: {{secretRef: {{name: hook}}}}\n",
            repo.url
        ))
        .await?;
    let is_applied = |repo: &ConfigRepo, commit: &str| {
        (repo.status.as_ref()?.last_applied.as_ref()?.sha == commit).then_some(())
    };
    space
        .until("the first commit is applied", "config", 60, |repo: &ConfigRepo| is_applied(repo, &first))
        .await?;

    let replicas = replicas().await?;
    anyhow::ensure!(replicas.len() >= 2, "a leader and a standby are wanted: {replicas:?}");
    let mut before = first;
    for (number, replica) in replicas.iter().enumerate() {
        repo.write("a.yaml", Some(&map(&format!("next-{number}"))))?;
        let next = repo.push("Next").await?;
        assert_eq!(notify(&space, replica, "wrong-horse").await?, "401");
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = space.api::<ConfigRepo>().get("config").await?;
        assert!(is_applied(&now, &before).is_some(), "a forged notification is not acted upon");

        let begun = Instant::now();
        assert_eq!(notify(&space, replica, "correct-horse").await?, "202");
        assert!(begun.elapsed() < Duration::from_secs(5), "the answer waits for nothing");
        space
            .until("the next commit is applied", "config", 10, |repo: &ConfigRepo| is_applied(repo, &next))
            .await?;
        before = next;
    }
    repo.done()?;
    space.done().await
}
