//! The bridge to the git library: it wants a `GET` whose answer it reads, and a `POST` that it first writes and then
//! reads.

use std::any::Any;
use std::cell::RefCell;
use std::io::{self, BufReader, Cursor, Read, Write};
use std::mem;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use gix_transport::Protocol;
use gix_transport::client::blocking_io::http::{
    GetResponse, Http, PostBodyDataKind, PostResponse, Transport,
};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Response};

use super::exchange::{Ask, Host};
use crate::error::GitError;

/// Greetings of protocol 2 are some hundred bytes; version 0 lists all refs instead.
const MAX_GREETING: u64 = 16 * 1024;
const VERSION_2: &[u8] = b"version 2\n";
/// [`Host::discover`] takes nothing else, so the library needs to see nothing else.
const ADVERTISEMENT: &[u8] = b"content-type: application/x-git-upload-pack-advertisement\n";

/// The library's smart HTTP transport over [`Host`].
pub(crate) type HttpTransport = Transport<Client>;

/// Makes a transport that asks for protocol version 2.
pub(crate) fn transport(host: Arc<Host>) -> Result<HttpTransport, GitError> {
    let address = host.url.to_string();
    let url = address
        .as_str()
        .try_into()
        .map_err(|_| GitError::InvalidUrl { reason: "the git library does not understand it".into() })?;
    let base = host.url.path().to_owned();
    Ok(Transport::new_http(Client { host, base }, url, Protocol::V2, false))
}

/// Sends what the library asks for. The library never sees a credential.
pub(crate) struct Client {
    host: Arc<Host>,
    /// Path of the repository, after redirects within the host.
    base: String,
}

impl Client {
    /// Asks the server what it can do, and remembers that if it speaks protocol 2: the next call then saves a round trip.
    fn greet(&mut self, headers: Vec<(HeaderName, HeaderValue)>) -> io::Result<Box<dyn Read>> {
        let target = format!("{}/info/refs?service=git-upload-pack", self.base);
        let mut ask = Ask { method: Method::GET, target, headers, body: Bytes::new() };
        let (mut body, base) = self.host.discover(&mut ask).map_err(|error| self.host.budget.fail(error))?;
        self.base = base;
        let mut start = Vec::new();
        body.by_ref().take(MAX_GREETING).read_to_end(&mut start)?;
        let is_whole = (start.len() as u64) < MAX_GREETING;
        if is_whole && start.windows(VERSION_2.len()).any(|window| window == VERSION_2) {
            self.host.pool.keep_greeting(&self.host.key, &self.base, start.clone().into());
        }
        Ok(Box::new(Cursor::new(start).chain(body)))
    }
}

fn parse_headers(lines: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<(HeaderName, HeaderValue)> {
    let parse = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().parse().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    };
    lines.into_iter().filter_map(|line| parse(line.as_ref())).collect()
}

/// The one header that the library looks at.
fn header_lines(response: &Response<()>) -> Cursor<Vec<u8>> {
    let value = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    Cursor::new([b"content-type: ", value, b"\n"].concat())
}

impl Http for Client {
    type Headers = BufReader<Headers>;
    type ResponseBody = BufReader<Answer>;
    type PostBody = Question;

    fn get(
        &mut self,
        _url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix_error::Result<GetResponse<Self::Headers, Self::ResponseBody>> {
        let pool = &self.host.pool;
        let body: Box<dyn Read> = if let Some(greeting) = pool.greeting(&self.host.key) {
            self.host.budget.set_greeted_from_memory();
            self.base = greeting.base;
            Box::new(Cursor::new(greeting.body))
        } else {
            self.greet(parse_headers(headers)).map_err(gix_error::Error::from_error)?
        };
        let state = State::Answered(Cursor::new(ADVERTISEMENT.to_vec()), body);
        let shared = Shared::new(Arc::clone(&self.host), state);
        Ok(GetResponse {
            headers: BufReader::new(Headers(shared.clone())),
            body: BufReader::new(Answer(shared)),
        })
    }

    fn post(
        &mut self,
        _url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _body: PostBodyDataKind,
    ) -> gix_error::Result<PostResponse<Self::Headers, Self::ResponseBody, Question>> {
        let target = format!("{}/git-upload-pack", self.base);
        let ask = Ask { method: Method::POST, target, headers: parse_headers(headers), body: Bytes::new() };
        let shared = Shared::new(Arc::clone(&self.host), State::Writing(ask, Vec::new()));
        Ok(PostResponse {
            post_body: Question(shared.clone()),
            headers: BufReader::new(Headers(shared.clone())),
            body: BufReader::with_capacity(64 * 1024, Answer(shared)),
        })
    }

    fn configure(&mut self, _config: &dyn Any) -> gix_error::Result {
        Ok(())
    }
}

enum State {
    /// The question is still being written.
    Writing(Ask, Vec<u8>),
    Answered(Cursor<Vec<u8>>, Box<dyn Read>),
    Failed,
}

#[derive(Clone)]
struct Shared {
    host: Arc<Host>,
    state: Rc<RefCell<State>>,
}

impl Shared {
    fn new(host: Arc<Host>, state: State) -> Self {
        Self { host, state: Rc::new(RefCell::new(state)) }
    }

    /// Runs `read` on the answer; the first call sends the question.
    fn answer<T>(
        &self,
        read: impl FnOnce(&mut Cursor<Vec<u8>>, &mut dyn Read) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state.borrow_mut();
        if let State::Writing(..) = &*state
            && let State::Writing(mut ask, written) = mem::replace(&mut *state, State::Failed)
        {
            ask.body = written.into();
            let (response, body) = self.host.send(&ask).map_err(|error| self.host.budget.fail(error))?;
            *state = State::Answered(header_lines(&response), Box::new(body));
        }
        match &mut *state {
            State::Answered(headers, body) => read(headers, body.as_mut()),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// The request body, kept in memory: questions are a few hundred bytes.
pub(crate) struct Question(Shared);

impl Write for Question {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.state.borrow_mut() {
            State::Writing(_, written) => written.write(bytes),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The response headers as lines.
pub(crate) struct Headers(Shared);

impl Read for Headers {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.answer(|headers, _| headers.read(out))
    }
}

/// The response body.
pub(crate) struct Answer(Shared);

impl Read for Answer {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.answer(|_, body| body.read(out))
    }
}
