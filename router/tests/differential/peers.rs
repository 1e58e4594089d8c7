//! nginx, haproxy and the router, each in so many copies, each copy with a backend of its own.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use router::serve::Speaks;

use crate::backend::Backend;
use crate::support::{Router, until};

/// How long a proxy waits for the rest of a request, or for the next one. All have the same, and the client waits for
/// the end of the connection, so this is how long most cases take.
const PATIENCE: Duration = Duration::from_millis(500);

/// Hosts that the router has a route for; the others take every host.
const HOSTS: &str = "a, b, evil, '*.a', '*.example', '127.0.0.1', '[::1]', localhost, a_b, xn--a, '1'";

/// Where clients come.
pub enum Door {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A connection to a proxy.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Door {
    pub fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        // Longer than any patience of a proxy: where it comes to this, the proxy hangs.
        let limit = Some(Duration::from_secs(8));
        Ok(match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_read_timeout(limit)?;
                Box::new(stream)
            }
            Self::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(limit)?;
                Box::new(stream)
            }
        })
    }
}

/// One copy of a proxy.
pub struct Lane {
    pub http1: Door,
    pub http2: Door,
    pub backend: Backend,
    router: Option<Router>,
}

/// A proxy with its copies; it ends when this is dropped.
pub struct Peer {
    pub lanes: Vec<Lane>,
    child: Option<Child>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        for router in self.lanes.drain(..).filter_map(|lane| lane.router) {
            router.join();
        }
    }
}

pub fn router(count: usize) -> Peer {
    let lane = |_| {
        let backend = Backend::start();
        let item = format!(
            "- {{name: a, hosts: [{HOSTS}], backends: [{{endpoints: ['{}']}}], limits: {{idle: {}ms}}}}\n",
            backend.address,
            PATIENCE.as_millis()
        );
        let router = Router::with(&item, &[], Speaks::Clear { h2c: true }, |common| {
            common.patience.header = PATIENCE;
            common.patience.idle = PATIENCE;
        });
        let door = || Door::Tcp(router.address);
        Lane { http1: door(), http2: door(), backend, router: Some(router) }
    };
    Peer { lanes: (0..count).map(lane).collect(), child: None }
}

/// Lanes at sockets in a folder, for programs of others.
fn lanes(name: &str, folder: &Path, count: usize) -> Vec<Lane> {
    let door = |protocol: &str, n: usize| Door::Unix(folder.join(format!("{name}-{protocol}-{n}")));
    let lane = |n| Lane {
        http1: door("http1", n),
        http2: door("http2", n),
        backend: Backend::start(),
        router: None,
    };
    (0..count).map(lane).collect()
}

impl Lane {
    fn sockets(&self) -> (String, String) {
        let path = |door: &Door| match door {
            Door::Unix(path) => path.display().to_string(),
            Door::Tcp(address) => address.to_string(),
        };
        (path(&self.http1), path(&self.http2))
    }
}

pub fn nginx(folder: &Path, count: usize) -> Peer {
    let lanes = lanes("nginx", folder, count);
    let (at, wait) = (folder.display(), format!("{}ms", PATIENCE.as_millis()));
    let mut text = format!(
        "master_process off; daemon off; pid {at}/nginx.pid; error_log {at}/nginx.log;
         events {{ worker_connections 2048; }}
         http {{ access_log off; client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;
           uwsgi_temp_path {at}/u; scgi_temp_path {at}/s; large_client_header_buffers 4 64k;
           client_header_timeout {wait}; client_body_timeout {wait}; keepalive_timeout {wait}; lingering_close off;
           proxy_next_upstream off; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host;\n"
    );
    for (n, lane) in lanes.iter().enumerate() {
        let (http1, http2) = lane.sockets();
        let _ = writeln!(
            text,
            "upstream b{n} {{ server {}; keepalive 8; }}
             server {{ listen unix:{http1}; listen unix:{http2} http2; location / {{ proxy_pass http://b{n}; }} }}",
            lane.backend.address
        );
    }
    text.push('}');
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    started(Command::new("nginx").arg("-c").arg(file), folder, lanes)
}

pub fn haproxy(folder: &Path, count: usize) -> Peer {
    let lanes = lanes("haproxy", folder, count);
    let wait = format!("{}ms", PATIENCE.as_millis());
    let mut text = format!(
        "global\n nbthread 1\n maxconn 1000\n tune.bufsize 131072\ndefaults\n mode http\n timeout connect 2s\n \
         timeout client {wait}\n timeout server 4s\n timeout http-request {wait}\n timeout http-keep-alive {wait}\n \
         timeout tunnel {wait}\n http-reuse always\n retries 0\n"
    );
    for (n, lane) in lanes.iter().enumerate() {
        let (http1, http2) = lane.sockets();
        let _ = writeln!(
            text,
            "frontend f{n}\n bind unix@{http1}\n bind unix@{http2} proto h2\n default_backend b{n}\nbackend b{n}\n server s {}",
            lane.backend.address
        );
    }
    let file = folder.join("haproxy.conf");
    std::fs::write(&file, text).unwrap();
    started(Command::new("haproxy").arg("-db").arg("-f").arg(file), folder, lanes)
}

fn started(command: &mut Command, folder: &Path, lanes: Vec<Lane>) -> Peer {
    let name = command.get_program().to_string_lossy().into_owned();
    let said = std::fs::File::create(folder.join(format!("{name}.err"))).unwrap();
    let child = command.stdout(Stdio::null()).stderr(said).spawn();
    let child = child.unwrap_or_else(|error| panic!("{name}: {error}; make differential installs it"));
    let peer = Peer { lanes, child: Some(child) };
    let listens = |lane: &Lane| lane.http1.connect().is_ok() && lane.http2.connect().is_ok();
    until(&format!("{name} listens"), || peer.lanes.iter().all(listens));
    peer
}
