//! The receiver of push notifications: `POST /hooks/<namespace>/<name>` means "look at this ConfigRepo now".
//!
//! What enters is hashed as it arrives and thrown away: the signature over the raw bytes is all that counts, the payload
//! is never parsed, and a replayed or reordered one costs a look. The answer is immediate; the fetch runs beside it. A
//! standby checks a notification as the leader does, and passes it on.

mod forward;
mod limit;
mod signature;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use futures::StreamExt as _;
use plan::ObjectKey;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::apply::Identity;
use crate::context::Context;
use crate::controllers::Key;
use crate::controllers::config_repo::{ConfigRepos, Data};
use limit::Limiter;
use signature::{Check, Claim};

/// The largest body; git hosts cap theirs at 25 MiB. It is never held, only hashed.
const BODY: u64 = 25 * 1024 * 1024;
/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);
/// How many bodies are read at once.
const AT_ONCE: usize = 64;
/// How long a secret is remembered: a flood of forged notifications does not become a flood of reads.
const SECRET: Duration = Duration::from_secs(10);

type Tokens = HashMap<Key, (Option<Arc<str>>, Instant)>;

/// What the receiver needs; a cheap handle.
#[derive(Clone)]
pub struct Receiver {
    context: Context,
    repos: ConfigRepos,
    limiter: Arc<Limiter>,
    slots: Arc<tokio::sync::Semaphore>,
    tokens: Arc<Mutex<Tokens>>,
}

impl Receiver {
    /// Hints to `repos`.
    pub fn new(context: Context, repos: ConfigRepos) -> Self {
        let slots = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
        Self { context, repos, limiter: Arc::default(), slots, tokens: Arc::default() }
    }

    /// The route.
    pub fn routes(self) -> Router {
        Router::new().route("/hooks/{namespace}/{name}", post(receive)).with_state(self)
    }

    /// The secret of a ConfigRepo's webhook; none where it has none.
    async fn token(&self, key: &Key) -> Option<Arc<str>> {
        let known = self.tokens().get(key).filter(|(_, until)| *until > Instant::now()).cloned();
        if let Some((token, _)) = known {
            return token;
        }
        let token = self.read_token(key).await;
        let mut tokens = self.tokens();
        tokens.retain(|_, (_, until)| *until > Instant::now());
        tokens.insert(key.clone(), (token.clone(), Instant::now() + SECRET));
        token
    }

    async fn read_token(&self, key: &Key) -> Option<Arc<str>> {
        let repo = self.context.stores.config_repos.get(&key.namespace, &key.name)?;
        let secret = ObjectKey {
            api_version: "v1".into(),
            kind: "Secret".into(),
            namespace: Some(key.namespace.clone()),
            name: repo.spec.webhook.as_ref()?.secret_ref.name.as_str().to_owned(),
        };
        let found = self.context.writer.get(&Identity::OPERATOR, &secret).await.ok()??;
        Data::of(&found).get("token").map(|token| Arc::from(token.trim_end_matches(['\r', '\n'])))
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    Path((namespace, name)): Path<(String, String)>,
    request: Request,
) -> (StatusCode, &'static str) {
    let key = Key::new(&namespace, &name);
    let source = source(&request);
    if !receiver.limiter.may(source, &key) {
        return (
            StatusCode::TOO_MANY_REQUESTS,
            "too many notifications with a wrong signature; wait a minute\n",
        );
    }
    let leads = receiver.context.writer.may_write();
    if !leads && forward::is_forwarded(request.headers()) {
        return forward::UNREACHED;
    }
    let answer = receiver.check(&key, request).await;
    match answer {
        Ok(_) if leads => {
            info!(object = %key, "a push notification arrived");
            receiver.repos.hint(&key);
            (StatusCode::ACCEPTED, "it is looked at\n")
        }
        Ok(token) => receiver.pass_on(&key, &token).await,
        Err(refused) => {
            if refused.0 == StatusCode::UNAUTHORIZED {
                receiver.limiter.failed(source, &key);
            }
            debug!(object = %key, status = refused.0.as_u16(), "a notification was refused");
            refused
        }
    }
}

/// Where a request comes from.
fn source(request: &Request) -> IpAddr {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip())
}

/// One answer for whatever is wrong, so that nobody learns which ConfigRepos exist.
const UNAUTHORIZED: (StatusCode, &str) =
    (StatusCode::UNAUTHORIZED, "there is no such ConfigRepo with a webhook, or the signature is wrong\n");

impl Receiver {
    /// Checks a notification; what comes back is the secret that it was signed with.
    async fn check(&self, key: &Key, request: Request) -> Result<Arc<str>, (StatusCode, &'static str)> {
        const TOO_LARGE: (StatusCode, &str) = (StatusCode::PAYLOAD_TOO_LARGE, "at most 25 MiB are read\n");
        let (parts, body) = request.into_parts();
        if announced(&parts.headers).is_some_and(|length| length > BODY) {
            return Err(TOO_LARGE);
        }
        let claim = Claim::of(&parts.headers).ok_or(UNAUTHORIZED)?;
        let token = self.token(key).await.ok_or(UNAUTHORIZED)?;
        let check = Check::new(&token, &claim).ok_or(UNAUTHORIZED)?;
        let busy = (StatusCode::SERVICE_UNAVAILABLE, "too many notifications at once; send it again\n");
        let _slot = self.slots.try_acquire().map_err(|_| busy)?;
        match tokio::time::timeout(ARRIVAL, hash(body, check)).await {
            Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive\n")),
            Ok(Err(status)) if status == StatusCode::PAYLOAD_TOO_LARGE => Err(TOO_LARGE),
            Ok(Err(status)) => Err((status, "the body broke off\n")),
            Ok(Ok(check)) => check.holds(&claim).then_some(token).ok_or(UNAUTHORIZED),
        }
    }
}

impl Receiver {
    /// Tells the leader of a notification that this standby has checked.
    async fn pass_on(&self, key: &Key, token: &str) -> (StatusCode, &'static str) {
        match forward::to_leader(&self.context.client, &self.context.settings.namespace, key, token).await {
            Ok(()) => {
                info!(object = %key, "a push notification arrived and was passed on to the leader");
                (StatusCode::ACCEPTED, "it is looked at\n")
            }
            Err(why) => {
                warn!(object = %key, %why, "a push notification could not be passed on to the leader");
                forward::UNREACHED
            }
        }
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn hash(body: Body, mut check: Check) -> Result<Check, StatusCode> {
    let mut stream = body.into_data_stream();
    let mut length = 0_u64;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| StatusCode::BAD_REQUEST)?;
        length = length.saturating_add(chunk.len() as u64);
        if length > BODY {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        check.update(&chunk);
    }
    Ok(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(token: &str, claim: &Claim) -> Check {
        Check::new(token, claim).unwrap()
    }

    fn claim(body: &[u8]) -> Claim {
        let mut headers = HeaderMap::new();
        headers.insert("x-hub-signature-256", signature::sign("secret", body).parse().unwrap());
        Claim::of(&headers).unwrap()
    }

    #[tokio::test]
    async fn every_byte_flip_of_the_body_is_refused() {
        let body = br#"{"ref": "refs/heads/main"}"#.to_vec();
        let claim = claim(&body);
        let hashed = hash(Body::from(body.clone()), check("secret", &claim)).await.unwrap();
        assert!(hashed.holds(&claim));
        for index in 0..body.len() {
            let mut forged = body.clone();
            forged[index] ^= 1;
            let hashed = hash(Body::from(forged), check("secret", &claim)).await.unwrap();
            assert!(!hashed.holds(&claim), "byte {index}");
        }
    }

    #[tokio::test]
    async fn a_body_beyond_the_cap_is_not_read_to_its_end() {
        let chunk = vec![b'x'; 1024 * 1024];
        let endless = futures::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
        let claim = claim(b"");
        let refused = hash(Body::from_stream(endless), check("secret", &claim)).await;
        assert_eq!(refused.err(), Some(StatusCode::PAYLOAD_TOO_LARGE));
    }
}
