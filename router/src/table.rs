//! The table of routes: immutable once made, exchanged as a whole. The most specific match wins: an exact host before a
//! wildcard, then the longer path, then more headers.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use arc_swap::ArcSwap;
use http::HeaderMap;

use crate::endpoint::{Endpoint, Known};
use crate::route::Route;
use crate::stats::RouteStats;

/// All routes, ready for lookups.
#[derive(Default)]
pub struct Table {
    routes: Vec<Arc<Live>>,
    /// Indices into `routes` by host, the most specific first.
    exact: HashMap<Box<str>, Vec<u32>>,
    /// The same by what follows the `*.`.
    wildcard: HashMap<Box<str>, Vec<u32>>,
    known: HashMap<Box<str>, Known>,
    /// Routes that lost to an older one for some host.
    pub conflicts: Vec<Conflict>,
    _alive: Alive,
}

static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// Counts the tables that are still held by somebody.
struct Alive;

impl Default for Alive {
    fn default() -> Self {
        ALIVE.fetch_add(1, Relaxed);
        Self
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Relaxed);
    }
}

/// A route with what lives longer than one table.
pub struct Live {
    /// As it was given.
    pub route: Route,
    /// What is counted of it.
    pub stats: Arc<RouteStats>,
    /// Its pods, one list per backend.
    pub backends: Vec<Vec<Arc<Endpoint>>>,
    /// The sum of the weights of backends that have pods.
    weights: u64,
}

/// Two routes ask for the same requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// For this host and path.
    pub host: String,
    /// The path.
    pub path: String,
    /// The route that gets them, because its owner is older.
    pub winner: String,
    /// The route that does not.
    pub loser: String,
}

/// The path means different things to different readers, and routes differ by path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmbiguousPath;

impl Table {
    /// A table of these routes. What was counted of a route, and what is known of a pod, is taken over from `before`.
    pub fn new(routes: Vec<Route>, before: &Self) -> Self {
        let mut table = Self::default();
        let mut order: Vec<Route> = routes;
        order.sort_by(|a, b| (a.since, &a.name).cmp(&(b.since, &b.name)));
        for route in order {
            let index = u32::try_from(table.routes.len()).unwrap_or(u32::MAX);
            let known = before.known.get(route.name.as_str());
            let stats =
                table.known.get(route.name.as_str()).or(known).map_or_else(Arc::default, |k| k.stats.clone());
            table.add(index, &route);
            let route_name = route.name.clone();
            let live = Live::new(route, stats, [table.known.get(route_name.as_str()), known]);
            let entry = table.known.entry(live.route.name.as_str().into());
            let entry = entry.or_insert_with(|| Known::of(&live.stats));
            entry.pods.extend(live.pods());
            entry.routes.push(index);
            table.routes.push(Arc::new(live));
        }
        table.sort();
        table
    }

    fn add(&mut self, index: u32, route: &Route) {
        let hosts: HashSet<&str> = route.hosts.iter().map(String::as_str).collect();
        for host in hosts {
            let (map, key) = match host.strip_prefix("*.") {
                Some(rest) => (&mut self.wildcard, rest),
                None => (&mut self.exact, host),
            };
            let entries = map.entry(key.into()).or_default();
            let taken = entries
                .iter()
                .map(|i| &self.routes[*i as usize].route)
                .find(|other| other.path == route.path && same_headers(&other.headers, &route.headers));
            match taken {
                Some(winner) => self.conflicts.push(Conflict {
                    host: host.to_owned(),
                    path: route.path.clone(),
                    winner: winner.name.clone(),
                    loser: route.name.clone(),
                }),
                None => entries.push(index),
            }
        }
    }

    fn sort(&mut self) {
        for entries in self.exact.values_mut().chain(self.wildcard.values_mut()) {
            entries.sort_by_key(|i| {
                let route = &self.routes[*i as usize].route;
                (Reverse(route.path.len()), Reverse(route.headers.len()), *i)
            });
            entries.shrink_to_fit();
        }
    }

    /// The route of a request; `host` as [`crate::host::parse`] spells it.
    ///
    /// # Errors
    /// [`AmbiguousPath`] where the answer would depend on who reads the path.
    pub fn find(
        &self,
        host: &str,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Option<&Arc<Live>>, AmbiguousPath> {
        if let Some(found) = self.among(self.exact.get(host), path, headers)? {
            return Ok(Some(found));
        }
        let parent = host.split_once('.').and_then(|(_, rest)| self.wildcard.get(rest));
        self.among(parent, path, headers)
    }

    fn among(
        &self,
        entries: Option<&Vec<u32>>,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Option<&Arc<Live>>, AmbiguousPath> {
        let Some(entries) = entries else { return Ok(None) };
        // The longest path is first: if that is `/`, no route here looks at the path.
        let by_path = entries.first().is_some_and(|i| self.routes[*i as usize].route.path != "/");
        if by_path && is_ambiguous(path) {
            return Err(AmbiguousPath);
        }
        let mut candidates = entries.iter().map(|i| &self.routes[*i as usize]);
        Ok(candidates.find(|live| {
            let route = &live.route;
            is_below(path, &route.path) && has_headers(headers, &route.headers)
        }))
    }

    /// The route that another table has in the place of `old`; none where it is gone.
    pub fn successor(&self, old: &Live) -> Option<&Arc<Live>> {
        let known = self.known.get(old.route.name.as_str())?;
        let mut same_name = known.routes.iter().map(|i| &self.routes[*i as usize]);
        same_name.find(|live| {
            let (new, old) = (&live.route, &old.route);
            new.path == old.path && new.headers == old.headers && new.hosts == old.hosts
        })
    }

    /// All routes.
    pub fn routes(&self) -> &[Arc<Live>] {
        &self.routes
    }

    /// Its pods that another table has not.
    fn pods_not_in<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Endpoint> {
        self.known.iter().flat_map(|(name, known)| {
            let theirs = other.known.get(name).map(|known| &known.pods);
            let is_gone = move |address: &SocketAddr| theirs.is_none_or(|pods| !pods.contains_key(address));
            known.pods.iter().filter(move |(address, _)| is_gone(address)).map(|(_, pod)| &**pod)
        })
    }

    /// How many tables are held by somebody: the one in force, and those that a lookup has not let go of yet.
    pub fn alive() -> usize {
        ALIVE.load(Relaxed)
    }
}

/// Makes a table the one in force. Requests that wait for a pod look at it at once.
pub fn publish(tables: &ArcSwap<Table>, table: Table) {
    let table = Arc::new(table);
    let before = tables.swap(table.clone());
    before.pods_not_in(&table).for_each(Endpoint::leave);
    for live in &table.routes {
        if live.stats.known().is_some_and(|busy| busy.waiting.load(Relaxed) > 0) {
            live.stats.freed.notify_waiters();
        }
    }
}

impl Live {
    fn new(route: Route, stats: Arc<RouteStats>, known: [Option<&Known>; 2]) -> Self {
        // One address is one pod, also where several routes of a name or several backends lead to it.
        let made = std::cell::RefCell::new(HashMap::<SocketAddr, Arc<Endpoint>>::new());
        let pod = |address: &SocketAddr, is_held: bool| {
            let known = known.iter().flatten().find_map(|known| known.pods.get(address)).cloned();
            let pod = known.unwrap_or_else(|| {
                let new = || Arc::new(Endpoint::new(*address));
                made.borrow_mut().entry(*address).or_insert_with(new).clone()
            });
            pod.hold(is_held);
            pod
        };
        let pods = |backend: &crate::route::Backend| {
            backend.endpoints.iter().map(|address| pod(address, backend.held.contains(address))).collect()
        };
        let backends: Vec<Vec<_>> = route.backends.iter().map(pods).collect();
        let weight = |(backend, pods): (&crate::route::Backend, &Vec<_>)| {
            if pods.is_empty() { 0 } else { u64::from(backend.weight) }
        };
        let weights = route.backends.iter().zip(&backends).map(weight).sum();
        Self { route, stats, backends, weights }
    }

    fn pods(&self) -> impl Iterator<Item = (SocketAddr, Arc<Endpoint>)> {
        self.backends.iter().flatten().map(|pod| (pod.address, pod.clone()))
    }

    /// The pods of the backend that this draw falls on, by weight. A backend without pods gets no requests; empty when
    /// none has any.
    pub fn pods_by_weight(&self, draw: u64) -> &[Arc<Endpoint>] {
        if self.weights == 0 {
            return &[];
        }
        let mut left = draw % self.weights;
        for (backend, pods) in self.route.backends.iter().zip(&self.backends) {
            let weight = if pods.is_empty() { 0 } else { u64::from(backend.weight) };
            if left < weight {
                return pods;
            }
            left -= weight;
        }
        &[]
    }
}

/// By whole segments: `/api` has `/api` and `/api/x` below it, not `/apix`.
fn is_below(path: &str, prefix: &str) -> bool {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Dot segments and encoded slashes or dots: applications disagree on what they mean, so a prefix of such a path says
/// nothing about where it leads.
fn is_ambiguous(path: &str) -> bool {
    let encoded = || {
        let lower = path.to_ascii_lowercase();
        ["%2e", "%2f", "%5c"].iter().any(|bad| lower.contains(bad))
    };
    let dots = path.contains("/.") && path.split('/').any(|segment| segment == "." || segment == "..");
    dots || path.contains("//") || path.contains('\\') || (path.contains('%') && encoded())
}

fn has_headers(headers: &HeaderMap, wanted: &[(String, String)]) -> bool {
    wanted.iter().all(|(name, value)| {
        headers.get_all(name.as_str()).iter().any(|found| found.as_bytes() == value.as_bytes())
    })
}

fn same_headers(a: &[(String, String)], b: &[(String, String)]) -> bool {
    a.len() == b.len() && a.iter().all(|header| b.contains(header))
}
