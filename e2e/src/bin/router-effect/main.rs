//! Part of `make bench-router`: from a change in Kubernetes to a request that goes the new way, with 5,000 routes.
//!
//! Needs a cluster with Keelway's definitions, and the router's program in `ROUTER`. The Environments are suspended, so that
//! nobody but the router acts on them. `ROUTES` and `CHANGES` make it smaller. Adds its figure to `target/bench/router.json`.

mod fleet;

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use fleet::Fleet;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The bound of the figure, in milliseconds.
const BOUND: f64 = 250.0;

/// A number from the environment, for a smaller run.
fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::main]
#[expect(clippy::print_stderr, reason = "progress of a long run")]
async fn main() -> Result<()> {
    let (routes, changes) = (number("ROUTES", 5_000), number("CHANGES", 500));
    let ports = [backend("a").await?, backend("b").await?];
    let fleet = Fleet::new(routes, ports[0]).await?;
    eprintln!("{routes} Environments are there");
    let measured = measure(&fleet, ports, changes).await;
    fleet.done().await?;
    let mut millis = measured?;
    millis.sort_by(f64::total_cmp);
    let at = |share: f64| millis[rank(millis.len(), share)];
    eprintln!("{changes} changes: median {:.0} ms, p99 {:.0} ms, most {:.0} ms", at(0.5), at(0.99), at(1.0));
    tell(at(0.99))
}

/// The place of a share of `count` ordered values.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "some hundreds"
)]
fn rank(count: usize, share: f64) -> usize {
    ((count as f64 * share).ceil() as usize).clamp(1, count.max(1)) - 1
}

/// Answers each request with its name; its port.
async fn backend(name: &'static str) -> Result<u16> {
    let listener = TcpListener::bind("0.0.0.0:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, name));
        }
    });
    Ok(port)
}

async fn answer(stream: TcpStream, name: &'static str) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        if line == "\r\n" {
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{name}").as_bytes())
                .await?;
        }
        line.clear();
    }
    Ok(())
}

/// The milliseconds of each change, from before it is sent to the API server to the first answer of the new backend.
async fn measure(fleet: &Fleet, ports: [u16; 2], changes: usize) -> Result<Vec<f64>> {
    let (listen, admin) = (free()?, free()?);
    let program = std::env::var("ROUTER").context("ROUTER names the router's program")?;
    let mut router = tokio::process::Command::new(program)
        .args(["--cluster", "--public-url", "http://bench.localhost", "--log", "off", "--threads", "1"])
        .args(["--listen", &listen.to_string(), "--admin", &admin.to_string(), "--leave-seconds", "0"])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("starting the router")?;
    until_ready(admin, fleet.routes()).await?;
    let mut client = Client(BufReader::new(TcpStream::connect(listen).await?));
    let mut millis = Vec::with_capacity(changes);
    for change in 0..changes {
        // Another one each time, all over the table; back and forth once all had their turn.
        let which = (change * 7_919) % fleet.routes();
        let host = fleet::host(which);
        let new = if client.ask(&host).await? == "a" { ("b", ports[1]) } else { ("a", ports[0]) };
        let begun = Instant::now();
        fleet.lead_to(which, new.1).await?;
        while client.ask(&host).await? != new.0 {
            anyhow::ensure!(
                begun.elapsed() < Duration::from_secs(30),
                "{host} does not lead to the new backend"
            );
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        millis.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    router.kill().await?;
    Ok(millis)
}

fn free() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

async fn until_ready(admin: SocketAddr, routes: usize) -> Result<()> {
    let wanted = format!("keelway_router_routes {routes}\n");
    let begun = Instant::now();
    loop {
        if metrics(admin).await.is_ok_and(|text| text.contains(&wanted)) {
            return Ok(());
        }
        anyhow::ensure!(begun.elapsed() < Duration::from_secs(60), "the router does not see all routes");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn metrics(admin: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(admin).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

/// A client on a connection that is kept.
struct Client(BufReader<TcpStream>);

impl Client {
    /// Asks for a host; the one letter of the answer's body.
    async fn ask(&mut self, host: &str) -> Result<String> {
        self.0.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await?;
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            anyhow::ensure!(self.0.read_line(&mut line).await? > 0, "the router closed the connection");
            if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok(String::from_utf8(body)?)
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn tell(p99: f64) -> Result<()> {
    const NAME: &str = "router.change_to_effect_p99_ms";
    println!("{NAME}: {p99:.3} ms (bound: {BOUND:.3})");
    let file = "target/bench/router.json";
    let before = std::fs::read(file).unwrap_or_else(|_| b"[]".to_vec());
    let mut rows: Vec<serde_json::Value> = serde_json::from_slice(&before)?;
    rows.retain(|row| row["name"] != NAME);
    rows.push(
        serde_json::json!({"name": NAME, "value": p99, "unit": "ms", "peer": "bound", "peer_value": BOUND}),
    );
    std::fs::create_dir_all("target/bench")?;
    std::fs::write(file, serde_json::to_vec_pretty(&rows)?)?;
    Ok(())
}
