//! One request and its answer: sending with one retry, the meaning of status codes, redirects within the host, and a
//! body that is counted while it is read.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName, HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode};
use rustls::ClientConfig;
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use super::{Pool, Sender, open};
use crate::budget::Budget;
use crate::credentials::Credentials;
use crate::error::{ErrorClass, GitError};
use crate::net::Dialer;
use crate::url::RepoUrl;

/// What a smart HTTP client asks first; the redirect of anything else makes no sense.
const INFO_REFS: &str = "/info/refs";
const MAX_REDIRECTS: usize = 3;
/// How long the end of an answer that was read is waited for. It comes with the last bytes, or the connection is given up.
const END_OF_BODY: Duration = Duration::from_millis(20);

/// All that one call needs to talk to its host.
pub(crate) struct Host {
    pub(crate) runtime: Handle,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) key: String,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) url: RepoUrl,
    pub(crate) authorization: Option<Zeroizing<String>>,
    /// For keeping them out of messages.
    pub(crate) credentials: Credentials,
    pub(crate) budget: Arc<Budget>,
}

/// A request without its place: the path and query come from the protocol, the host from the URL.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
}

impl Host {
    /// Sends `ask` and returns the answer if it is a success.
    pub(super) fn send(self: &Arc<Self>, ask: &Ask) -> Result<(Response<()>, Body), GitError> {
        let (response, sender) = self.runtime.block_on(self.exchange(ask))?;
        let (parts, incoming) = response.into_parts();
        let response = Response::from_parts(parts, ());
        self.judge(response.status())?;
        if response.headers().contains_key(CONTENT_ENCODING) {
            return Err(GitError::Protocol {
                detail: "the answer is compressed, which nobody asked for".into(),
            });
        }
        let body =
            Body { host: Arc::clone(self), incoming, sender: Some(sender), chunk: Bytes::new(), done: false };
        Ok((response, body))
    }

    /// Like [`Host::send`] for the first question, following redirects that stay on this scheme, host and port.
    /// Returns the path that the repository was found at.
    pub(super) fn discover(self: &Arc<Self>, ask: &mut Ask) -> Result<(Body, String), GitError> {
        for _ in 0..=MAX_REDIRECTS {
            let (response, sender) = self.runtime.block_on(self.exchange(ask))?;
            if response.status().is_redirection() {
                drop(sender); // its answer is not read to the end, so it cannot be used again
                ask.target = self.redirect(&ask.target, response.headers().get(LOCATION))?;
                continue;
            }
            let (parts, incoming) = response.into_parts();
            let response = Response::from_parts(parts, ());
            self.judge(response.status())?;
            self.check_content_type(&response)?;
            let base = ask.target.split(INFO_REFS).next().unwrap_or_default().to_owned();
            let body = Body {
                host: Arc::clone(self),
                incoming,
                sender: Some(sender),
                chunk: Bytes::new(),
                done: false,
            };
            return Ok((body, base));
        }
        Err(self.redirected("itself again and again", "too often"))
    }

    async fn exchange(&self, ask: &Ask) -> Result<(Response<Incoming>, Sender), GitError> {
        if let Some(mut sender) = self.pool.take(&self.key)
            && let Ok(Ok(response)) = self.ask(&mut sender, ask).await
        {
            return Ok((response, sender));
        }
        // No open connection, or the host closed it meanwhile. Reading from git is safe to repeat.
        let mut sender = open(&self.dialer, &self.tls, &self.url, &self.budget).await?;
        let response = self.ask(&mut sender, ask).await??;
        Ok((response, sender))
    }

    async fn ask(
        &self,
        sender: &mut Sender,
        ask: &Ask,
    ) -> Result<Result<Response<Incoming>, GitError>, GitError> {
        let request = self.request(ask)?;
        let answer = async {
            sender.ready().await?;
            sender.send_request(request).await
        };
        let answer = self.budget.idle("waiting for its answer", answer).await?;
        Ok(answer.map_err(|error| super::broken(&self.url, &error)))
    }

    fn request(&self, ask: &Ask) -> Result<Request<Full<Bytes>>, GitError> {
        let invalid = |_| GitError::InvalidUrl { reason: "it does not fit into an HTTP request".into() };
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(ask.target.as_str())
            .header(HOST, self.url.authority())
            .body(Full::new(ask.body.clone()))
            .map_err(invalid)?;
        request.headers_mut().extend(ask.headers.iter().cloned());
        if let Some(authorization) = &self.authorization {
            let mut value =
                HeaderValue::from_str(authorization).map_err(|_| GitError::InvalidCredentials {
                    reason: "they hold characters that HTTP does not allow".into(),
                })?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    fn judge(&self, status: StatusCode) -> Result<(), GitError> {
        let url = self.url.to_string();
        let http = |class, cure| GitError::Http { url: url.clone(), status: status.as_u16(), class, cure };
        match status.as_u16() {
            200 => Ok(()),
            code @ (401 | 403) => {
                let cure = if self.authorization.is_some() {
                    "the Secret's token or password is wrong, expired or may not read this repository"
                } else {
                    "the repository is private; put a token into a Secret and name it in `secretRef`"
                };
                Err(GitError::Unauthorized { url, status: code, cure })
            }
            404 | 410 => Err(GitError::NotFound { url }),
            429 => {
                Err(http(ErrorClass::Transient, "it limits our rate; it is tried again, raise the interval"))
            }
            300..=399 => Err(self.redirected("another place", "in the middle of a fetch")),
            500.. => Err(http(ErrorClass::Transient, "the git host has a problem; it is tried again")),
            _ => Err(http(ErrorClass::NeedsUser, "check the URL")),
        }
    }

    fn check_content_type(&self, response: &Response<()>) -> Result<(), GitError> {
        let found = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let found = String::from_utf8_lossy(found);
        if found.trim() == "application/x-git-upload-pack-advertisement" {
            return Ok(());
        }
        Err(GitError::NotGit { url: self.url.to_string(), content_type: self.credentials.redact(&found) })
    }

    fn redirected(&self, location: &str, reason: &'static str) -> GitError {
        GitError::Redirected { url: self.url.to_string(), location: location.to_owned(), reason }
    }

    /// The target of a redirect if it stays within this repository's scheme, host and port: whatever else it names was
    /// not checked by anybody, and would get our credentials.
    fn redirect(&self, target: &str, location: Option<&HeaderValue>) -> Result<String, GitError> {
        let nowhere = || self.redirected("nowhere", "which is no valid redirect");
        let location = location.and_then(|value| value.to_str().ok()).ok_or_else(nowhere)?;
        let origin = self.url.with_path("").to_string();
        let base = url::Url::parse(&origin).and_then(|url| url.join(target)).map_err(|_| nowhere())?;
        let goal = base.join(location).map_err(|_| nowhere())?;
        let mut shown = goal.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        let clean = shown.set_username("").is_ok() && shown.set_password(None).is_ok();
        let shown = if clean {
            self.credentials.redact(shown.as_str().trim_end_matches(INFO_REFS))
        } else {
            "another place".into()
        };
        if goal.scheme() != base.scheme() {
            return Err(self.redirected(&shown, "which has another scheme"));
        }
        if goal.host() != base.host() || goal.port_or_known_default() != base.port_or_known_default() {
            return Err(self.redirected(&shown, "which is another host"));
        }
        if !goal.path().ends_with(INFO_REFS) || goal.query() != Some("service=git-upload-pack") {
            return Err(self.redirected(&shown, "which is no git repository (a login page?)"));
        }
        Ok(format!("{}?service=git-upload-pack", goal.path()))
    }
}

/// The body of an answer. Blocking; every byte counts against the budget, every wait has an end, and what fails is
/// noted in the budget.
pub(crate) struct Body {
    host: Arc<Host>,
    incoming: Incoming,
    sender: Option<Sender>,
    chunk: Bytes,
    done: bool,
}

impl Body {
    fn next_chunk(&mut self) -> Result<(), GitError> {
        while self.chunk.is_empty() && !self.done {
            let frame = self.incoming.frame();
            let frame = self.host.runtime.block_on(self.host.budget.idle("receiving its answer", frame))?;
            match frame {
                None => {
                    self.done = true;
                    if let Some(sender) = self.sender.take() {
                        self.host.pool.put(&self.host.key, sender);
                    }
                }
                Some(Err(error)) => return Err(super::broken(&self.host.url, &error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.host.budget.received(data.len())?;
                        self.chunk = data;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Drop for Body {
    /// Git's reader stops at the end of the message, mostly just short of the end of the HTTP body. What is left is
    /// read if it is there already; without this the connection could not be used again.
    fn drop(&mut self) {
        if self.done || self.host.budget.failure().is_some() {
            return;
        }
        let incoming = &mut self.incoming;
        let rest = async {
            loop {
                match incoming.frame().await {
                    None => return true,
                    Some(Ok(frame)) if frame.data_ref().is_none_or(Bytes::is_empty) => {}
                    Some(_) => return false,
                }
            }
        };
        let ended = self.host.runtime.block_on(async { tokio::time::timeout(END_OF_BODY, rest).await });
        if let (Ok(true), Some(sender)) = (ended, self.sender.take()) {
            self.host.pool.put(&self.host.key, sender);
        }
    }
}

impl Read for Body {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Err(error) = self.next_chunk() {
            self.done = true;
            return Err(self.host.budget.fail(error));
        }
        let chunk = self.chunk.split_to(self.chunk.len().min(out.len()));
        out[..chunk.len()].copy_from_slice(&chunk);
        Ok(chunk.len())
    }
}
