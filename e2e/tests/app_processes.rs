//! Processes on real pods: singletons, elections, scheduled jobs, one-off runs, and what a pod may do.

use std::time::Instant;

use crds::{App, ConditionType, Run};
use e2e::{Space, hello, runs};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};

fn app(processes: &str) -> anyhow::Result<String> {
    Ok(format!(
        "apiVersion: keelway.dev/v1alpha1\nkind: App\nmetadata: {{name: shop}}\nspec:\n  image: {}\n  rollout: {{deadline: 45s}}\n  \
         processes: {processes}\n",
        hello("1")?
    ))
}

fn rolled_back(app: &App) -> Option<()> {
    let conditions = &app.status.as_ref()?.conditions;
    conditions.iter().any(|condition| condition.type_ == ConditionType::RolledBack).then_some(())
}

async fn elected(space: &Space) -> anyhow::Result<Vec<Pod>> {
    Ok(space.api::<Pod>().list(&ListParams::default().labels("keelway.dev/elected")).await?.items)
}

#[tokio::test]
async fn a_singleton_never_runs_twice_and_its_broken_release_is_rolled_back() -> anyhow::Result<()> {
    let space = Space::new("singleton").await?;
    space.apply(&app("[{name: worker, size: nano, replicas: 2, command: [/hello, worker]}]")?).await?;
    space.until("v1 runs", "shop", 60, runs("v1 ")).await?;

    let watched = tokio::spawn(watch_for_two(space.api()));
    space.apply(&app("[{name: worker, size: nano, singleton: true, command: [/hello, worker]}]")?).await?;
    space.until("the singleton runs", "shop", 120, runs("v2 ")).await?;
    space.apply(&app("[{name: worker, size: nano, singleton: true, command: [/hello, nonsense]}]")?).await?;
    space.until("the broken one is rolled back", "shop", 150, rolled_back).await?;
    let whole = |set: &StatefulSet| {
        let status = set.status.as_ref()?;
        (status.ready_replicas == Some(1) && status.current_revision == status.update_revision).then_some(())
    };
    space.until("the good one runs again", "shop-production-worker", 60, whole).await?;
    watched.abort();
    if let Ok(seen) = watched.await {
        anyhow::bail!("the singleton ran beside other pods: {seen:#?}");
    }
    space.done().await
}

/// Ends when it sees a pod of the StatefulSet beside any other pod that still runs something: a pod whose containers
/// have all ended (`Succeeded`, `Failed`) is a record, as the strategy `Recreate` of a Deployment has it too.
async fn watch_for_two(pods: kube::Api<Pod>) -> Vec<String> {
    let runs = |pod: &Pod| !matches!(phase(pod), "Succeeded" | "Failed");
    let of_set =
        |pod: &&Pod| pod.metadata.owner_references.iter().flatten().any(|owner| owner.kind == "StatefulSet");
    loop {
        let found = pods.list(&ListParams::default().labels("keelway.dev/process=worker")).await;
        let mut items = found.map(|list| list.items).unwrap_or_default();
        items.retain(runs);
        if items.len() > 1 && items.iter().any(|pod| of_set(&pod)) {
            return items.iter().map(described).collect();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

fn described(pod: &Pod) -> String {
    let meta = &pod.metadata;
    format!("{:?} {} leaves={:?}", meta.name, phase(pod), meta.deletion_timestamp)
}

#[tokio::test]
async fn another_pod_is_elected_within_five_seconds() -> anyhow::Result<()> {
    let space = Space::new("elected").await?;
    space
        .apply(&app("[{name: leader, size: nano, elected: true, replicas: 2, command: [/hello, worker]}]")?)
        .await?;
    space.until("v1 runs", "shop", 60, runs("v1 ")).await?;
    let first = e2e::eventually("one pod is elected", std::time::Duration::from_secs(10), || async {
        Ok(elected(&space).await?.pop())
    })
    .await?;
    let (name, uid) = (first.metadata.name.unwrap_or_default(), first.metadata.uid);
    assert_eq!(first.metadata.labels.unwrap_or_default().get("keelway.dev/elected"), uid.as_ref());

    let begun = Instant::now();
    space.api::<Pod>().delete(&name, &DeleteParams::default()).await?;
    e2e::eventually("another pod is elected", std::time::Duration::from_secs(5), || async {
        let now = elected(&space).await?;
        anyhow::ensure!(now.len() <= 1, "{} pods are elected at once", now.len());
        Ok(now.into_iter().find(|pod| pod.metadata.uid != uid))
    })
    .await?;
    println!("re-elected after {:?}", begun.elapsed());
    space.done().await
}

#[tokio::test]
async fn scheduled_jobs_start_and_opt_outs_show() -> anyhow::Result<()> {
    let space = Space::new("jobs").await?;
    let text = app("[{name: web, size: nano, allow: [writableRootFilesystem]}]")?;
    let jobs = "  jobs: [{name: report, schedule: \"* * * * *\", timeZone: Asia/Tokyo, size: nano, command: [/hello, job]}]\n";
    space.apply(&format!("{text}{jobs}")).await?;
    space.until("v1 runs", "shop", 60, runs("v1 ")).await?;
    let cron: CronJob = space.api().get("shop-production-report").await?;
    assert_eq!(cron.spec.and_then(|spec| spec.time_zone).as_deref(), Some("Asia/Tokyo"));
    let env: crds::Environment = space.api().get("shop-production").await?;
    let out = env.status.unwrap_or_default().opt_outs;
    assert_eq!((out[0].name.as_str(), out[0].allow.len()), ("web", 1));
    e2e::eventually("a run of the job ended well", std::time::Duration::from_secs(90), || async {
        let jobs = space.api::<Job>().list(&ListParams::default().labels("keelway.dev/job=report")).await?;
        Ok(jobs
            .items
            .iter()
            .any(|job| job.status.as_ref().is_some_and(|status| status.succeeded == Some(1)))
            .then_some(()))
    })
    .await?;
    space.done().await
}

#[tokio::test]
async fn a_one_off_run_has_the_live_releases_variables_and_keeps_its_outcome() -> anyhow::Result<()> {
    let space = Space::new("run").await?;
    space
        .apply(&format!(
            "{}  env: [{{name: MIGRATE_FAIL, value: on purpose}}]\n",
            app("[{name: web, size: nano}]")?
        ))
        .await?;
    space.until("v1 runs", "shop", 60, runs("v1 ")).await?;
    let run = |name: &str, command: &str| {
        format!(
            "apiVersion: keelway.dev/v1alpha1\nkind: Run\nmetadata: {{name: {name}}}\nspec: {{environmentRef: {{name: shop-production}}, \
             size: nano, ttl: 20s, command: [/hello, {command}]}}\n"
        )
    };
    space.apply(&run("good", "job")).await?;
    space.apply(&run("bad", "migrate")).await?;
    let ended = |run: &Run| run.status.clone().filter(|status| status.finished.is_some());
    let good = space.until("it ends", "good", 60, ended).await?;
    assert_eq!((good.exit_code, good.release), (Some(0), Some(1)));
    let bad = space.until("it ends", "bad", 60, ended).await?;
    assert_eq!(bad.exit_code, Some(1));
    assert!(bad.log.unwrap_or_default().contains("on purpose"));
    space.until_gone::<Run>("good", 60).await?;
    space.until_gone::<Job>("good", 30).await?;
    space.done().await
}
