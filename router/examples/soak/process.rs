//! The router's process: its routes, which change all the time, its memory, and what it holds.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Host of the route that the load uses.
pub const HOST: &str = "soak.example.com";
/// The file is looked at every 100 ms and must be seen twice alike.
const SWAP: Duration = Duration::from_millis(300);
/// Memory is the median of so many looks, one a second.
pub const LOOKS: u32 = 9;

/// A router; it ends when this is dropped.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
    admin: SocketAddr,
    pub routes: Routes,
    _folder: tempfile::TempDir,
}

/// The file with its routes.
#[derive(Clone)]
pub struct Routes(PathBuf);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Routes {
    /// The route of the load to these pods, and others that come and go by the round.
    fn write(&self, pods: &[SocketAddr], round: u64) -> Result<()> {
        let pods: Vec<String> = pods.iter().map(|pod| format!("'{pod}'")).collect();
        let pods = pods.join(", ");
        let mut text =
            format!("routes:\n- {{name: soak, hosts: [{HOST}], backends: [{{endpoints: [{pods}]}}]}}\n");
        for n in 0..200 {
            let name = format!("r{n}-{}", (round + n) / 50);
            let _ = writeln!(
                text,
                "- {{name: {name}, hosts: [{name}.example.com], path: /{n}, backends: [{{endpoints: [{pods}]}}]}}"
            );
        }
        let new = self.0.with_extension("new");
        std::fs::write(&new, text)?;
        Ok(std::fs::rename(new, &self.0)?)
    }

    /// Changes the pods and the other routes until the end. Returns how often.
    pub async fn swap(self, pods: Vec<SocketAddr>, end: Instant) -> Result<u64> {
        let mut round = 0;
        while Instant::now() < end {
            round += 1;
            let used = match round % 3 {
                0 => &pods[..],
                1 => &pods[..2],
                _ => &pods[2..],
            };
            self.write(used, round)?;
            tokio::time::sleep(SWAP).await;
        }
        Ok(round)
    }
}

impl Process {
    pub async fn start(pods: &[SocketAddr]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let routes = Routes(folder.path().join("routes.yaml"));
        routes.write(pods, 0)?;
        let program = std::env::current_exe()?.with_file_name("../keelway-router");
        let (address, admin) = (free()?, free()?);
        let mut command = Command::new(&program);
        command.args(["--threads", "1", "--h2c", "--log", "off", "--leave-seconds", "0", "--routes"]);
        command.arg(&routes.0).args(["--listen", &address.to_string(), "--admin", &admin.to_string()]);
        command.stderr(std::process::Stdio::null());
        let child = command.spawn().with_context(|| program.display().to_string())?;
        let mut process = Self { child, address, admin, routes, _folder: folder };
        let begun = Instant::now();
        while TcpStream::connect(address).await.is_err() || TcpStream::connect(admin).await.is_err() {
            let ended = process.child.try_wait()?;
            ensure!(
                ended.is_none() && begun.elapsed() < Duration::from_secs(10),
                "the router does not start"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(process)
    }

    fn proc(&self, what: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(what)
    }

    /// Resident memory in MiB.
    fn memory(&self) -> Result<f64> {
        let status = std::fs::read_to_string(self.proc("status")).context("the router is gone")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }

    /// Resident memory in MiB from then on: the median of some looks.
    pub async fn memory_from(&self, then: Instant) -> Result<f64> {
        let mut looks = Vec::new();
        for look in 0..LOOKS {
            tokio::time::sleep_until((then + Duration::from_secs(1) * look).into()).await;
            looks.push(self.memory()?);
        }
        looks.sort_by(f64::total_cmp);
        looks.get(looks.len() / 2).copied().context("no look")
    }

    pub fn descriptors(&self) -> Result<usize> {
        Ok(std::fs::read_dir(self.proc("fd"))?.count())
    }

    /// Requests and tables that it still holds.
    async fn held(&self) -> Result<(u64, u64)> {
        let mut stream = TcpStream::connect(self.admin).await?;
        let ask = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(ask.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        let sum = |name: &str| -> Option<u64> {
            let lines = text.lines().filter(|line| line.starts_with(name));
            let values: Vec<u64> = lines.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
            (!values.is_empty()).then(|| values.iter().sum())
        };
        let open = sum("keelway_router_in_flight").context("in_flight")?;
        Ok((open, sum("keelway_router_tables").context("tables")?))
    }

    /// Waits until nothing is left of clients that have gone: no request, no table but the one in force, and no file
    /// descriptors but those for idle connections to pods.
    pub async fn forgets(&self, idle: usize) -> Result<()> {
        let begun = Instant::now();
        loop {
            let ((requests, tables), descriptors) = (self.held().await?, self.descriptors()?);
            if requests == 0 && tables <= 2 && descriptors <= idle + 64 {
                return Ok(());
            }
            ensure!(
                begun.elapsed() < Duration::from_secs(20),
                "20 s after the load it holds {requests} requests, {tables} tables, {descriptors} file descriptors ({idle} before)"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Tells it to stop, as Kubernetes would; it ends by itself.
    pub async fn stop(mut self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let begun = Instant::now();
        let ended: ExitStatus = loop {
            if let Some(ended) = self.child.try_wait()? {
                break ended;
            }
            ensure!(begun.elapsed() < Duration::from_secs(40), "it does not stop");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        ensure!(ended.success(), "it ended with {ended}");
        Ok(())
    }
}

/// An address that nobody has at the moment.
fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
