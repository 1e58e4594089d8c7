//! From the configuration's hosts to a connection whose wide rows pass the gate. The client library's own way of
//! connecting knows no other socket than its own, so the hosts are tried here, in its order and with its options.

use std::sync::Arc;

use futures::FutureExt as _;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, LoadBalanceHosts, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls};

use super::gate::{Gate, GatedTls, Pass};
use super::{Endpoint, tls};
use crate::error::{Context as _, Error, Result};

/// Connects to the first host that lets us in.
pub(super) async fn dial(endpoint: &Endpoint, pass: &Arc<Pass>) -> Result<(Client, JoinHandle<()>)> {
    let config = &endpoint.config;
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = hosts.len().max(addresses.len());
    let mut order: Vec<usize> = (0..count).collect();
    if config.get_load_balance_hosts() == LoadBalanceHosts::Random && count > 1 {
        let [byte] = crate::copy::random::<1>()?;
        order.rotate_left(usize::from(byte) % count);
    }
    let mut last = Error::Usage(format!("the URL of `{}` names no host", endpoint.name));
    for at in order {
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let address = addresses.get(at).map(|address| Host::Tcp(address.to_string()));
        let Some(to) = address.or_else(|| hosts.get(at).cloned()) else { continue };
        // A certificate is issued to the name, not to the address.
        let name = match hosts.get(at) {
            Some(Host::Tcp(name)) => Some(name.as_str()),
            _ => None,
        };
        let connected = match to {
            Host::Unix(folder) => {
                let path = folder.join(format!(".s.PGSQL.{port}"));
                let connected = in_time(endpoint, UnixStream::connect(path)).await;
                match connected {
                    Ok(socket) => plain(endpoint, socket, pass).await,
                    Err(error) => Err(error),
                }
            }
            Host::Tcp(host) => tcp(endpoint, (&host, port), name, pass).await,
        };
        match connected {
            Ok(found) => return Ok(found),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn doing(endpoint: &Endpoint) -> String {
    format!("connecting to `{}` (database {})", endpoint.name, endpoint.database())
}

/// A socket, unless the server takes longer than the URL allows.
async fn in_time<T>(endpoint: &Endpoint, connecting: impl Future<Output = std::io::Result<T>>) -> Result<T> {
    let connected = match endpoint.config.get_connect_timeout() {
        Some(limit) => match tokio::time::timeout(*limit, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        },
        None => connecting.await,
    };
    connected.map_err(|error| Error::Database {
        context: doing(endpoint),
        message: format!("error connecting to server: {error}"),
        code: None,
    })
}

/// A connection over a Unix socket, where there is no TLS.
async fn plain(
    endpoint: &Endpoint,
    socket: UnixStream,
    pass: &Arc<Pass>,
) -> Result<(Client, JoinHandle<()>)> {
    let gate = Gate::new(socket, Arc::clone(pass));
    let (client, connection) = endpoint.config.connect_raw(gate, NoTls).await.context(doing(endpoint))?;
    fit(endpoint, client, tokio::spawn(connection.map(drop))).await
}

/// A connection over TCP, to the first of the host's addresses that answers.
async fn tcp(
    endpoint: &Endpoint,
    to: (&str, u16),
    name: Option<&str>,
    pass: &Arc<Pass>,
) -> Result<(Client, JoinHandle<()>)> {
    let mut found = Err(Error::Database {
        context: doing(endpoint),
        message: format!("the host {} has no address", to.0),
        code: None,
    });
    for address in in_time(endpoint, tokio::net::lookup_host(to)).await? {
        found = match in_time(endpoint, TcpStream::connect(address)).await {
            Ok(socket) => over_tcp(endpoint, socket, name, pass).await,
            Err(error) => Err(error),
        };
        if found.is_ok() {
            break;
        }
    }
    found
}

async fn over_tcp(
    endpoint: &Endpoint,
    socket: TcpStream,
    name: Option<&str>,
    pass: &Arc<Pass>,
) -> Result<(Client, JoinHandle<()>)> {
    let config = &endpoint.config;
    options(config, &socket)
        .map_err(|error| Error::Local(format!("the socket's options could not be set: {error}")))?;
    let mut connector = tls::connector(&endpoint.trust, endpoint.root_cert.as_deref())?;
    let made = MakeTlsConnect::<Gate<TcpStream>>::make_tls_connect(&mut connector, name.unwrap_or_default());
    let inner = made.map_err(|error| Error::Local(format!("TLS could not be set up: {error}")))?;
    let tls = GatedTls { inner, pass: Arc::clone(pass) };
    let gate = Gate::new(socket, Arc::clone(pass));
    let (client, connection) = config.connect_raw(gate, tls).await.context(doing(endpoint))?;
    fit(endpoint, client, tokio::spawn(connection.map(drop))).await
}

/// No delay, and keepalives as the URL has them.
fn options(config: &Config, socket: &TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    if let Some(limit) = config.get_tcp_user_timeout() {
        socket.set_tcp_user_timeout(Some(*limit))?;
    }
    if !config.get_keepalives() {
        return Ok(());
    }
    let mut keepalive = TcpKeepalive::new().with_time(config.get_keepalives_idle());
    if let Some(interval) = config.get_keepalives_interval() {
        keepalive = keepalive.with_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        keepalive = keepalive.with_retries(retries);
    }
    socket.set_tcp_keepalive(&keepalive)
}

/// Whether the server is of the sort that `target_session_attrs` asks for.
async fn fit(
    endpoint: &Endpoint,
    client: Client,
    driver: JoinHandle<()>,
) -> Result<(Client, JoinHandle<()>)> {
    let wanted = match endpoint.config.get_target_session_attrs() {
        TargetSessionAttrs::ReadWrite => "off",
        TargetSessionAttrs::ReadOnly => "on",
        _ => return Ok((client, driver)),
    };
    let row = client.query_one("SHOW transaction_read_only", &[]).await.context(doing(endpoint))?;
    let found: String = row.get(0);
    if found == wanted {
        return Ok((client, driver));
    }
    driver.abort();
    Err(Error::Usage(format!(
        "the server of `{}` is {}, and its URL's target_session_attrs asks for the other; correct the URL",
        endpoint.name,
        if found == "on" { "read-only" } else { "writable" }
    )))
}
