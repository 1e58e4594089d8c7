//! A release rolls out under load without a failed request, at its Service and through the router; a pod that dies under
//! load costs no more than what it had in hand.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crds::Environment;
use e2e::traffic::{Visitors, request};
use e2e::{Space, hello, runs, setting};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};

/// The name under which this test's App is known, and no other's.
const HOST: &str = "traffic.example.com";

fn app(text: &str) -> anyhow::Result<String> {
    Ok(format!(
        "apiVersion: keelway.dev/v1alpha1\nkind: App\nmetadata: {{name: shop}}\nspec:\n  image: {}\n  domains: [{{name: {HOST}}}]\n  processes: \
         [{{name: web, size: nano, replicas: 2, readiness: {{path: /healthz, periodSeconds: 1}}}}]\n  env: [{{name: TEXT, value: {text}}}]\n",
        hello("1")?
    ))
}

async fn answers(address: SocketAddr, text: &str) -> anyhow::Result<()> {
    e2e::eventually("the newest release answers", Duration::from_secs(20), || async {
        Ok(request(address, HOST).await?.contains(text).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_releases_roll_out() -> anyhow::Result<()> {
    let space = Space::new("traffic").await?;
    space.apply(&app("one")?).await?;
    space.until("v1 runs", "shop", 60, runs("v1 ")).await?;
    let service: Service = space.api().get("shop-production-web").await?;
    let ip = service.spec.and_then(|spec| spec.cluster_ip).unwrap_or_default();
    let direct = SocketAddr::new(ip.parse()?, 80);
    let router = SocketAddr::from((Ipv4Addr::LOCALHOST, setting("FRONT_PORT")?.parse()?));
    answers(direct, "one").await?;
    answers(router, "one").await?;
    let environment: Environment = space.api().get("shop-production").await?;
    let url = environment.status.and_then(|status| status.url);
    assert_eq!(url, Some(format!("http://{HOST}:{}", router.port())));

    let visitors = [Visitors::of(direct, HOST, 2), Visitors::of(router, HOST, 4)];
    space.apply(&app("two")?).await?;
    space.until("v2 runs", "shop", 90, runs("v2 ")).await?;
    space.apply(&app("three")?).await?;
    space.until("v3 runs", "shop", 90, runs("v3 ")).await?;
    answers(direct, "three").await?;
    answers(router, "three").await?;
    for (visitors, way) in visitors.into_iter().zip(["directly", "through the router"]) {
        let seen = visitors.back().await?;
        println!("{} requests {way}, {} failed", seen.answers, seen.failures.len());
        assert!(seen.failures.is_empty(), "{way}: {:#?}", seen.failures);
        for text in ["one", "two", "three"] {
            assert!(seen.texts.iter().any(|t| t.contains(text)), "{text} was never seen: {:?}", seen.texts);
        }
    }

    let visitors = Visitors::of(router, HOST, 4);
    let pods: Vec<Pod> =
        space.api().list(&ListParams::default().labels("keelway.dev/process=web")).await?.items;
    let victim = pods.first().map(ResourceExt::name_any).unwrap_or_default();
    space.api::<Pod>().delete(&victim, &DeleteParams::default().grace_period(0)).await?;
    space.until("v3 runs again", "shop", 90, runs("v3 ")).await?;
    e2e::eventually("another pod is ready in its place", Duration::from_secs(60), || async {
        let pods = space.api::<Pod>().list(&ListParams::default().labels("keelway.dev/process=web")).await?;
        let ready = |pod: &&Pod| {
            let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
            pod.name_any() != victim
                && conditions.into_iter().any(|c| c.type_ == "Ready" && c.status == "True")
        };
        Ok((pods.items.iter().filter(ready).count() >= 2).then_some(()))
    })
    .await?;
    let seen = visitors.back().await?;
    println!("{} requests while a pod was killed, {} failed", seen.answers, seen.failures.len());
    assert!(seen.failures.len() <= 4, "more than each visitor's one request: {:#?}", seen.failures);
    space.done().await
}
