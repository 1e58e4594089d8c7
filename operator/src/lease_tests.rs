//! The elector against an API server of one object, kept in memory.

use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use serde_json::{Value, json};

use super::*;

/// The one Lease, and how many writes were refused for an old resourceVersion.
#[derive(Default)]
struct Server {
    lease: Option<Value>,
    version: u64,
}

impl Server {
    fn answer(&mut self, method: &Method, body: &[u8]) -> (StatusCode, Value) {
        if *method == Method::GET {
            return match &self.lease {
                Some(lease) => (StatusCode::OK, lease.clone()),
                None => refused(StatusCode::NOT_FOUND, "NotFound"),
            };
        }
        let mut sent: Value = serde_json::from_slice(body).unwrap();
        let known = self.lease.as_ref().map(|lease| lease["metadata"]["resourceVersion"].clone());
        if known.is_some_and(|known| sent["metadata"]["resourceVersion"] != known) {
            return refused(StatusCode::CONFLICT, "Conflict");
        }
        self.version += 1;
        sent["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.lease = Some(sent.clone());
        (StatusCode::OK, sent)
    }
}

fn refused(status: StatusCode, reason: &str) -> (StatusCode, Value) {
    (
        status,
        json!({"kind": "Status", "status": "Failure", "message": reason, "reason": reason, "code": status.as_u16()}),
    )
}

fn client(server: &Arc<Mutex<Server>>) -> Client {
    let server = server.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = server.clone();
        async move {
            let method = request.method().clone();
            let bytes = request.into_body().collect_bytes().await?;
            let (status, value) = server.lock().unwrap().answer(&method, &bytes);
            let body = Body::from(value.to_string().into_bytes());
            Ok::<_, kube::Error>(Response::builder().status(status).body(body).unwrap())
        }
    });
    Client::new(service, "keelway-system")
}

fn elector(server: &Arc<Mutex<Server>>, name: &str, length: Duration) -> Elector {
    Elector::new(client(server), "keelway-system", name.into(), length, Fence::closed(), Metrics::new())
}

fn holder_of(server: &Arc<Mutex<Server>>) -> Value {
    server.lock().unwrap().lease.as_ref().unwrap()["spec"]["holderIdentity"].clone()
}

const LENGTH: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_lease_of_another_is_taken_only_after_it_stood_still_for_its_whole_length() {
    let server = Arc::default();
    let (mut ada, mut bob) = (elector(&server, "ada", LENGTH), elector(&server, "bob", LENGTH));
    assert_eq!(ada.attempt().await.unwrap(), Attempt::Held);
    assert!(ada.fence.remaining() > Duration::ZERO);
    assert_eq!(bob.attempt().await.unwrap(), Attempt::Taken);

    tokio::time::sleep(LENGTH / 2).await;
    assert_eq!(ada.attempt().await.unwrap(), Attempt::Held);
    tokio::time::sleep(LENGTH * 3 / 4).await;
    assert_eq!(bob.attempt().await.unwrap(), Attempt::Taken, "it was renewed meanwhile");

    tokio::time::sleep(LENGTH + Duration::from_millis(50)).await;
    assert!(ada.fence.remaining().is_zero(), "the old leader's fence closes before anybody takes over");
    assert_eq!(bob.attempt().await.unwrap(), Attempt::Held);
    assert_eq!(ada.attempt().await.unwrap(), Attempt::Taken);
    assert_eq!(holder_of(&server), "bob");
}

#[tokio::test]
async fn of_two_that_claim_a_free_lease_at_once_only_one_gets_it() {
    let server: Arc<Mutex<Server>> = Arc::default();
    let mut ada = elector(&server, "ada", LENGTH);
    assert_eq!(ada.attempt().await.unwrap(), Attempt::Held);
    let stale = ada.read().await.unwrap().unwrap();
    assert_eq!(ada.attempt().await.unwrap(), Attempt::Held);
    assert!(ada.replace(&stale).await.is_err(), "what was read before is no ground for a claim");
}

#[tokio::test]
async fn a_lease_that_was_given_up_is_free_at_once() {
    let server = Arc::default();
    let (mut ada, mut bob) = (elector(&server, "ada", LENGTH), elector(&server, "bob", LENGTH));
    assert_eq!(ada.attempt().await.unwrap(), Attempt::Held);
    ada.release().await;
    assert!(ada.fence.remaining().is_zero());
    assert_eq!(bob.attempt().await.unwrap(), Attempt::Held);
    ada.release().await;
    assert_eq!(holder_of(&server), "bob", "nobody gives up what is not his");
}

#[tokio::test]
async fn a_process_that_starts_again_under_its_old_name_need_not_wait() {
    let server = Arc::default();
    assert_eq!(elector(&server, "ada", LENGTH).attempt().await.unwrap(), Attempt::Held);
    assert_eq!(elector(&server, "ada", LENGTH).attempt().await.unwrap(), Attempt::Held);
}

#[tokio::test]
async fn the_lease_says_where_its_holder_serves_and_never_where_another_did() {
    let server = Arc::default();
    let there = Some(SocketAddr::from(([10, 0, 0, 7], 8080)));
    let (ada, bob) = (elector(&server, "ada", LENGTH), elector(&server, "bob", LENGTH));
    let (mut ada, mut bob) = (ada.serving_at(there), bob);
    assert_eq!(ada.attempt().await.unwrap(), Attempt::Held);
    assert_eq!(address(&bob.read().await.unwrap().unwrap()), there);
    ada.release().await;
    assert_eq!(address(&bob.read().await.unwrap().unwrap()), None, "nobody leads");
    assert_eq!(bob.attempt().await.unwrap(), Attempt::Held);
    assert_eq!(address(&bob.read().await.unwrap().unwrap()), None);
}
