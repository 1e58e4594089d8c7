//! Smart HTTP over our own connections: every one is dialled by [`Dialer`], trusts what its repository trusts, and
//! stays open for the next fetch.

mod exchange;
mod transport;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::budget::Budget;
use crate::error::{GitError, tame};
use crate::net::Dialer;
use crate::url::{RepoUrl, Scheme};

pub(crate) use exchange::Host;
pub(crate) use transport::transport;

type Sender = SendRequest<Full<Bytes>>;

/// Response headers beyond this are no git server's.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// A connection that was idle for longer is not used again; hosts and firewalls drop them silently.
const KEEP_IDLE: Duration = Duration::from_secs(90);

/// How long a server's greeting is believed. It changes only when the host's software does.
const KEEP_GREETING: Duration = Duration::from_mins(10);

/// What a server of protocol 2 said when it was asked first: what it can do, and nothing about the repository's content.
#[derive(Clone)]
struct Greeting {
    /// Path of the repository, after redirects within the host.
    base: String,
    body: Bytes,
    since: Instant,
}

/// What is kept between calls: open connections and greetings. The key holds URL, credentials and CA, so no two
/// repositories that differ in one of them ever share anything.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<HashMap<String, (Sender, Instant)>>,
    greetings: Mutex<HashMap<String, Greeting>>,
}

impl Pool {
    fn take(&self, key: &str) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|_, (sender, since)| !sender.is_closed() && since.elapsed() < KEEP_IDLE);
        idle.remove(key).map(|(sender, _)| sender)
    }

    fn greeting(&self, key: &str) -> Option<Greeting> {
        let mut greetings = self.greetings.lock().unwrap_or_else(PoisonError::into_inner);
        greetings.retain(|_, greeting| greeting.since.elapsed() < KEEP_GREETING);
        greetings.get(key).cloned()
    }

    fn keep_greeting(&self, key: &str, base: &str, body: Bytes) {
        let greeting = Greeting { base: base.to_owned(), body, since: Instant::now() };
        self.greetings.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), greeting);
    }

    /// Has the server asked again next time.
    pub(crate) fn forget_greeting(&self, key: &str) {
        self.greetings.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    fn put(&self, key: &str, sender: Sender) {
        if !sender.is_closed() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.insert(key.to_owned(), (sender, Instant::now()));
        }
    }
}

/// Opens a connection to the host of `url`, encrypted unless the scheme is http.
async fn open(
    dialer: &Dialer,
    tls: &Arc<ClientConfig>,
    url: &RepoUrl,
    budget: &Budget,
) -> Result<Sender, GitError> {
    let stream = dialer.dial(url.host(), url.port(), budget).await?;
    if url.scheme() == Scheme::Http {
        return handshake(stream, url, budget).await;
    }
    let name = ServerName::try_from(url.host().to_owned())
        .map_err(|_| GitError::InvalidUrl { reason: "it has no valid host name".into() })?;
    let connect = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
    let stream = budget
        .connecting("agreeing on encryption", connect)
        .await?
        .map_err(|error| tls_error(url, &error))?;
    handshake(stream, url, budget).await
}

async fn handshake<S>(stream: S, url: &RepoUrl, budget: &Budget) -> Result<Sender, GitError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEADER_BYTES);
    let (sender, connection) = budget
        .connecting("connecting", builder.handshake(TokioIo::new(stream)))
        .await?
        .map_err(|error| broken(url, &error))?;
    // Ends by itself when the sender is dropped or the server hangs up.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::trace!(%error, "git http connection ended");
        }
    });
    Ok(sender)
}

fn broken(url: &RepoUrl, error: &hyper::Error) -> GitError {
    let detail = tame(&error.to_string());
    GitError::Connect { host: url.host().to_owned(), port: url.port(), detail }
}

/// Tells a certificate that is not trusted, which a person must mend, from a connection that broke.
fn tls_error(url: &RepoUrl, error: &std::io::Error) -> GitError {
    use rustls::CertificateError as Cert;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(problem)) = inner else {
        let detail = format!("TLS: {}", tame(&error.to_string()));
        return GitError::Connect { host: url.host().to_owned(), port: url.port(), detail };
    };
    let cure = match problem {
        Cert::UnknownIssuer => "put the CA that issued it into `ca.crt` of the repository's Secret",
        Cert::Expired | Cert::ExpiredContext { .. } => "the host's certificate must be renewed",
        Cert::NotValidForName | Cert::NotValidForNameContext { .. } => {
            "use the host name that the certificate was issued for"
        }
        _ => "the host needs a valid certificate",
    };
    GitError::Tls { host: url.host().to_owned(), detail: tame(&problem.to_string()), cure }
}
