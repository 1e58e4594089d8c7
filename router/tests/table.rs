//! The table finds what a naive search over all routes finds.
#![allow(clippy::unwrap_used)]

use http::{HeaderMap, HeaderName};
use proptest::prelude::*;
use router::route::Route;
use router::table::Table;

const HOSTS: &[&str] =
    &["a.example.com", "b.example.com", "*.example.com", "*.b.example.com", "x.b.example.com", "example.com"];
const PATHS: &[&str] = &["/", "/a", "/a/b", "/ab", "/a/"];
const ASKED: &[&str] = &["/", "/a", "/a/b", "/a/b/c", "/ab", "/abc", "/a/x", "/c"];

fn route() -> impl Strategy<Value = Route> {
    let host = proptest::sample::subsequence(HOSTS, 1..3);
    let path = proptest::sample::select(PATHS);
    let headers = proptest::sample::subsequence(&["x", "y"][..], 0..=2);
    (host, path, headers, 0..3i64).prop_map(|(hosts, path, headers, since)| Route {
        name: String::new(),
        hosts: hosts.into_iter().map(Into::into).collect(),
        path: path.into(),
        headers: headers.into_iter().map(|name| (name.to_owned(), "1".to_owned())).collect(),
        since,
        ..Route::default()
    })
}

/// How well a host matches: 2 exactly, 1 by wildcard.
fn host_rank(pattern: &str, host: &str) -> Option<u8> {
    match pattern.strip_prefix("*.") {
        None => (pattern == host).then_some(2),
        Some(rest) => (host.split_once('.').map(|(_, parent)| parent) == Some(rest)).then_some(1),
    }
}

fn below(path: &str, prefix: &str) -> bool {
    let segments =
        |path: &str| path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    segments(path).starts_with(&segments(prefix))
}

/// How well a route matches, and its age.
type Found<'a> = ((u8, usize, usize), (i64, &'a str));

fn naive<'a>(routes: &'a [Route], host: &str, path: &str, headers: &HeaderMap) -> Option<&'a str> {
    let mut best: Option<Found<'_>> = None;
    for route in routes {
        let Some(rank) = route.hosts.iter().filter_map(|pattern| host_rank(pattern, host)).max() else {
            continue;
        };
        let fits =
            below(path, &route.path) && route.headers.iter().all(|(name, _)| headers.contains_key(name));
        let key = (rank, route.path.len(), route.headers.len());
        let age = (route.since, route.name.as_str());
        if fits && best.is_none_or(|(k, a)| key > k || (key == k && age < a)) {
            best = Some((key, age));
        }
    }
    best.map(|(_, (_, name))| name)
}

proptest! {
    #[test]
    fn the_table_agrees_with_a_search_over_all_routes(
        mut routes in prop::collection::vec(route(), 0..12),
        host in proptest::sample::select(&["a.example.com", "b.example.com", "x.b.example.com", "z.example.com", "example.com", "com"][..]),
        path in proptest::sample::select(ASKED),
        sent in proptest::sample::subsequence(&["x", "y"][..], 0..=2),
    ) {
        for (i, route) in routes.iter_mut().enumerate() {
            route.name = format!("r{i:02}");
        }
        let mut headers = HeaderMap::new();
        for name in sent {
            headers.insert(HeaderName::from_static(name), "1".parse().unwrap());
        }
        let table = Table::new(routes.clone(), &Table::default());
        let found = table.find(host, path, &headers).unwrap().map(|live| live.route.name.as_str());
        prop_assert_eq!(found, naive(&routes, host, path, &headers));
    }
}
