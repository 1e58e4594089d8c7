//! Passing a request on to a pod, and waiting for the first byte of its answer.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{Request, Response};
use hyper::body::{Body as _, Incoming};

use crate::clock::Clock;
use crate::code::Code;
use crate::endpoint::Abandoned;
use crate::pick;
use crate::record::{Record, Work};
use crate::reply::{Refusal, refusal};
use crate::route::{Limits, Protocol};
use crate::sender::{Answering, Said, Sender};
use crate::upload::{Outgoing, Upload};
use crate::{spare, websocket};

/// For so long a pod's work is counted after its client has stopped waiting.
const ABANDONED: Duration = Duration::from_mins(10);

/// So many connections of the pool may be found to be at their end before a new one is made.
const STALE: u32 = 3;

/// A pod's answer.
pub struct Passed {
    /// Its header, and its body on the way.
    pub response: Response<Incoming>,
    /// The connection that it came on.
    pub sender: Sender,
    /// How far the client's body is, if it has one.
    pub upload: Option<Rc<Upload>>,
}

/// Sends the request to a pod; to another one if the first cannot have seen it, or may see it twice without harm.
///
/// # Errors
/// The code of what went wrong at the pod, at the client, or in between.
pub async fn pass_on(
    record: &mut Record,
    parts: &mut Parts,
    body: Incoming,
    websocket: bool,
) -> Result<Passed, Refusal> {
    let (limits, protocol) =
        record.live().map(|live| (live.route.limits, live.route.protocol)).unwrap_or_default();
    let http2 = protocol == Protocol::H2c;
    let (mut request, upload) = to_pod(parts, body, limits);
    if websocket {
        websocket::ask(&mut request, http2, || record.worker.draw_long());
    }
    let is_harmless = upload.is_none() && request.method().is_idempotent();
    let (mut tried, mut stale) = (None, STALE);
    loop {
        let (mut sender, is_reused) = match pick::connection(record, protocol, tried).await {
            Ok(found) => found,
            Err(code) if tried.is_none() && matches!(code, Code::H19 | Code::H21) => {
                tried = record.pod_id();
                continue;
            }
            Err(code) => return Err(Refusal::new(code, cause(record))),
        };
        if websocket {
            Box::pin(may_open(&sender, limits)).await?;
        }
        let sent = Instant::now();
        record.connected.get_or_insert(sent);
        // The pod may close a connection in the very moment in which it is used again. One of HTTP/1.1 keeps what it writes.
        let may_come_again = is_reused && is_harmless;
        let spare = (http2 && may_come_again).then(|| spare::copy(&request));
        let answering = sender.send(request, websocket || upload.is_some(), may_come_again);
        let mut waiting = Waiting { at: Some((answering, sender)), work: record.work.take() };
        let said = wait(&mut waiting, upload.as_deref(), &limits, (sent, record.peer.clock.as_ref())).await?;
        let (work, sender) = waiting.done();
        record.work = work;
        let (mut error, sender) = match (said, sender) {
            (Ok(response), Some(sender)) => {
                sender.answered();
                record.answered = Some(Instant::now());
                answered(record, upload.as_deref(), sent);
                return Ok(Passed { response, sender, upload });
            }
            (Ok(_), None) => return Err(Code::H99.into()),
            (Err(error), sender) => (error, sender),
        };
        let mut unsent = error.take_message();
        if is_reused
            && stale > 0
            && let Some(unsent) = unsent.take()
        {
            // The connection was at its end, and nothing of the request was written: no try is used up.
            stale -= 1;
            record.leave_pod();
            record.waited = true;
            request = unsent;
            continue;
        }
        let again = unsent.or_else(|| {
            let kept = || spare.or_else(|| sender?.again());
            is_unseen(error.error(), http2).then(kept).flatten()
        });
        if let (Some(again), None) = (again, tried) {
            // A connection that was closed while it was idle says nothing about the pod.
            tried = if is_reused { Some(0) } else { record.pod_id() };
            request = again;
            continue;
        }
        return Err(failed(record, upload.as_deref(), error.error()).into());
    }
}

/// Refuses a WebSocket that the pod's connection cannot carry.
async fn may_open(sender: &Sender, limits: Limits) -> Result<(), Refusal> {
    if !sender.allows_websockets(limits.connect).await {
        return Err(refusal(Code::H25, "the process speaks HTTP/2, and offers no WebSockets in it"));
    }
    Ok(())
}

/// What is known of the environment.
fn cause(record: &Record) -> Option<String> {
    record.live().and_then(|live| live.route.cause.clone())
}

/// The request as it goes to a pod, and how far its body is, if it has one. The parts are taken out of where they are: a
/// future that was given them would hold them twice.
fn to_pod(parts: &mut Parts, body: Incoming, limits: Limits) -> (Request<Outgoing>, Option<Rc<Upload>>) {
    let upload = (!body.is_end_stream()).then(|| Rc::new(Upload::default()));
    let outgoing = match &upload {
        Some(upload) => Outgoing::new(body, upload.clone(), limits.idle),
        None => Outgoing::empty(),
    };
    let mut request = Request::new(outgoing);
    *request.method_mut() = std::mem::take(&mut parts.method);
    *request.uri_mut() = std::mem::take(&mut parts.uri);
    *request.version_mut() = parts.version;
    *request.headers_mut() = std::mem::take(&mut parts.headers);
    *request.extensions_mut() = std::mem::take(&mut parts.extensions);
    (request, upload)
}

/// Why there is no answer; tells the pod, if it is its doing.
fn failed(record: &Record, upload: Option<&Upload>, error: &hyper::Error) -> Code {
    if let Some(code) = upload.and_then(Upload::failed) {
        return code;
    }
    if error.is_user() {
        // What we asked of the library cannot be sent.
        return Code::H99;
    }
    record.tell_pod(|pod| pod.failed(Instant::now()));
    code_of(error)
}

/// Whether a request that was sent on a connection used before may be sent again: nothing came back that shows that it
/// was begun. HTTP/2 says which streams it has not begun; one that was reset by its handler was.
fn is_unseen(error: &hyper::Error, http2: bool) -> bool {
    let source = std::error::Error::source(error);
    match source.and_then(|source| source.downcast_ref::<h2::Error>()) {
        Some(h2) => h2.is_go_away() || h2.reason() == Some(h2::Reason::REFUSED_STREAM),
        // Of HTTP/2 the connection's end comes as an error of the system.
        None if http2 => source.is_some_and(<dyn std::error::Error>::is::<std::io::Error>),
        None => code_of(error) != Code::H17,
    }
}

/// The pod needed so long: from the end of the request, because how fast a client sends is not its doing.
fn answered(record: &Record, upload: Option<&Upload>, sent: Instant) {
    let begun = match upload {
        Some(upload) => upload.ended(),
        None => Some(sent),
    };
    let now = record.answered.unwrap_or(sent);
    record.tell_pod(|pod| match begun {
        Some(begun) => pod.answered(now.saturating_duration_since(begun)),
        None => pod.lives(),
    });
}

fn code_of(error: &hyper::Error) -> Code {
    if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
        Code::H17
    } else {
        Code::H13
    }
}

/// A request at a pod. If its client stops waiting, the pod's work goes on, and is counted until it ends; unless there
/// is too much of that already: then the connection is closed, which tells the pod to stop.
struct Waiting {
    /// Also of the connection: its share of one of HTTP/2 is taken as long as the work goes on.
    at: Option<(Answering, Sender)>,
    work: Option<Work>,
}

/// The pod's answer, if it has come.
fn look((answering, sender): &mut (Answering, Sender), cx: &mut Context<'_>) -> Poll<Said> {
    sender.poll(cx, |cx| answering.as_mut().poll(cx))
}

impl Waiting {
    /// The pod has answered, or will not.
    fn done(mut self) -> (Option<Work>, Option<Sender>) {
        (self.work.take(), self.at.take().map(|(_, sender)| sender))
    }

    /// What the pod says, when it does.
    fn said(&mut self) -> impl Future<Output = Said> + Unpin {
        poll_fn(|cx| self.at.as_mut().map_or(Poll::Pending, |at| look(at, cx)))
    }

    /// It did not answer in time: others are better.
    fn blame(&self) {
        if let Some(place) = self.work.as_ref().and_then(Work::place) {
            place.endpoint().failed(Instant::now());
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let (Some(mut at), Some(work)) = (self.at.take(), self.work.take()) else { return };
        let Some(pod) = work.place().map(|place| Arc::clone(place.endpoint())) else { return };
        if let Some(abandoned) = Abandoned::at(&pod) {
            tokio::task::spawn_local(async move {
                let _ = tokio::time::timeout(ABANDONED, poll_fn(|cx| look(&mut at, cx))).await;
                drop((work, abandoned, at));
            });
        }
    }
}

/// Waits for the first byte of the answer; the limit begins when the request was sent.
async fn wait(
    waiting: &mut Waiting,
    upload: Option<&Upload>,
    limits: &Limits,
    (sent, clock): (Instant, Option<&Clock>),
) -> Result<Said, Refusal> {
    if let Some(upload) = upload {
        let (sent, stuck) = (Box::pin(upload.sent()), Box::pin(upload.stuck(limits.idle)));
        tokio::select! {
            biased;
            said = waiting.said() => return Ok(said),
            () = sent => {}
            () = stuck => {
                // Closes the connection: nothing can come of half a request.
                waiting.at = None;
                waiting.blame();
                return Err(refusal(Code::H12, "the process stopped reading the request"));
            }
        }
    }
    let said = match clock {
        Some(clock) => {
            clock
                .within(upload.and_then(Upload::ended).unwrap_or(sent), limits.first_byte, waiting.said())
                .await
        }
        None => Box::pin(tokio::time::timeout(limits.first_byte, waiting.said())).await.ok(),
    };
    said.ok_or_else(|| {
        waiting.blame();
        Code::H12.into()
    })
}
