//! Each proxy, with a configuration that does the same: keep-alive on both sides, no log, one worker.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::load;

const BACKEND: &str = "127.0.0.1:18100";
const SECOND_BACKEND: &str = "127.0.0.1:18101";

/// A proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Router,
    Nginx,
    Haproxy,
    Bare,
}

/// One that runs; it ends when this is dropped.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
    /// Where it speaks HTTP/2 in clear, if it does.
    pub http2: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    pub const ALL: [Self; 4] = [Self::Router, Self::Nginx, Self::Haproxy, Self::Bare];

    pub fn name(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Bare => "bare",
        }
    }

    /// Starts it on the first processor; the router with so many routes.
    pub fn start(self, folder: &Path, routes: usize) -> Result<Running> {
        let port = match self {
            Self::Router if routes > 100 => 18_084,
            Self::Router => 18_080,
            Self::Nginx => 18_081,
            Self::Haproxy => 18_082,
            Self::Bare => 18_083,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]);
        let file = folder.join(format!("{}-{routes}", self.name()));
        match self {
            Self::Router => {
                write_routes(&file, routes, BACKEND)?;
                let program = std::env::current_exe()?.with_file_name("../keelway-router");
                let admin = format!("127.0.0.1:{}", port + 100);
                command.arg(program).args(["--threads", "1", "--log", "off", "--admin", &admin]);
                // One environment has half of them: enough for the idle WebSockets.
                command.args(["--max-connections", "20000"]);
                command.args(["--h2c", "--listen", &address.to_string()]).arg("--routes").arg(&file);
            }
            Self::Nginx => {
                std::fs::write(&file, nginx(port, folder))?;
                command.args(["nginx", "-g", "daemon off;", "-c"]).arg(&file);
            }
            Self::Haproxy => {
                std::fs::write(&file, haproxy(port))?;
                command.args(["haproxy", "-db", "-f"]).arg(&file);
            }
            Self::Bare => {
                command.arg(std::env::current_exe()?).args(["bare", &address.to_string(), BACKEND]);
            }
        }
        started(command, address, self.name())
    }
}

fn started(mut command: Command, address: SocketAddr, name: &str) -> Result<Running> {
    let child =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().with_context(|| name.to_owned())?;
    let http2 =
        SocketAddr::new(address.ip(), if name == "nginx" { address.port() + 10 } else { address.port() });
    let running = Running { child, address, http2 };
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        ensure!(begun.elapsed() < Duration::from_secs(10), "{name} does not listen at {address}");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(running)
}

/// The backend of all.
pub fn backend() -> Result<[Running; 2]> {
    let one = |address: &str| {
        let mut command = Command::new("taskset");
        command.args(["-c", "1"]).arg(std::env::current_exe()?).args(["backend", address]);
        started(command, address.parse()?, "backend")
    };
    Ok([one(BACKEND)?, one(SECOND_BACKEND)?])
}

fn write_routes(file: &Path, count: usize, backend: &str) -> Result<()> {
    let mut text = "routes:\n".to_owned();
    for n in 0..count {
        let _ = writeln!(
            text,
            "- {{name: r{n}, hosts: [r{n}.example.com], backends: [{{endpoints: ['{backend}']}}]}}"
        );
    }
    let new = file.with_extension("new");
    std::fs::write(&new, text)?;
    Ok(std::fs::rename(new, file)?)
}

fn nginx(port: u16, folder: &Path) -> String {
    format!(
        "master_process off; pid {0}/nginx.pid; error_log /dev/null; worker_rlimit_nofile 20000;
         events {{ worker_connections 8192; }}
         http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {0}; proxy_temp_path {0};
           fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};
           upstream b {{ server {BACKEND}; keepalive 128; keepalive_requests 100000000; }}
           server {{ listen 127.0.0.1:{port}; listen 127.0.0.1:{1} http2; keepalive_timeout 600; server_name r1.example.com; location / {{
             proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host;
             proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
             proxy_set_header X-Forwarded-Host $host; proxy_set_header X-Forwarded-Port $server_port;
             proxy_set_header X-Request-Id $request_id; }} }} }}",
        folder.display(),
        port + 10,
    )
}

fn haproxy(port: u16) -> String {
    format!(
        "global\n nbthread 1\n maxconn 8000\ndefaults\n mode http\n timeout connect 5s\n timeout client 55s\n timeout server 55s\n \
         http-reuse always\nfrontend f\n bind 127.0.0.1:{port}\n option forwardfor\n http-request set-header X-Forwarded-Proto http\n \
         http-request set-header X-Forwarded-Host %[req.hdr(host)]\n http-request set-header X-Forwarded-Port %[dst_port]\n \
         unique-id-format %{{+X}}o%ci:%cp_%Ts_%rt\n unique-id-header X-Request-Id\n \
         use_backend b if {{ hdr(host) -i r1.example.com }}\nbackend b\n server s {BACKEND}\n"
    )
}

impl Running {
    /// The processes of it: its own and its children's.
    fn pids(&self) -> Result<Vec<u32>> {
        let me = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{me}/task/{me}/children"))?;
        Ok([me].into_iter().chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect())
    }

    /// CPU time so far, in seconds.
    pub fn cpu(&self) -> Result<f64> {
        let mut ticks = 0.0;
        for pid in self.pids()? {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            ticks += fields.get(11).context("utime")?.parse::<f64>()?
                + fields.get(12).context("stime")?.parse::<f64>()?;
        }
        // USER_HZ, 100 on every Linux that we know of.
        Ok(ticks / 100.0)
    }

    /// Resident memory, in KiB.
    pub fn memory_kib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

/// Exchanges the backend so often under load. Returns how many requests failed: the load ends at the first.
pub fn switches(folder: &Path, times: usize) -> Result<f64> {
    let running = Peer::Router.start(folder, 10)?;
    let file = folder.join("router-10");
    let address = running.address;
    // The file is looked at every 100 ms and must be seen twice alike.
    #[allow(clippy::cast_precision_loss, reason = "a thousand")]
    let seconds = times as f64 * 0.25 + 1.0;
    let under_load = std::thread::spawn(move || load::measure(address, seconds, Some(2_000.0)));
    for n in 0..times {
        write_routes(&file, 10, if n % 2 == 0 { SECOND_BACKEND } else { BACKEND })?;
        std::thread::sleep(Duration::from_millis(250));
    }
    match under_load.join() {
        Ok(Ok(outcome)) => {
            eprintln!("{times} switches, {} requests", outcome.count);
            Ok(0.0)
        }
        Ok(Err(error)) => {
            eprintln!("{error}");
            Ok(1.0)
        }
        Err(_) => anyhow::bail!("the load panicked"),
    }
}
