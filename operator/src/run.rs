//! The life of the process, in named steps: connect, watch, serve, lead, stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::apply::{Fence, Writer, write_client};
use crate::context::Context;
use crate::controllers::config_repo::ConfigRepos;
use crate::controllers::{self, Queues};
use crate::lease::Elector;
use crate::metrics::Metrics;
use crate::server::{self, Health};
use crate::settings::Settings;
use crate::sources::{Registries, Stores, Sync, Watches, load_sizes};
use crate::webhook::Receiver;

/// Runs the operator until `stop` or until it loses the lease.
///
/// # Errors
/// No connection to the API server, an address that cannot be listened on, or a lost lease: the process ends then,
/// and starts anew as a standby.
pub async fn run(settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let identity = settings.identity.clone().unwrap_or_else(random_identity);
    let config = connect().await?;
    let (context, fence) = assemble(settings, &config, &identity)?;
    let repos = ConfigRepos::new(&context, git_client(&context.settings)?);
    let watches = watch(&context);
    let sync = watches.sync();
    let serving = CancellationToken::new();
    let server = listen(&context, &repos, sync.clone(), serving.clone()).await?;

    let mut elector = Elector::new(
        context.client.clone(),
        &context.settings.namespace,
        identity,
        context.settings.lease_duration,
        fence,
        context.metrics.clone(),
    )
    .serving_at(context.settings.address.map(|ip| SocketAddr::new(ip, context.settings.listen.port())));
    let led = if elector.acquire(&stop).await {
        lead(&context, &repos, &mut elector, &sync, &stop).await
    } else {
        Ok(())
    };
    serving.cancel();
    server.await.context("the server ended")??;
    drop(watches);
    led
}

/// The git client, which dials public addresses and what the settings allow.
fn git_client(settings: &Settings) -> anyhow::Result<Arc<dyn git::Git>> {
    let mut policy =
        git::AddressPolicy { allow_http: settings.plain_http_git, ..git::AddressPolicy::default() };
    for range in &settings.allow_ranges {
        let range = range.trim().parse().with_context(|| {
            format!("--allow-range {range:?} is no range of addresses; write it as 10.0.0.0/8 or fd00::/8")
        })?;
        policy.allow_networks.push(range);
    }
    let client = git::Client::new(settings.data.join("git"), policy).with_context(|| {
        format!("the folder {} cannot be used; choose another by --data", settings.data.display())
    })?;
    Ok(Arc::new(client))
}

/// How the API server is reached: the kubeconfig, or the pod's own service account.
async fn connect() -> anyhow::Result<Config> {
    let mut config = Config::infer()
        .await
        .context("no cluster is configured; set KUBECONFIG, or run in a pod with a service account")?;
    // Reads are repeated by the watches and the queues, each with its own patience.
    config.default_retry = false;
    Ok(config)
}

fn assemble(settings: Settings, config: &Config, identity: &str) -> anyhow::Result<(Context, Fence)> {
    let fence = Fence::guarded().context("the system grants no timer to end the lease with")?;
    let metrics = Metrics::new();
    let stores = Arc::new(Stores::new());
    let client = Client::try_from(config.clone()).context("the cluster's configuration is not usable")?;
    let writing = write_client(config, fence.clone(), settings.request_timeout)
        .context("the cluster's configuration is not usable")?;
    let writer = Writer::new(
        client.clone(),
        writing,
        fence.clone(),
        metrics.clone(),
        stores.observer(),
        identity,
        settings.request_timeout,
    );
    let context = Context {
        client,
        writer,
        stores,
        queues: Queues::default(),
        metrics,
        sizes: Arc::new(load_sizes(settings.sizes.as_deref())?),
        public: settings.public_url.clone(),
        registries: Registries::new(&settings)?,
        settings: Arc::new(settings),
        now: Timestamp::now,
    };
    Ok((context, fence))
}

fn watch(context: &Context) -> Watches {
    let mut watches = Watches::new(context.metrics.clone());
    context.stores.watch(&mut watches, &context.client, &context.queues);
    watches
}

async fn listen(
    context: &Context,
    repos: &ConfigRepos,
    sync: Sync,
    stop: CancellationToken,
) -> anyhow::Result<tokio::task::JoinHandle<std::io::Result<()>>> {
    let address = context.settings.listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another by --listen"))?;
    info!(%address, "serves health, metrics and webhooks");
    let hooks = Receiver::new(context.clone(), repos.clone()).routes();
    let routes = server::routes(Health { sync, metrics: context.metrics.clone() }).merge(hooks);
    Ok(tokio::spawn(server::serve(listener, routes, stop)))
}

/// Why leading ends.
enum End {
    Stop,
    Lost,
}

/// Reconciles until `stop`, or until the lease is lost.
async fn lead(
    context: &Context,
    repos: &ConfigRepos,
    elector: &mut Elector,
    sync: &Sync,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let working = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let early = tokio::select! {
        () = sync.wait() => None,
        () = elector.renew() => Some(End::Lost),
        () = stop.cancelled() => Some(End::Stop),
    };
    let end = match early {
        Some(end) => end,
        None => {
            controllers::start(context, repos.clone(), &mut tasks, &working);
            tokio::select! {
                () = elector.renew() => End::Lost,
                () = stop.cancelled() => End::Stop,
            }
        }
    };
    working.cancel();
    match end {
        End::Lost => {
            // Whatever runs now meets a closed fence; waiting for it is of no use.
            tasks.shutdown().await;
            anyhow::bail!("the lease was lost; this process ends, and starts anew as a standby")
        }
        End::Stop => {
            info!("stops: lets running reconciles finish");
            finish(tasks, elector, context.settings.stop_timeout).await;
            Ok(())
        }
    }
}

/// Lets running reconciles finish within a bound, the lease renewed meanwhile, then gives it up.
async fn finish(mut tasks: JoinSet<()>, elector: &mut Elector, bound: Duration) {
    let done = async { while tasks.join_next().await.is_some() {} };
    let ended = tokio::select! {
        ended = tokio::time::timeout(bound, done) => ended.is_ok(),
        () = elector.renew() => false,
    };
    if !ended {
        warn!("some reconciles did not finish in time; they are ended, and done again by the next leader");
        tasks.shutdown().await;
    }
    elector.release().await;
}

/// A name that no other process has.
fn random_identity() -> String {
    use std::hash::{BuildHasher as _, Hasher as _};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "keelway-operator".into());
    format!("{host}_{random:016x}")
}
