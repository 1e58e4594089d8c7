//! Releases on real pods: what fails is rolled back with words that tell why, and what is asked for again is tried again.

use crds::{App, Condition, ConditionType, Release};
use e2e::{Space, hello, runs};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

/// An App with one small, quick `web` and these further lines of its spec.
fn app(lines: &str) -> anyhow::Result<String> {
    Ok(format!(
        "apiVersion: keelway.dev/v1alpha1\nkind: App\nmetadata: {{name: shop}}\nspec:\n  image: {}\n  rollout: {{deadline: 12s}}\n{lines}\n",
        hello("1")?
    ))
}

fn web(env: &str) -> anyhow::Result<String> {
    app(&format!(
        "  processes: [{{name: web, size: nano, readiness: {{path: /healthz, periodSeconds: 1}}}}]\n  env: [{env}]"
    ))
}

fn condition(app: &App, type_: ConditionType) -> Option<&Condition> {
    app.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == type_)
}

/// The message of the Ready condition once it holds all of these words.
fn says(words: &'static [&'static str]) -> impl Fn(&App) -> Option<String> {
    move |app| {
        let message = &condition(app, ConditionType::Ready)?.message;
        words.iter().all(|word| message.contains(word)).then(|| message.clone())
    }
}

#[tokio::test]
async fn a_crash_is_rolled_back_to_the_very_same_pods_and_told_with_its_log() -> anyhow::Result<()> {
    let space = Space::new("crash").await?;
    space
        .apply("apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {token: s3cr3t-t0ken}")
        .await?;
    let token = "{name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: token}}}";
    space.apply(&web(token)?).await?;
    space.until("v1 runs", "shop", 60, runs("v1 ")).await?;
    let pods = space.api::<Pod>().list(&ListParams::default()).await?;
    let before = pods.items[0].metadata.uid.clone();

    // It quotes the Secret's value in its log on purpose.
    space.apply(&web(&format!("{token}, {{name: FAIL_START, value: no s3cr3t-t0ken today}}"))?).await?;
    let words =
        &["v2 is held", "v3", "goes on running", "exit code 1", "FAIL_START is set", "[redacted] today"];
    let message = space.until("it is rolled back", "shop", 60, says(words)).await?;
    assert!(!message.contains("s3cr3t"), "{message}");
    let after = space.api::<Pod>().list(&ListParams::default()).await?;
    assert!(
        after.items.iter().any(|pod| pod.metadata.uid == before),
        "the old pod must not have been restarted"
    );
    let sets = space.api::<ReplicaSet>().list(&ListParams::default()).await?;
    assert_eq!(sets.items.len(), 2, "a rollback brings the old ReplicaSet back");

    space.patch::<App>("shop", json!({"metadata": {"annotations": {"keelway.dev/retry-at": "now"}}})).await?;
    space.until("it is tried again", "shop-production-v4", 30, |_: &Release| Some(())).await?;
    space.apply(&web(&format!("{token}, {{name: TEXT, value: mended}}"))?).await?;
    space
        .until("the commit that mends it is not held", "shop", 60, |app: &App| {
            let ready = condition(app, ConditionType::Ready)?;
            (ready.reason == crds::Reason::Running).then_some(())
        })
        .await?;
    space.done().await
}

#[tokio::test]
async fn each_failure_has_words_of_its_own() -> anyhow::Result<()> {
    let space = Space::new("words").await?;
    space.apply(&web("{name: READY_FAIL, value: \"1\"}")?).await?;
    space.until("the probe is named", "shop", 60, says(&["readiness probe"])).await?;
    space.apply(&web("{name: OOM, value: \"512\"}")?).await?;
    space.until("memory is named", "shop", 60, says(&["more memory than its limit"])).await?;
    let missing = web("")?.replace("hello:1", &format!("hello@sha256:{}", "0".repeat(64)));
    space.apply(&missing).await?;
    space.until("the pull is named", "shop", 60, says(&["cannot pull the image"])).await?;
    space.apply(&web("")?.replace("hello:1", "hello:absent")).await?;
    space.until("the tag is named", "shop", 60, says(&["has no tag `absent`", "keelway/hello"])).await?;
    space.apply(&web("{name: A, valueFrom: {secretKeyRef: {name: gone, key: a}}}")?).await?;
    space.until("the Secret is named", "shop", 60, says(&["Secret `gone` is missing; create it"])).await?;
    space.done().await
}

#[tokio::test]
async fn a_release_command_runs_once_and_its_failure_keeps_the_old_release() -> anyhow::Result<()> {
    let space = Space::new("command").await?;
    let with = |env: &str| {
        app(&format!(
            "  release: {{command: [/hello, migrate], size: nano}}\n  processes: [{{name: web, size: nano}}]\n  env: [{env}]"
        ))
    };
    space.apply(&with("")?).await?;
    space.until("v1 runs", "shop", 60, runs("v1 ")).await?;
    let first: Release = space.api().get("shop-production-v1").await?;
    let outcome = first.status.and_then(|status| status.command).expect("an outcome");
    assert!(outcome.succeeded && outcome.log.unwrap_or_default().contains("migrated"));

    space.apply(&with("{name: MIGRATE_FAIL, value: no table users}")?).await?;
    let words = &["v2 is held", "goes on running", "exit code 1", "no table users"];
    space.until("the failure is told", "shop", 60, says(words)).await?;
    let deployment: Deployment = space.api().get("shop-production-web").await?;
    let labels = deployment.metadata.labels.unwrap_or_default();
    assert_eq!(labels["keelway.dev/release"], "v1");
    assert_eq!(space.api::<Job>().list(&ListParams::default()).await?.items.len(), 2);
    space.done().await
}

#[tokio::test]
async fn a_changed_secret_rolls_the_pods() -> anyhow::Result<()> {
    let space = Space::new("secret").await?;
    let secret = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{a: {value}, unused: {value}}}"
        )
    };
    space.apply(&secret("one")).await?;
    space.apply(&web("{name: A, valueFrom: {secretKeyRef: {name: keys, key: a}}}")?).await?;
    space.until("v1 runs", "shop", 60, runs("v1 ")).await?;
    space.apply(&secret("two")).await?;
    space.until("v2 runs", "shop", 60, runs("v2 ")).await?;
    let second: Release = space.api().get("shop-production-v2").await?;
    assert_eq!(second.spec.why, "a Secret or ConfigMap that it reads changed");
    space.done().await
}

#[tokio::test]
async fn scaling_by_hand_is_honoured_until_git_changes_the_number() -> anyhow::Result<()> {
    let space = Space::new("scale").await?;
    let with = |replicas: u8, text: &str| {
        app(&format!(
            "  processes: [{{name: web, size: nano, replicas: {replicas}}}]\n  env: [{{name: TEXT, value: {text}}}]"
        ))
    };
    space.apply(&with(1, "a")?).await?;
    space.until("v1 runs", "shop", 60, runs("v1 ")).await?;
    e2e::kubectl::kubectl(&["scale", "deployment/shop-production-web", "--replicas=2", "-n", &space.name])
        .await?;
    space.apply(&with(1, "b")?).await?;
    space.until("v2 runs", "shop", 60, runs("v2 ")).await?;
    let replicas = |deployment: &Deployment| deployment.spec.as_ref().and_then(|spec| spec.replicas);
    let deployment: Deployment = space.api().get("shop-production-web").await?;
    assert_eq!(replicas(&deployment), Some(2));
    space.apply(&with(3, "b")?).await?;
    let three = |deployment: &Deployment| (replicas(deployment) == Some(3)).then_some(());
    space.until("git's number wins", "shop-production-web", 30, three).await?;
    space.done().await
}

#[tokio::test]
async fn deleting_the_app_removes_what_it_made_and_nothing_else() -> anyhow::Result<()> {
    let space = Space::new("delete").await?;
    space.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine}\ndata: {a: b}").await?;
    space.apply(&web("{name: A, valueFrom: {configMapKeyRef: {name: mine, key: a}}}")?).await?;
    space.until("v1 runs", "shop", 60, runs("v1 ")).await?;
    space.api::<App>().delete("shop", &DeleteParams::default()).await?;
    space.until_gone::<Deployment>("shop-production-web", 30).await?;
    space.until_gone::<Service>("shop-production-web", 30).await?;
    space.until_gone::<Release>("shop-production-v1", 30).await?;
    assert!(space.api::<k8s_openapi::api::core::v1::ConfigMap>().get_opt("mine").await?.is_some());
    space.done().await
}

#[tokio::test]
async fn a_deployment_of_somebody_else_is_left_alone_and_told_of() -> anyhow::Result<()> {
    let space = Space::new("taken").await?;
    let theirs = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: shop-production-web}}\nspec:\n  replicas: 0\n  selector: {{matchLabels: {{a: b}}}}\n  \
         template: {{metadata: {{labels: {{a: b}}}}, spec: {{containers: [{{name: theirs, image: {}}}]}}}}\n",
        hello("1")?
    );
    space.apply(&theirs).await?;
    let before: Deployment = space.api().get("shop-production-web").await?;
    space.apply(&web("")?).await?;
    let message =
        space.until("it says so", "shop", 60, says(&["shop-production-web", "is there already"])).await?;
    assert!(message.contains("delete it"), "{message}");
    let after: Deployment = space.api().get("shop-production-web").await?;
    assert_eq!((before.spec, before.metadata.labels), (after.spec, after.metadata.labels));

    space.api::<Deployment>().delete("shop-production-web", &DeleteParams::default()).await?;
    space.until("then it runs", "shop", 90, runs("v1 ")).await?;
    space.done().await
}
