//! The table of routes from a file: for tests, benchmarks and people without a cluster.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crds::routing::{Pages, RateLimit, User};
use ipnet::IpNet;
use serde::Deserialize;

use crate::route::{Backend, Limits, Protocol, Route, State};
use crate::{host, settings};

/// Why a file is not used. The table before it stays.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{file}: {error}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// It is not of the form.
    #[error("{file}: {why}")]
    Form {
        /// The file.
        file: String,
        /// What is wrong and where.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    routes: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Item {
    name: String,
    hosts: Vec<String>,
    #[serde(default = "root")]
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    backends: Vec<BackendItem>,
    #[serde(default)]
    sticky: bool,
    #[serde(default)]
    state: State,
    cause: Option<String>,
    #[serde(default)]
    noindex: bool,
    #[serde(default)]
    allow: Vec<IpNet>,
    #[serde(default)]
    https_only: bool,
    hsts: Option<u32>,
    #[serde(default)]
    limits: LimitsItem,
    #[serde(default)]
    protocol: Protocol,
    rate_limit: Option<RateLimit>,
    #[serde(default)]
    basic_auth: Vec<User>,
    #[serde(default)]
    pages: Pages,
    #[serde(default)]
    since: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackendItem {
    #[serde(default = "one")]
    weight: u32,
    endpoints: Vec<SocketAddr>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LimitsItem {
    connect: Option<String>,
    first_byte: Option<String>,
    idle: Option<String>,
    drain: Option<String>,
    per_endpoint: Option<u32>,
    queue: Option<u32>,
}

fn root() -> String {
    "/".to_owned()
}

fn one() -> u32 {
    1
}

/// Reads the routes of a file.
///
/// # Errors
/// [`FileError`] with the file and what to mend.
pub fn read(file: &Path) -> Result<Vec<Route>, FileError> {
    let name = || file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| FileError::Read { file: name(), error })?;
    parse(&text).map_err(|why| FileError::Form { file: name(), why })
}

/// Reads routes from YAML; the error says what to mend.
///
/// # Errors
/// In words, with the route and the cure.
pub fn parse(text: &str) -> Result<Vec<Route>, String> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| first_line(&error.to_string()))?;
    let routes: Vec<Route> = file.routes.into_iter().map(Item::checked).collect::<Result<_, _>>()?;
    let mut names = HashSet::new();
    match routes.iter().find(|route| !names.insert(route.name.as_str())) {
        Some(twice) => Err(format!("two routes have the name {:?}; names are unique", twice.name)),
        None => Ok(routes),
    }
}

/// The parser's own words, without the picture of the place: the file may be logged.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

impl Item {
    fn checked(self) -> Result<Route, String> {
        let name = self.name;
        let wrong = |why: String| format!("route {name:?}: {why}");
        if name.is_empty() || self.hosts.is_empty() {
            return Err(wrong("it needs a name and at least one host".into()));
        }
        let hosts =
            self.hosts.iter().map(|host| checked_host(host).map_err(&wrong)).collect::<Result<_, _>>()?;
        if !self.path.starts_with('/') {
            return Err(wrong(format!("path {:?} must begin with /", self.path)));
        }
        let mut headers = Vec::new();
        for (header, value) in &self.headers {
            let name: http::HeaderName =
                header.parse().map_err(|_| wrong(format!("{header:?} is no header's name")))?;
            headers.push((name.as_str().to_owned(), value.clone()));
        }
        let limits = self.limits.checked().map_err(&wrong)?;
        let backends = self.backends.into_iter().map(BackendItem::into).collect();
        Ok(Route {
            hosts,
            path: self.path,
            headers,
            backends,
            sticky: self.sticky,
            state: self.state,
            cause: self.cause,
            noindex: self.noindex,
            allow: self.allow,
            https_only: self.https_only,
            hsts: self.hsts,
            users: settings::users(&self.basic_auth).map_err(&wrong)?,
            rate: self.rate_limit.as_ref().map(settings::rate).transpose().map_err(&wrong)?,
            protocol: self.protocol,
            pages: settings::pages(&self.pages),
            limits,
            since: self.since,
            name,
        })
    }
}

impl From<BackendItem> for Backend {
    fn from(item: BackendItem) -> Self {
        Self { weight: item.weight, endpoints: item.endpoints, held: Vec::new() }
    }
}

fn checked_host(text: &str) -> Result<String, String> {
    let (star, rest) = match text.strip_prefix("*.") {
        Some(rest) => ("*.", rest),
        None => ("", text),
    };
    let host = host::parse(rest)
        .map_err(|_| format!("host {text:?} is none; write shop.example.com or *.example.com"))?;
    if host.name().len() + star.len() < text.trim_end_matches('.').len() {
        return Err(format!("host {text:?} has a port; routes are told apart by the name alone"));
    }
    Ok(format!("{star}{}", host.name()))
}

impl LimitsItem {
    fn checked(&self) -> Result<Limits, String> {
        let own = Limits::default();
        let time = |text: &Option<String>, default: Duration, name: &str| match text {
            None => Ok(default),
            Some(text) => duration(text).ok_or_else(|| {
                format!("limits.{name} {text:?} is no time between 1ms and 24h; write 30s or 500ms")
            }),
        };
        if self.per_endpoint == Some(0) {
            return Err("limits.perEndpoint must be 1 or more; leave it out for no limit".into());
        }
        Ok(Limits {
            connect: time(&self.connect, own.connect, "connect")?,
            first_byte: time(&self.first_byte, own.first_byte, "firstByte")?,
            idle: time(&self.idle, own.idle, "idle")?,
            drain: time(&self.drain, own.drain, "drain")?,
            per_endpoint: self.per_endpoint,
            queue: self.queue.unwrap_or(own.queue),
        })
    }
}

fn duration(text: &str) -> Option<Duration> {
    let span: jiff::SignedDuration = text.parse().ok()?;
    let duration = Duration::try_from(span).ok()?;
    (Duration::from_millis(1)..=Duration::from_hours(24)).contains(&duration).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_route_and_the_shortest_one() {
        let routes = parse(
            "routes:
- {name: a, hosts: [Shop.Example.com, '*.preview.example.com'], path: /api, headers: {X-Version: '2'}, sticky: true,
   backends: [{weight: 9, endpoints: ['10.0.0.1:80']}, {endpoints: ['[::1]:80']}],
   limits: {firstByte: 500ms, perEndpoint: 4, queue: 0}, state: crashed, cause: OOMKilled}
- {name: b, hosts: [b]}",
        );
        let routes = routes.unwrap();
        assert_eq!(routes[0].hosts, ["shop.example.com", "*.preview.example.com"]);
        assert_eq!(routes[0].headers, [("x-version".to_owned(), "2".to_owned())]);
        assert_eq!(routes[0].limits.first_byte, Duration::from_millis(500));
        assert_eq!((routes[0].state, routes[0].backends[1].weight), (State::Crashed, 1));
        assert_eq!((routes[1].path.as_str(), routes[1].limits), ("/", Limits::default()));
    }

    #[test]
    fn an_error_names_the_route_and_the_cure() {
        for (item, words) in [
            ("{name: a, hosts: ['a b']}", "route \"a\": host \"a b\" is none"),
            ("{name: a, hosts: ['a:80']}", "has a port"),
            ("{name: a, hosts: [a], path: x}", "must begin with /"),
            ("{name: a, hosts: [a], limits: {idle: soon}}", "write 30s or 500ms"),
            ("{name: a, hosts: [a], limits: {perEndpoint: 0}}", "1 or more"),
            ("{name: a, hosts: []}", "at least one host"),
            ("{name: a, hosts: [a], weigth: 1}", "weigth"),
            ("{name: a, hosts: [a]}\n- {name: a, hosts: [b]}", "names are unique"),
        ] {
            let error = parse(&format!("routes:\n- {item}")).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
