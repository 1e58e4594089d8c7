//! Settings as people write them, for the routes file and for Environments alike, as the router uses them.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use crds::routing::{self, RateLimit, Routing};
use ipnet::IpNet;

use crate::access::{self, Rate, Users};
use crate::route::{Limits, Pages, Route, State};

/// The longest time that can be set.
const LONGEST: Duration = Duration::from_hours(24);

/// Sets on a route what its Environment asks for. What the API server has let through though it has no form is left
/// out: a router that stops for one would stop for all.
pub fn apply(routing: &Routing, route: &mut Route) {
    route.protocol = routing.protocol;
    route.https_only = routing.https_only;
    route.hsts = routing.hsts.as_ref().map(|time| u32::try_from(time.get().as_secs()).unwrap_or(u32::MAX));
    route.noindex = routing.noindex.unwrap_or(route.noindex);
    route.pages = pages(&routing.pages);
    route.rate = routing.rate_limit.as_ref().and_then(|limit| rate(limit).ok());
    route.users = users(&routing.basic_auth).unwrap_or_else(|_| nobody());
    route.limits = limits(routing);
    if let Some(maintenance) = &routing.maintenance {
        route.state = State::Maintenance;
        route.allow = maintenance.allow.iter().filter_map(|net| net.as_str().parse().ok()).collect();
    }
}

fn limits(routing: &Routing) -> Limits {
    let own = Limits::default();
    let time = |set: &Option<crds::text::Duration>, default: Duration| {
        set.as_ref().map_or(default, |set| set.get().clamp(Duration::from_millis(1), LONGEST))
    };
    let times = &routing.timeouts;
    Limits {
        connect: time(&times.connect, own.connect),
        first_byte: time(&times.first_byte, own.first_byte),
        idle: time(&times.idle, own.idle),
        drain: time(&times.drain, own.drain),
        per_endpoint: routing.requests_per_pod.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0),
        queue: routing.queue.and_then(|n| u32::try_from(n).ok()).unwrap_or(own.queue),
    }
}

/// Who may enter.
///
/// # Errors
/// When a hash has no form; the error names the cure, and never the hash.
pub fn users(users: &[routing::User]) -> Result<Users, String> {
    let user = |user: &routing::User| {
        let hash = user.hash.as_str();
        match crds::access::PasswordHash::new(hash) {
            Ok(_) => Ok(access::User { name: user.user.to_string(), hash: hash.to_owned() }),
            Err(bad) => {
                Err(format!("basicAuth of {:?} has no {}: {}", user.user.as_str(), bad.what, bad.rule))
            }
        }
    };
    users.iter().map(user).collect()
}

/// An entry that nobody has the key for.
fn nobody() -> Users {
    [access::User { name: String::new(), hash: String::new() }].into()
}

/// The most requests per time.
///
/// # Errors
/// When it allows nothing.
pub fn rate(limit: &RateLimit) -> Result<Rate, String> {
    let per = limit.per.get();
    match u32::try_from(limit.requests) {
        Ok(requests @ 1..) if !per.is_zero() && per <= LONGEST => Ok(Rate { requests, per }),
        _ => Err(
            "rateLimit needs 1 or more requests, and a time of at most 24h, as in {requests: 600, per: 1m}"
                .into(),
        ),
    }
}

/// Pages of one's own.
pub fn pages(pages: &routing::Pages) -> Pages {
    let page = |page: &Option<String>| page.as_ref().map(|page| Bytes::from(page.clone()));
    Pages { error: page(&pages.error), maintenance: page(&pages.maintenance) }
}

/// Whether a client's network is one of these.
pub fn is_allowed(allow: &[IpNet], client: Option<IpAddr>) -> bool {
    client.is_some_and(|client| allow.iter().any(|net| net.contains(&client)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_environment_asks_for_is_set() {
        let routing: Routing = serde_json::from_str(
            r#"{"timeouts": {"firstByte": "90s", "idle": "1000h"}, "requestsPerPod": 20, "queue": 0, "hsts": "365d",
            "maintenance": {"allow": ["203.0.113.0/24"]}, "rateLimit": {"requests": 600, "per": "1m"}, "noindex": false,
            "pages": {"error": "<h1>Oh</h1>"}}"#,
        )
        .unwrap();
        let mut route = Route { noindex: true, ..Route::default() };
        apply(&routing, &mut route);
        assert_eq!((route.limits.first_byte, route.limits.idle), (Duration::from_secs(90), LONGEST));
        assert_eq!((route.limits.per_endpoint, route.limits.queue), (Some(20), 0));
        assert_eq!((route.hsts, route.noindex, route.state), (Some(31_536_000), false, State::Maintenance));
        assert!(is_allowed(&route.allow, "203.0.113.9".parse().ok()) && !is_allowed(&route.allow, None));
        assert_eq!(route.rate, Some(Rate { requests: 600, per: Duration::from_secs(60) }));
        assert_eq!(route.pages.error.as_deref(), Some(&b"<h1>Oh</h1>"[..]));
    }

    #[test]
    fn a_hash_without_form_lets_nobody_in() {
        let routing: Routing =
            serde_json::from_str(r#"{"basicAuth": [{"user": "team", "hash": "plain"}]}"#).unwrap();
        let mut route = Route::default();
        apply(&routing, &mut route);
        assert_eq!(route.users.len(), 1);
        assert!(!users(&routing.basic_auth).unwrap_err().contains("plain"));
    }
}
