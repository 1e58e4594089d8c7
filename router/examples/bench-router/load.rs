//! The load: 64 connections that each send a request when the last is answered, or at a pace.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 64;
const REQUEST: &[u8] =
    b"GET /hello?a=1 HTTP/1.1\r\nHost: r1.example.com\r\nUser-Agent: bench\r\nAccept: */*\r\nCookie: session=0123456789abcdef\r\n\r\n";

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub count: u64,
    pub rps: f64,
    pub p99_ms: f64,
}

/// Runs the load on the second processor. With a rate, requests per second of all connections together.
pub fn measure(address: SocketAddr, seconds: f64, rate: Option<f64>) -> Result<Outcome> {
    let me = std::env::current_exe()?;
    let mut command = Command::new("taskset");
    command.args(["-c", "1"]).arg(me).arg("load").arg(address.to_string()).arg(seconds.to_string());
    command.args(rate.map(|rate| rate.to_string()));
    let output = command.output()?;
    ensure!(output.status.success(), "the load failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the load's own words")
}

/// Requests per second over HTTP/2 in clear, by h2load.
pub fn measure_http2(address: SocketAddr, seconds: f64) -> Result<f64> {
    let output = Command::new("taskset")
        .args([
            "-c",
            "1",
            "h2load",
            "-c",
            "16",
            "-m",
            "8",
            "-D",
            &format!("{seconds:.0}"),
            "-H",
            ":authority: r1.example.com",
        ])
        .arg(format!("http://{address}/hello?a=1"))
        .output()
        .context("h2load")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with("finished in")).context("h2load said nothing")?;
    let requests = text.lines().find(|line| line.starts_with("status codes:")).unwrap_or_default();
    ensure!(requests.contains(" 0 3xx, 0 4xx, 0 5xx"), "h2load: {requests}");
    let rate = line.split(", ").find_map(|part| part.strip_suffix(" req/s")).context("h2load's rate")?;
    Ok(rate.parse()?)
}

/// The load itself; prints its outcome.
pub fn run(address: SocketAddr, rest: &[String]) -> Result<()> {
    let seconds: f64 = rest.first().context("the seconds are missing")?.parse()?;
    let rate: Option<f64> = rest.get(1).map(|rate| rate.parse()).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let outcome = local.block_on(&runtime, async {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        #[allow(clippy::cast_precision_loss, reason = "64")]
        let pause = rate.map(|rate| Duration::from_secs_f64(CONNECTIONS as f64 / rate));
        let tasks: Vec<_> =
            (0..CONNECTIONS).map(|n| tokio::task::spawn_local(connection(address, end, pause, n))).collect();
        let mut micros = Vec::new();
        for task in tasks {
            micros.extend(task.await??);
        }
        micros.sort_unstable();
        let p99 = micros.get(micros.len() * 99 / 100).copied().unwrap_or_default();
        #[allow(clippy::cast_precision_loss, reason = "some millions")]
        let rps = micros.len() as f64 / seconds;
        anyhow::Ok(Outcome { count: micros.len() as u64, rps, p99_ms: f64::from(p99) / 1e3 })
    })?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

async fn connection(
    address: SocketAddr,
    end: Instant,
    pause: Option<Duration>,
    n: usize,
) -> Result<Vec<u32>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut micros = Vec::with_capacity(100_000);
    let mut buffer = vec![0; 16 * 1024];
    let mut due = Instant::now();
    if let Some(pause) = pause {
        due += pause.mul_f64(f64::from(u32::try_from(n)?) / 64.0);
    }
    while Instant::now() < end {
        if let Some(pause) = pause {
            tokio::time::sleep_until(due.into()).await;
            due += pause;
        }
        let begun = Instant::now();
        stream.write_all(REQUEST).await?;
        answer(&mut stream, &mut buffer).await?;
        micros.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(micros)
}

/// Reads one answer whole.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<()> {
    let (mut filled, mut wanted) = (0, None);
    loop {
        let n = stream.read(&mut buffer[filled..]).await?;
        ensure!(n > 0, "the connection was closed");
        filled += n;
        if wanted.is_none() {
            wanted = length(&buffer[..filled])?;
        }
        if wanted.is_some_and(|wanted| filled >= wanted) {
            return Ok(());
        }
    }
}

/// The length of header and body, once the header is there.
fn length(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end])?;
    if !head.starts_with("HTTP/1.1 200") {
        bail!("{}", head.lines().next().unwrap_or_default());
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Ok(Some(end + 4 + length.context("no length")?))
}
