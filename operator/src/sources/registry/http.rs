//! One request on one connection: resolve, check the address, dial that very address, TLS, ask.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use git::{AddressPolicy, Resolver as _, SystemResolver};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::settings::Settings;

/// The most that is read of an answer, in bytes.
const BODY: usize = 4 * 1024 * 1024;
/// How many times an answer may send us on.
const REDIRECTS: usize = 4;

/// Asks registries.
pub struct Http {
    policy: AddressPolicy,
    /// `host:port` of those that are spoken to without TLS.
    plain: HashSet<String>,
    tls: TlsConnector,
}

/// What is asked.
#[derive(Clone)]
pub struct Ask<'a> {
    /// The method.
    pub method: Method,
    /// What is understood.
    pub accept: &'a str,
    /// Credentials, for this host alone.
    pub authorization: Option<String>,
}

/// What was answered.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    headers: http::HeaderMap,
    /// The body, at most [`BODY`].
    pub body: Bytes,
}

impl Answer {
    /// A header's value as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is no answer, in words without secrets.
#[derive(Debug)]
pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn failure(words: impl Into<String>) -> Failure {
    Failure(words.into())
}

impl Http {
    /// Reads the settings' address ranges and the system's TLS roots.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let parse = |range: &String| {
            range.parse().with_context(|| format!("--allow-range {range}: write it as 10.0.0.0/8"))
        };
        let plain: HashSet<_> = settings.plain_http_registries.iter().cloned().collect();
        // Who names a registry as one to speak to without TLS means that very one, wherever it is.
        let hosts = plain.iter().map(|registry| split(registry, 80).0.to_owned()).collect();
        let policy = AddressPolicy {
            allow_networks: settings.allow_ranges.iter().map(parse).collect::<Result<_, _>>()?,
            allow_hosts: hosts,
            allow_http: false,
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { policy, plain, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Sends one request and follows redirects; credentials stay with the host that they were meant for.
    pub async fn send(&self, host: &str, path: &str, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let (mut at, mut path, mut ask) = (host.to_owned(), path.to_owned(), ask.clone());
        for _ in 0..=REDIRECTS {
            let answer = self.once(&at, &path, &ask).await?;
            let location =
                answer.header(header::LOCATION.as_str()).filter(|_| answer.status.is_redirection());
            let Some(location) = location else { return Ok(answer) };
            let base = format!("https://{at}{path}");
            let next = url::Url::parse(&base).and_then(|base| base.join(location));
            let next = next.map_err(|_| failure("it sends us to an address that is not understood"))?;
            let target = match (next.host_str(), next.port()) {
                (Some(host), Some(port)) => format!("{host}:{port}"),
                (Some(host), None) => host.to_owned(),
                (None, _) => return Err(failure("it sends us to an address without a host")),
            };
            if target != at {
                ask.authorization = None;
            }
            path = match next.query() {
                Some(query) => format!("{}?{query}", next.path()),
                None => next.path().to_owned(),
            };
            at = target;
        }
        Err(failure("it sends us on too many times"))
    }

    async fn once(&self, at: &str, path: &str, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let plain = self.plain.contains(at);
        let (host, port) = split(at, if plain { 80 } else { 443 });
        let stream = self.dial(host, port).await?;
        if plain {
            return exchange(stream, at, path, ask).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| failure("its name is no host name"))?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| {
            failure(format!(
                "no TLS: {error}; an operator flag, --plain-http-registry, allows a registry without"
            ))
        })?;
        exchange(stream, at, path, ask).await
    }

    async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, Failure> {
        let addresses: Vec<IpAddr> = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => {
                let host = host.to_owned();
                let found = tokio::task::spawn_blocking(move || SystemResolver.resolve(&host)).await;
                found.ok().and_then(Result::ok).ok_or_else(|| failure("its name cannot be resolved"))?
            }
        };
        let mut last = failure("its name has no address");
        for address in addresses {
            if let Err(what) = self.policy.check(host, address) {
                last = failure(format!(
                    "its address {address} is {what}; an operator flag, --allow-range, allows such addresses"
                ));
                continue;
            }
            match TcpStream::connect(SocketAddr::new(address, port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = failure(format!("{address}:{port}: {error}")),
            }
        }
        Err(last)
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    at: &str,
    path: &str,
    ask: &Ask<'_>,
) -> Result<Answer, Failure> {
    let broken = |error: &dyn fmt::Display| failure(format!("the connection broke: {error}"));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let driver = tokio::spawn(connection);
    let mut request = Request::builder()
        .method(&ask.method)
        .uri(path)
        .header(header::HOST, at)
        .header(header::ACCEPT, ask.accept)
        .header(header::USER_AGENT, concat!("keelway/", env!("CARGO_PKG_VERSION")));
    if let Some(authorization) = &ask.authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let request =
        request.body(Empty::<Bytes>::new()).map_err(|_| failure("its address is not understood"))?;
    let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, BODY)
        .collect()
        .await
        .map_err(|_| failure("its answer broke off or is too long"))?;
    driver.abort();
    Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
}

/// Host and port of `host`, `host:port` or `[address]:port`.
fn split(at: &str, default: u16) -> (&str, u16) {
    match at.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !at.ends_with(']') => {
            (host.trim_start_matches('[').trim_end_matches(']'), port.parse().unwrap_or(default))
        }
        _ => (at.trim_start_matches('[').trim_end_matches(']'), default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    fn http(flags: &[&str]) -> Http {
        let flags = std::iter::once("x").chain(flags.iter().copied());
        Http::new(&Settings::parse_from(flags)).unwrap()
    }

    fn ask() -> Ask<'static> {
        Ask { method: Method::HEAD, accept: "*/*", authorization: Some("Basic c2VjcmV0".into()) }
    }

    /// A server that gives each connection the next answer, and returns what it was asked.
    async fn server(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let task = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = vec![0; 4096];
                let read = stream.read(&mut buffer).await.unwrap();
                asked.push(String::from_utf8_lossy(&buffer[..read]).to_lowercase());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (at, task)
    }

    #[tokio::test]
    async fn a_registry_without_tls_is_asked_only_when_the_settings_name_it() {
        let (at, task) = server(vec!["HTTP/1.1 200 OK\r\ndocker-content-digest: d\r\n\r\n".into()]).await;
        let refused = http(&[]).send(&at, "/v2/a/manifests/1", &ask()).await.err().unwrap();
        assert!(refused.to_string().contains("loopback"), "{refused}");
        let answer =
            http(&["--plain-http-registry", &at]).send(&at, "/v2/a/manifests/1", &ask()).await.unwrap();
        assert_eq!(answer.header("docker-content-digest"), Some("d"));
        assert!(task.await.unwrap()[0].contains("authorization: basic"));
    }

    #[tokio::test]
    async fn credentials_do_not_follow_a_redirect_to_another_host() {
        let (other, second) = server(vec!["HTTP/1.1 200 OK\r\n\r\n".into()]).await;
        let moved = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: https://{other}/there\r\n\r\n");
        let (at, first) = server(vec![moved]).await;
        let http = http(&["--plain-http-registry", &at, "--plain-http-registry", &other]);
        assert_eq!(http.send(&at, "/v2/", &ask()).await.unwrap().status, StatusCode::OK);
        assert!(first.await.unwrap()[0].contains("authorization"));
        assert!(!second.await.unwrap()[0].contains("authorization"));
    }

    #[test]
    fn hosts_split_from_ports() {
        assert_eq!(split("r.example.com", 443), ("r.example.com", 443));
        assert_eq!(split("r.example.com:5000", 443), ("r.example.com", 5000));
        assert_eq!(split("[::1]:5000", 443), ("::1", 5000));
    }
}
