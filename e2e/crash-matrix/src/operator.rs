//! The operator as a process, reached through a proxy.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::port::free_port;

/// How an operator is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub binary: PathBuf,
    /// The proxy that it speaks to.
    pub proxy: SocketAddr,
    /// Its name in the lease.
    pub identity: String,
    /// The namespace of its lease.
    pub namespace: String,
    /// The length of its lease.
    pub lease: Duration,
    /// The longest request.
    pub request_timeout: Duration,
    /// Where its kubeconfig, mirrors and log are kept.
    pub folder: PathBuf,
    /// Where it serves health and metrics.
    pub listen: SocketAddr,
    /// Further environment variables.
    pub environment: Vec<(String, String)>,
}

/// A running operator; it is killed with this value.
pub struct Operator {
    child: Child,
}

impl Launch {
    /// Starts it. Its log is appended to `<identity>.log`.
    ///
    /// # Errors
    /// A program that is not there.
    pub fn start(&self) -> anyhow::Result<Operator> {
        std::fs::create_dir_all(&self.folder)?;
        let config = self.folder.join(format!("{}.kubeconfig", self.identity));
        std::fs::write(&config, kubeconfig(self.proxy))?;
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let milliseconds = |duration: Duration| format!("{}ms", duration.as_millis());
        let child = Command::new(&self.binary)
            .env_clear()
            .env("KUBECONFIG", &config)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.folder)
            .envs(self.environment.iter().cloned())
            .args([
                "--listen",
                &self.listen.to_string(),
                "--log-format",
                "pretty",
                "--log",
                "info,operator=debug",
            ])
            .args(["--identity", &self.identity, "--namespace", &self.namespace])
            .args(["--lease-duration", &milliseconds(self.lease)])
            .args(["--request-timeout", &milliseconds(self.request_timeout)])
            .args(["--plain-http-git", "--allow-range", "127.0.0.0/8", "--data"])
            .arg(self.folder.join(format!("{}.data", self.identity)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!("{} does not start; run `cargo build -p operator`", self.binary.display())
            })?;
        Ok(Operator { child })
    }

    /// What it serves at a path: the status code and the text.
    ///
    /// # Errors
    /// No answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let mut stream = TcpStream::connect(self.listen).await?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        let (head, body) = text.split_once("\r\n\r\n").context("no HTTP answer")?;
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no status")?;
        Ok((status, body.to_owned()))
    }

    /// Where its log is.
    pub fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.identity))
    }

    /// The end of its log.
    pub fn log_end(&self, lines: usize) -> String {
        end_of(&self.log(), lines)
    }
}

fn end_of(path: &Path, count: usize) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// An address of the loopback device on which nobody listens.
///
/// # Errors
/// No free port.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)))
}

fn kubeconfig(proxy: SocketAddr) -> String {
    serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
        "clusters": [{"name": "proxy", "cluster": {"server": format!("http://{proxy}")}}],
        "users": [{"name": "proxy", "user": {}}],
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
    })
    .to_string()
}

impl Operator {
    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// A process that has ended.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(id.context("the operator has ended")?, signal)?;
        Ok(())
    }

    /// Whether it has ended, and how.
    ///
    /// # Errors
    /// Only what the system says.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it runs on beyond `bound`.
    pub async fn wait(&mut self, bound: Duration) -> anyhow::Result<ExitStatus> {
        match tokio::time::timeout(bound, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("the operator still runs after {bound:?}"),
        }
    }

    /// Kills it.
    ///
    /// # Errors
    /// Only what the system says.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}
