//! What is routed where: the facts of one route, as they come from the file or from Kubernetes.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
pub use crds::routing::Protocol;
use ipnet::IpNet;

use crate::access::{Rate, Users};

/// One route. The most specific route that matches a request gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Its name in logs and metrics: the environment, as in `shop/production`.
    pub name: String,
    /// Hosts in lower case; a leading `*.` stands for exactly one label.
    pub hosts: Vec<String>,
    /// The path it begins with, by whole segments; `/` for all.
    pub path: String,
    /// Headers that must have exactly these values. Names are in lower case.
    pub headers: Vec<(String, String)>,
    /// Where requests go, by weight.
    pub backends: Vec<Backend>,
    /// Whether a client stays with the backend that its address leads to.
    pub sticky: bool,
    /// What is known of the environment.
    pub state: State,
    /// Why it does not answer, in words, if the environment's status tells.
    pub cause: Option<String>,
    /// Whether search engines are asked to stay away.
    pub noindex: bool,
    /// Networks of clients that get an answer also in maintenance.
    pub allow: Vec<IpNet>,
    /// Whether a request in clear is sent to the same address by https.
    pub https_only: bool,
    /// For how many seconds browsers are told to use https alone (HSTS), in answers by https.
    pub hsts: Option<u32>,
    /// Who may enter; everybody if it is empty.
    pub users: Users,
    /// The most requests per time.
    pub rate: Option<Rate>,
    /// What pods speak.
    pub protocol: Protocol,
    /// Pages of one's own.
    pub pages: Pages,
    /// Times and bounds.
    pub limits: Limits,
    /// When its owner came to be, in seconds since 1970: of two equal routes the older one wins.
    pub since: i64,
}

/// A set of pods that answer alike, and its share of the requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its share, relative to the others'.
    pub weight: u32,
    /// The addresses of its pods that are ready.
    pub endpoints: Vec<SocketAddr>,
    /// Those among them that are only kept though nobody says any more that they are ready.
    pub held: Vec<SocketAddr>,
}

/// What is known of an environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It answers.
    #[default]
    Serving,
    /// A person switched it off for a time.
    Maintenance,
    /// Its processes crash.
    Crashed,
    /// It sleeps until somebody asks for it.
    Asleep,
    /// Nothing was deployed yet.
    Empty,
}

/// Pages of one's own for browsers, in HTML.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// When there is no answer.
    pub error: Option<Bytes>,
    /// During maintenance.
    pub maintenance: Option<Bytes>,
}

impl Default for Route {
    /// A route of nothing that answers at no host.
    fn default() -> Self {
        Self {
            name: String::new(),
            hosts: Vec::new(),
            path: "/".into(),
            headers: Vec::new(),
            backends: Vec::new(),
            sticky: false,
            state: State::default(),
            cause: None,
            noindex: false,
            allow: Vec::new(),
            https_only: false,
            hsts: None,
            users: Users::default(),
            rate: None,
            protocol: Protocol::default(),
            pages: Pages::default(),
            limits: Limits::default(),
            since: 0,
        }
    }
}

/// Times and bounds of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a connection to a pod.
    pub connect: Duration,
    /// From the end of the request to the first byte of the answer.
    pub first_byte: Duration,
    /// Between two pieces of an answer, of a request, or of a WebSocket.
    pub idle: Duration,
    /// For a WebSocket whose pod has left the table.
    pub drain: Duration,
    /// Requests at a time per pod.
    pub per_endpoint: Option<u32>,
    /// Requests that wait for a pod.
    pub queue: u32,
}

impl Default for Limits {
    /// Heroku's: 5 s, 30 s, 55 s (<https://devcenter.heroku.com/articles/http-routing>).
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(55),
            drain: Duration::from_mins(5),
            per_endpoint: None,
            queue: 100,
        }
    }
}
