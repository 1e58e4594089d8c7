//! What git no longer names goes, and old releases go with it.

use crds::Release;
use e2e::{Space, hello, runs};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::Service;

fn app(processes: &str, more: &str) -> anyhow::Result<String> {
    Ok(format!(
        "apiVersion: keelway.dev/v1alpha1\nkind: App\nmetadata: {{name: shop}}\nspec:\n  image: {}\n  rollout: {{deadline: 60s, keepReleases: 2}}\n  \
         processes: {processes}\n{more}",
        hello("1")?
    ))
}

#[tokio::test]
async fn processes_jobs_and_releases_go_when_they_are_no_longer_wanted() -> anyhow::Result<()> {
    let space = Space::new("cleanup").await?;
    let all = "[{name: web, size: nano}, {name: queue, size: nano, command: [/hello, worker]}, \
               {name: worker, size: nano, singleton: true, command: [/hello, worker]}]";
    let job = "  jobs: [{name: report, schedule: \"0 0 1 1 *\", size: nano, command: [/hello, job]}]\n";
    space.apply(&app(all, job)?).await?;
    space.until("v1 runs", "shop", 90, runs("v1 ")).await?;
    let queue: Deployment = space.api().get("shop-production-queue").await?;
    space.api::<Service>().get("shop-production-web").await?;
    space.api::<StatefulSet>().get("shop-production-worker").await?;
    space.api::<CronJob>().get("shop-production-report").await?;

    let less = "[{name: queue, size: nano, command: [/hello, worker]}]";
    space.apply(&app(less, "")?).await?;
    space.until("v2 runs", "shop", 60, runs("v2 ")).await?;
    space.until_gone::<Deployment>("shop-production-web", 30).await?;
    space.until_gone::<Service>("shop-production-web", 30).await?;
    space.until_gone::<StatefulSet>("shop-production-worker", 30).await?;
    space.until_gone::<CronJob>("shop-production-report", 30).await?;
    let kept: Deployment = space.api().get("shop-production-queue").await?;
    assert_eq!(kept.metadata.uid, queue.metadata.uid, "what stays is not made anew");

    space.apply(&app(less, "  env: [{name: TEXT, value: three}]\n")?).await?;
    space.until("v3 runs", "shop", 60, runs("v3 ")).await?;
    space.until_gone::<Release>("shop-production-v1", 30).await?;
    space.api::<Release>().get("shop-production-v2").await?;
    space.done().await
}
