//! One request from its header to the pod's answer.

use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::header::{self, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::TrySendError;

use crate::body::{Answer, Body, Outgoing, Upload};
use crate::code::Code;
use crate::headers::{self, Peer};
use crate::record::{Record, Work};
use crate::reply::{Refusal, finish_headers, is_event_stream, refusal, refuse, send_to};
use crate::route::{Limits, State};
use crate::table::Live;
use crate::worker::{Sender, Worker};
use crate::{host, pick, tunnel};

/// For so long a pod's work is counted after its client has stopped waiting.
const ABANDONED: Duration = Duration::from_mins(10);

/// What a pod has said, or will.
type Answering = Pin<Box<dyn Future<Output = Result<Response<Incoming>, TrySendError<Request<Outgoing>>>>>>;

/// Answers a request.
pub async fn serve(worker: Rc<Worker>, peer: Rc<Peer>, request: Request<Incoming>) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let accept = parts.headers.get(header::ACCEPT).cloned();
    let mut record = begin(&worker, &peer, &mut parts);
    match exchange(&mut record, parts, body).await {
        Ok(Passed::Answer(mut response, sender)) => {
            record.status = response.status();
            if is_event_stream(response.headers()) {
                record.open_stream();
            }
            finish_headers(&mut response, &record);
            let limit = record.live().map_or(Limits::default().idle, |live| live.route.limits.idle);
            response.map(|inner| Body::Answer(Box::new(Answer::new(inner, sender, record, limit))))
        }
        Ok(Passed::Switched(mut response, answer, client)) => {
            record.status = response.status();
            record.open_stream();
            finish_headers(&mut response, &record);
            tunnel::start(record, answer, client);
            response.map(|()| Body::Page(Full::default()))
        }
        Ok(Passed::Sent(place)) => send_to(record, place),
        Err(refusal) => refuse(record, &refusal, accept.as_ref()),
    }
}

/// What came of a request that was passed on.
enum Passed {
    /// An answer, and the connection that it came on.
    Answer(Response<Incoming>, Sender),
    /// It has to come again by https, there.
    Sent(HeaderValue),
    /// The protocol was changed: what the client is told, the pod's side, the client's side.
    Switched(Response<()>, hyper::upgrade::OnUpgrade, hyper::upgrade::OnUpgrade),
}

fn begin(worker: &Rc<Worker>, peer: &Rc<Peer>, parts: &mut Parts) -> Record {
    let draw = || (u128::from(worker.draw()) << 64) | u128::from(worker.draw());
    let id = headers::request_id(&mut parts.headers, draw);
    if let (None, Some(authority)) = (parts.headers.get(header::HOST), parts.uri.authority())
        && parts.version >= Version::HTTP_2
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(header::HOST, host);
    }
    Record {
        worker: worker.clone(),
        peer: peer.clone(),
        route: None,
        method: parts.method.clone(),
        path: parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")),
        host: parts.headers.get(header::HOST).cloned().unwrap_or(HeaderValue::from_static("")),
        id,
        start: Instant::now(),
        connected: None,
        status: StatusCode::OK,
        bytes: 0,
        stream: None,
        work: None,
    }
}

/// Finds the route, says what the route's state says, passes the request on.
async fn exchange(record: &mut Record, mut parts: Parts, body: Incoming) -> Result<Passed, Refusal> {
    let table = record.worker.tables.load_full();
    let index = {
        let host = host::of_request(&parts.uri, &parts.headers, parts.version)
            .map_err(|bad| refusal(Code::H26, bad.to_string()))?;
        let made_for = record.peer.made_for.as_ref();
        if made_for.is_some_and(|(name, shelf)| !name.is_empty() && !shelf.is_shared(name, host.name())) {
            return Err(refusal(Code::H31, "the connection was made for a host with another certificate"));
        }
        if parts.method == Method::CONNECT {
            return Err(refusal(Code::H26, "CONNECT is for proxies, and this is none"));
        }
        let found = table.find(host.name(), parts.uri.path(), &parts.headers);
        let found = found.map_err(|_| {
            refusal(
                Code::H26,
                "the path has dot segments, empty segments or encoded slashes; write it plainly",
            )
        })?;
        found.ok_or_else(|| refusal(Code::H81, format!("nothing is deployed at {}", host.name())))?
    };
    record.route = Some((table.clone(), index));
    let Some(live) = table.route(index) else { return Err(Code::H99.into()) };
    live.stats.busy().arrived(parts.headers.contains_key(headers::ATTEMPT));
    record.work = Some(Work::new(live.stats.clone()));
    state(live, record.peer.address)?;
    if live.route.https_only
        && record.peer.proto == "http"
        && !headers::is_https(&parts.headers, &record.peer)
    {
        let host = host::parse(record.host.to_str().unwrap_or_default()).map(|host| host.name().to_owned());
        let place =
            host.ok().and_then(|host| HeaderValue::try_from(format!("https://{host}{}", record.path)).ok());
        return place.map(Passed::Sent).ok_or_else(|| Code::H26.into());
    }
    let switch = headers::upgrade(&parts.headers);
    headers::remove_hop_by_hop(&mut parts.headers);
    // Our server has answered it, or will when the body is read.
    parts.headers.remove(header::EXPECT);
    headers::forward(&mut parts.headers, &record.peer, &record.host);
    parts.uri = Uri::from(record.path.clone());
    if parts.version >= Version::HTTP_2 {
        headers::join_cookies(&mut parts.headers);
    }
    parts.version = Version::HTTP_11;
    let client = switch.map(|protocol| {
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(header::UPGRADE, protocol);
        parts.extensions.remove::<hyper::upgrade::OnUpgrade>()
    });
    let (response, sender) = pass_on(record, live, parts, body).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return match client.flatten() {
            Some(client) => Ok(switched(response, client)),
            // Nobody asked for it.
            None => Err(Code::H17.into()),
        };
    }
    Ok(Passed::Answer(response, sender))
}

fn state(live: &Live, client: IpAddr) -> Result<(), Refusal> {
    let cause = live.route.cause.clone();
    let code = match live.route.state {
        State::Serving => return Ok(()),
        State::Maintenance if live.route.allow.iter().any(|net| net.contains(&client)) => return Ok(()),
        State::Maintenance => Code::H80,
        State::Crashed => Code::H10,
        State::Asleep => Code::H20,
        State::Empty => Code::H81,
    };
    Err(Refusal { code, cause })
}

/// Sends the request to a pod; to another one if the first cannot have seen it, or may see it twice without harm.
async fn pass_on(
    record: &mut Record,
    live: &Live,
    parts: Parts,
    body: Incoming,
) -> Result<(Response<Incoming>, Sender), Refusal> {
    let limits = live.route.limits;
    let upload = Rc::new(Upload::default());
    let outgoing = if body.is_end_stream() {
        Outgoing::empty()
    } else {
        Outgoing::new(body, upload.clone(), limits.idle)
    };
    let has_body = !hyper::body::Body::is_end_stream(&outgoing);
    let mut request = Request::from_parts(parts, outgoing);
    let harmless = !has_body && headers::is_idempotent(request.method());
    let mut tried = None;
    loop {
        let (mut sender, reused) = match pick::connection(record, live, tried).await {
            Ok(found) => found,
            Err(code) if tried.is_none() && matches!(code, Code::H19 | Code::H21) => {
                tried = record.pod_id();
                continue;
            }
            Err(code) => return Err(Refusal { code, cause: live.route.cause.clone() }),
        };
        record.connected.get_or_insert_with(Instant::now);
        let sent = Instant::now();
        // The pod may close a connection in the very moment in which it is used again.
        let spare = (reused && harmless).then(|| copy(&request));
        let answering: Answering = Box::pin(sender.try_send_request(request));
        let mut waiting = Waiting { answering: Some(answering), work: record.work.take() };
        let result = wait(&mut waiting, has_body.then_some(&*upload), limits.first_byte).await;
        let Some(result) = result else { return Err(Code::H12.into()) };
        record.work = waiting.work.take();
        waiting.answering = None;
        match result {
            Ok(response) => {
                record.pod(|pod| pod.answered(sent.elapsed()));
                return Ok((response, sender));
            }
            Err(mut error) => {
                let again = error.take_message().or(spare);
                if let (Some(again), None) = (again, tried) {
                    // A connection that was closed while it was idle says nothing about the pod.
                    tried = if reused { Some(0) } else { record.pod_id() };
                    request = again;
                    continue;
                }
                if upload.failed().is_none() {
                    record.pod(|pod| pod.failed(Instant::now()));
                }
                return Err(upload.failed().unwrap_or_else(|| code_of(error.error())).into());
            }
        }
    }
}

fn code_of(error: &hyper::Error) -> Code {
    if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
        Code::H17
    } else {
        Code::H13
    }
}

/// A request at a pod. If its client goes away meanwhile, the pod's work goes on, and is counted until it ends.
struct Waiting {
    answering: Option<Answering>,
    work: Option<Work>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let (Some(answering), Some(work)) = (self.answering.take(), self.work.take()) {
            tokio::task::spawn_local(async move {
                let _ = tokio::time::timeout(ABANDONED, answering).await;
                drop(work);
            });
        }
    }
}

/// Waits for the first byte of the answer; the limit begins when the request was sent. None when it is over.
async fn wait(
    waiting: &mut Waiting,
    upload: Option<&Upload>,
    limit: Duration,
) -> Option<Result<Response<Incoming>, TrySendError<Request<Outgoing>>>> {
    let answering = waiting.answering.as_mut()?;
    if let Some(upload) = upload {
        tokio::select! {
            biased;
            result = answering.as_mut() => return Some(result),
            () = upload.sent() => {}
        }
    }
    tokio::time::timeout(limit, answering.as_mut()).await.ok()
}

/// A request without a body, to send it a second time.
fn copy(request: &Request<Outgoing>) -> Request<Outgoing> {
    let mut copy = Request::new(Outgoing::empty());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    copy
}

fn switched(mut response: Response<Incoming>, client: hyper::upgrade::OnUpgrade) -> Passed {
    let pod = hyper::upgrade::on(&mut response);
    let protocol = response.headers().get(header::UPGRADE).cloned();
    let mut response = response.map(drop);
    headers::remove_hop_by_hop(response.headers_mut());
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    if let Some(protocol) = protocol {
        response.headers_mut().insert(header::UPGRADE, protocol);
    }
    Passed::Switched(response, pod, client)
}
