//! How a standby passes a notification on: the leader's address stands on the Lease, and the leader gets a notification
//! of its own, signed anew with the ConfigRepo's secret. So the leader checks it as any other and trusts nobody.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use tokio::net::TcpStream;

use super::signature::sign;
use crate::controllers::Key;
use crate::lease;

/// Marks a notification that a standby passed on: it is never passed on again.
const FORWARDED: &str = "x-keelway-forwarded";
/// How long the leader may take; a git host waits about ten seconds for its own answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The answer while this replica does not lead and cannot reach the one that does.
pub(super) const UNREACHED: (StatusCode, &str) = (
    StatusCode::SERVICE_UNAVAILABLE,
    "this replica is a standby and cannot reach the leader; send it again\n",
);

/// Whether a standby passed this notification on.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED)
}

/// Sends the leader a notification for `key`, signed with `secret`.
///
/// # Errors
/// In words: no leader is known, it cannot be reached, or it refuses.
pub(super) async fn to_leader(
    client: &Client,
    namespace: &str,
    key: &Key,
    secret: &str,
) -> Result<(), String> {
    let sent = async {
        let leases = Api::<Lease>::namespaced(client.clone(), namespace);
        let lease = leases.get(lease::NAME).await.map_err(|_| "the Lease could not be read".to_owned())?;
        let address = lease::address(&lease).ok_or("the Lease names no address of a leader")?;
        send(address, key, secret).await
    };
    match tokio::time::timeout(PATIENCE, sent).await {
        Ok(result) => result,
        Err(_) => Err(format!("the leader did not answer within {} s", PATIENCE.as_secs())),
    }
}

async fn send(address: SocketAddr, key: &Key, secret: &str) -> Result<(), String> {
    let broken =
        |error: &dyn std::fmt::Display| format!("the leader at {address} cannot be reached: {error}");
    let stream = TcpStream::connect(address).await.map_err(|error| broken(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let connection = tokio::spawn(connection);
    let request = Request::post(format!("/hooks/{}/{}", key.namespace, key.name))
        .header("host", address.to_string())
        .header(FORWARDED, "1")
        .header("x-hub-signature-256", sign(secret, b""))
        .body(Empty::<Bytes>::new())
        .map_err(|error| broken(&error))?;
    let answer = sender.send_request(request).await.map_err(|error| broken(&error));
    connection.abort();
    match answer?.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("the leader at {address} answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::post;

    use super::*;
    use crate::webhook::signature::{Check, Claim};

    #[tokio::test]
    async fn the_leader_gets_a_notification_that_holds() {
        let checked = |headers: HeaderMap| async move {
            let claim = Claim::of(&headers).unwrap();
            let holds = Check::new("secret", &claim).unwrap().holds(&claim);
            if holds && is_forwarded(&headers) { StatusCode::ACCEPTED } else { StatusCode::UNAUTHORIZED }
        };
        let routes = Router::new().route("/hooks/team/config", post(checked));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, routes).await });
        let key = Key::new("team", "config");
        assert_eq!(send(address, &key, "secret").await, Ok(()));
        assert!(send(address, &key, "other").await.unwrap_err().contains("401"));
        server.abort();
    }
}
