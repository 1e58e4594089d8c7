//! The one way to open a connection: resolve once, check every address, dial the checked address itself. A name that
//! answers differently a moment later (DNS rebinding) gains nothing.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::address::AddressPolicy;
use crate::budget::Budget;
use crate::error::GitError;

/// Turns a host name into addresses. Tests bring their own; the operator uses [`SystemResolver`].
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of `host`; may block.
    ///
    /// # Errors
    /// When the name cannot be resolved.
    fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The resolver of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

pub(crate) struct Dialer {
    pub(crate) policy: AddressPolicy,
    pub(crate) resolver: Arc<dyn Resolver>,
}

impl Dialer {
    /// Opens a TCP connection to `host`, at an address that the policy allows.
    pub(crate) async fn dial(&self, host: &str, port: u16, budget: &Budget) -> Result<TcpStream, GitError> {
        let addresses = self.addresses(host, budget).await?;
        let mut failure = GitError::Resolve { host: host.to_owned(), detail: "it has no address".into() };
        for address in addresses {
            let connect = TcpStream::connect(SocketAddr::new(address, port));
            match budget.connecting("connecting", connect).await {
                Ok(Ok(stream)) => {
                    // Requests are small and wait for their answer; Nagle's algorithm would only delay them.
                    stream.set_nodelay(true).ok();
                    return Ok(stream);
                }
                Ok(Err(error)) => {
                    failure = GitError::Connect { host: host.to_owned(), port, detail: error.to_string() };
                }
                Err(timeout) => failure = timeout,
            }
        }
        Err(failure)
    }

    async fn addresses(&self, host: &str, budget: &Budget) -> Result<Vec<IpAddr>, GitError> {
        let found = if let Ok(address) = host.parse::<IpAddr>() {
            vec![address]
        } else {
            let (resolver, name) = (Arc::clone(&self.resolver), host.to_owned());
            let lookup = tokio::task::spawn_blocking(move || resolver.resolve(&name));
            let failed = |detail: String| GitError::Resolve { host: host.to_owned(), detail };
            budget
                .connecting("resolving its name", lookup)
                .await?
                .map_err(|error| failed(error.to_string()))?
                .map_err(|error| failed(error.to_string()))?
        };
        let mut refusal = None;
        let mut allowed = Vec::new();
        for address in found {
            match self.policy.check(host, address) {
                Ok(()) => allowed.push(address),
                Err(reason) => {
                    refusal = Some(GitError::AddressRefused {
                        host: host.to_owned(),
                        address: address.to_string(),
                        reason: reason.to_owned(),
                    });
                }
            }
        }
        match refusal {
            Some(refusal) if allowed.is_empty() => Err(refusal),
            _ => Ok(allowed),
        }
    }
}
