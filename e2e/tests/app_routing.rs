//! What an App asks of the router is done within moments and makes no release; a host that two ask for goes to the older;
//! the routers themselves are replaced under load without a failed request.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crds::{ConditionType, Environment};
use e2e::kubectl::kubectl;
use e2e::traffic::{Visitors, request};
use e2e::{Space, eventually, hello, runs, setting};

/// The name under which this test's App is known, and no other's.
const HOST: &str = "routing.example.com";

fn app(name: &str, routing: &str) -> anyhow::Result<String> {
    Ok(format!(
        "apiVersion: keelway.dev/v1alpha1\nkind: App\nmetadata: {{name: {name}}}\nspec:\n  image: {}\n  domains: [{{name: {HOST}}}]\n  \
         routing: {routing}\n  processes: [{{name: web, size: nano, readiness: {{path: /healthz, periodSeconds: 1}}}}]\n  \
         env: [{{name: TEXT, value: {name}}}]\n",
        hello("1")?
    ))
}

/// Waits until the router answers like this; a refusal's text is the error's.
async fn answers(router: SocketAddr, like: &str) -> anyhow::Result<()> {
    eventually(&format!("the answer is {like:?}"), Duration::from_secs(20), || async {
        let answer = request(router, HOST).await.unwrap_or_else(|error| format!("{error:#}"));
        Ok(answer.contains(like).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_router_does_as_the_app_says() -> anyhow::Result<()> {
    let space = Space::new("routing").await?;
    let router = SocketAddr::from((Ipv4Addr::LOCALHOST, setting("FRONT_PORT")?.parse()?));
    space.apply(&app("first", "{}")?).await?;
    space.until("v1 runs", "first", 60, runs("v1 ")).await?;
    answers(router, "first").await?;

    space.apply(&app("first", "{maintenance: {allow: [203.0.113.0/24]}}")?).await?;
    answers(router, "x-keelway-code: H80").await?;
    // Of no password that anybody knows: everybody stays outside.
    let hash = "$2y$04$abcdefghijklmnopqrstuuJ5lJ1JTXBqfNNlHlVUQO2fn0Wt7PZ7K";
    space.apply(&app("first", &format!("{{basicAuth: [{{user: team, hash: '{hash}'}}]}}"))?).await?;
    answers(router, "www-authenticate: Basic realm=").await?;
    space.apply(&app("first", "{rateLimit: {requests: 1, per: 1h}}")?).await?;
    answers(router, "x-keelway-code: H22").await?;
    let bad = space.apply(&app("first", "{basicAuth: [{user: team, hash: secret}]}")?).await;
    let words = format!("{:#}", bad.err().ok_or_else(|| anyhow::anyhow!("a password in clear was taken"))?);
    assert!(words.contains("spec.routing.basicAuth[0].hash"), "{words}");
    space.apply(&app("first", "{}")?).await?;
    answers(router, "first").await?;
    space.until("it is still v1", "first", 10, runs("v1 ")).await?;

    space.apply(&app("second", "{}")?).await?;
    space.until("the second runs", "second", 60, runs("v1 ")).await?;
    let taken = |environment: &Environment| {
        let status = environment.status.as_ref()?;
        let taken = status.conditions.iter().find(|condition| condition.type_ == ConditionType::HostTaken)?;
        Some(taken.message.clone())
    };
    let words = space.until("it is told", "second-production", 20, taken).await?;
    assert!(words.contains(&format!("{HOST} leads to the older Environment first-production")), "{words}");
    answers(router, "first").await?;

    let visitors = Visitors::of(router, HOST, 4);
    let routers = "deployment/keelway-router";
    kubectl(&["rollout", "restart", routers, "-n", "keelway-system"]).await?;
    kubectl(&["rollout", "status", routers, "-n", "keelway-system", "--timeout=180s"]).await?;
    eventually("the old routers are gone", Duration::from_secs(60), || async {
        let pods = kubectl(&[
            "get",
            "pods",
            "-n",
            "keelway-system",
            "-l",
            "app.kubernetes.io/component=router",
            "-o",
            "name",
        ]);
        Ok((pods.await?.lines().count() == 2).then_some(()))
    })
    .await?;
    let seen = visitors.back().await?;
    println!("{} requests while both routers were replaced, {} failed", seen.answers, seen.failures.len());
    assert!(seen.failures.is_empty(), "{:#?}", seen.failures);

    kubectl(&["delete", "app", "first", "-n", &space.name, "--wait"]).await?;
    answers(router, "second").await?;
    space.done().await
}
