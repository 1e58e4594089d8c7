//! `keelway-router --routes routes.yaml`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, Result};
use arc_swap::ArcSwap;
use clap::Parser;
use ipnet::IpNet;
use router::admin::{self, Admin};
use router::cluster::{Follower, Watching};
use router::log::{Form, Sink};
use router::reload;
use router::serve::{self, Common, Door, Patience, Speaks};
use router::spans::Spans;
use router::table::Table;
use router::tls::{Certificates, Shelf};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// A request makes and frees some thirty small things and a few of some KiB: this allocator needs a third of the time of the
/// system's for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Routes HTTP requests to pods by host, path, header and weight.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// The routes, in YAML; read again when the file changes.
    #[arg(long, env = "KEELWAY_ROUTES", required_unless_present = "cluster", conflicts_with = "cluster")]
    routes: Option<PathBuf>,
    /// Takes the routes from the Kubernetes cluster that it runs in, or that KUBECONFIG names: Environments and EndpointSlices.
    #[arg(long)]
    cluster: bool,
    /// The address below which every Environment has a host of its own, as https://apps.example.com.
    #[arg(long, env = "KEELWAY_PUBLIC_URL", requires = "cluster")]
    public_url: Option<crds::domain::PublicUrl>,
    /// Where clients come.
    #[arg(long, default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Where clients come by TLS; needs --certificates.
    #[arg(long, requires = "certificates")]
    tls_listen: Option<SocketAddr>,
    /// A folder with <name>.crt and <name>.key, or folders with tls.crt and tls.key; read again when they change.
    #[arg(long)]
    certificates: Option<PathBuf>,
    /// Understand HTTP/2 without encryption too.
    #[arg(long)]
    h2c: bool,
    /// Where /healthz, /readyz, /metrics and /signals are.
    #[arg(long, default_value = "127.0.0.1:9090")]
    admin: SocketAddr,
    /// Threads; as many as there are processors if left out.
    #[arg(long)]
    threads: Option<usize>,
    /// One line per request.
    #[arg(long, value_enum, default_value_t)]
    log: Form,
    /// Where spans go, as http://collector:4318; none are made without it.
    #[arg(long)]
    otlp_endpoint: Option<String>,
    /// The share of requests that begin a trace; of others those are sent whose client says so.
    #[arg(long, default_value_t = 0.01, requires = "otlp_endpoint")]
    trace_share: f64,
    /// Networks whose X-Forwarded-* and Forwarded headers are believed, as in 10.0.0.0/8.
    #[arg(long, value_delimiter = ',')]
    trusted_proxies: Vec<IpNet>,
    /// Connections begin with a header of the PROXY protocol (version 1 or 2), and come from --trusted-proxies alone.
    #[arg(long, requires = "trusted_proxies")]
    proxy_protocol: bool,
    /// Seconds between "not ready" and closing the door when the router is told to stop: whoever leads clients here needs
    /// a moment to learn of it.
    #[arg(long, default_value_t = 5)]
    leave_seconds: u64,
    /// Seconds that requests under way have to end after that.
    #[arg(long, default_value_t = 25)]
    drain_seconds: u64,
    /// Connections of clients at a time; as many as there are file descriptors for if left out. Others wait.
    #[arg(long)]
    max_connections: Option<usize>,
    /// A file with the token for /signals; without it nobody may read them.
    #[arg(long)]
    signals_token_file: Option<PathBuf>,
    /// The name in signals.
    #[arg(long, env = "HOSTNAME", default_value = "router")]
    name: String,
}

#[allow(clippy::print_stderr, reason = "the program's own log")]
fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keelway-router: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<()> {
    let tables = Arc::new(ArcSwap::from_pointee(Table::default()));
    if let Some(file) = &options.routes {
        reload::first(file, &tables)?;
    }
    let (stopper, stop) = watch::channel(false);
    let leaving = Arc::new(AtomicBool::new(false));
    let (log, writer) = Sink::stdout(options.log);
    let threads = match options.threads {
        Some(threads) => threads.max(1),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let spans = {
        let _here = runtime.enter();
        options.otlp_endpoint.as_deref().map(|to| Spans::to(to, options.trace_share)).transpose()?
    };
    let connections = options.max_connections.unwrap_or_else(serve::connections);
    let common = Common {
        tables: tables.clone(),
        trusted: options.trusted_proxies.clone().into(),
        log: log.clone(),
        spans: spans.clone(),
        leaving: leaving.clone(),
        stop: stop.clone(),
        drain: Duration::from_secs(options.drain_seconds),
        patience: Patience::default(),
        proxy_protocol: options.proxy_protocol,
        connections: connections.div_ceil(threads),
        // Half, so that one cannot take everybody's.
        per_environment: u32::try_from(connections / 2).unwrap_or(u32::MAX).max(1),
    };
    let tls = options.tls_listen.zip(options.certificates.clone()).map(tls).transpose()?;
    let mut handles = Vec::new();
    for number in 0..threads {
        let mut doors = vec![door(options.listen, Speaks::Clear { h2c: options.h2c })?];
        if let Some((address, acceptor, shelf)) = &tls {
            doors.push(door(*address, Speaks::Tls(acceptor.clone(), shelf.clone()))?);
        }
        let (common, seed) = (common.clone(), seed()?);
        let name = format!("router-{number}");
        handles
            .push(std::thread::Builder::new().name(name).spawn(move || serve::thread(common, doors, seed))?);
    }
    let (whole, synced) = watch::channel(options.routes.is_some());
    runtime.block_on(async {
        let token = options.signals_token_file.as_ref().map(std::fs::read).transpose();
        let token = token.context("reading the token for /signals")?.map(|token| token.trim_ascii().to_vec());
        let watching = Arc::<Watching>::default();
        let admin = Arc::new(Admin {
            tables: tables.clone(),
            router: options.name.clone(),
            token,
            synced,
            leaving: leaving.clone(),
            log,
            watching: watching.clone(),
        });
        let listener = admin::listen(options.admin).await;
        tokio::spawn(admin::serve(
            admin,
            listener.with_context(|| format!("listening at {}", options.admin))?,
        ));
        match options.routes {
            Some(file) => {
                tokio::spawn(reload::follow(file, tables, stop.clone()));
            }
            None => {
                let client = kube::Client::try_default().await.context("finding the cluster")?;
                let domain = options.public_url.map(|url| url.domain().to_owned());
                let router = options.name;
                let follower = Follower { client, domain, router, tables, synced: whole, watching };
                tokio::spawn(follower.follow(stop.clone()));
            }
        }
        if let (Some((_, _, shelf)), Some(folder)) = (tls, options.certificates) {
            tokio::spawn(shelf.follow(folder, stop));
        }
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        leaving.store(true, Relaxed);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(options.leave_seconds)) => {}
            // Somebody is in a hurry.
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        let _ = stopper.send(true);
        // Meanwhile health and metrics are still told.
        tokio::task::spawn_blocking(move || {
            let ended = join(handles);
            spans.iter().for_each(Spans::finish);
            ended
        })
        .await?
    })?;
    drop(runtime);
    drop(common);
    writer.join().map_err(|_| anyhow::anyhow!("the log's writer panicked"))
}

fn join(threads: Vec<std::thread::JoinHandle<std::io::Result<()>>>) -> Result<()> {
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("a thread of the router panicked"))??;
    }
    Ok(())
}

fn seed() -> Result<u64> {
    getrandom::u64().map_err(|error| anyhow::anyhow!("the system has no random numbers: {error}"))
}

fn door(address: SocketAddr, speaks: Speaks) -> Result<Door> {
    let listener = serve::listen(address).with_context(|| format!("listening at {address}"))?;
    Ok(Door { listener, speaks })
}

#[allow(clippy::print_stderr, reason = "the program's own log")]
fn tls((address, folder): (SocketAddr, PathBuf)) -> Result<(SocketAddr, TlsAcceptor, Shelf)> {
    let read = Certificates::read(&folder, &Certificates::default())
        .with_context(|| format!("reading {}", folder.display()))?;
    let (certificates, bad) = read;
    bad.iter().for_each(|bad| eprintln!("keelway-router: a certificate is left out: {bad}"));
    anyhow::ensure!(certificates.count() > 0, "{} holds no certificate that can be used", folder.display());
    let shelf = Shelf::new(certificates);
    Ok((address, TlsAcceptor::from(shelf.config()?), shelf))
}
