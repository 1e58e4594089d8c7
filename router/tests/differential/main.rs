//! Hundreds of nasty requests, each sent raw to nginx, haproxy and the router: what both others refuse the router does not
//! pass on, and no request becomes two. It needs nginx and haproxy: `make differential`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod backend;
mod case;
mod frames;
mod framing;
mod hosts;
mod http2;
mod judge;
mod known;
mod lines;
mod peers;
mod streams;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::sync::Mutex;

use case::Case;
use judge::{Outcome, Row};
use known::KNOWN;
use peers::{Door, Lane, Peer};

/// Copies of each proxy, which go through the cases side by side: most cases end by a time-out.
const LANES: usize = 16;

fn cases() -> Vec<Case> {
    [framing::cases(), lines::cases(), hosts::cases(), http2::cases(), streams::cases()]
        .into_iter()
        .flatten()
        .collect()
}

#[test]
#[ignore = "needs nginx and haproxy: make differential"]
fn the_router_passes_on_nothing_that_nginx_and_haproxy_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases();
    assert!(cases.len() >= 200, "{} cases", cases.len());
    let peers =
        [peers::nginx(folder.path(), LANES), peers::haproxy(folder.path(), LANES), peers::router(LANES)];
    let outcomes = peers.each_ref().map(|_| Mutex::new(vec![Outcome::default(); cases.len()]));
    std::thread::scope(|scope| {
        for (peer, outcomes) in peers.iter().zip(&outcomes) {
            run(scope, peer, &cases, outcomes);
        }
    });
    let [nginx, haproxy, router] = outcomes.map(|outcomes| outcomes.into_inner().unwrap());
    let rows = (0..cases.len()).map(|n| Row { nginx: &nginx[n], haproxy: &haproxy[n], router: &router[n] });
    tell(&cases, &rows.collect::<Vec<_>>());
}

/// Sends all cases to a peer, by all its lanes.
fn run<'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    peer: &'scope Peer,
    cases: &'scope [Case],
    outcomes: &'scope Mutex<Vec<Outcome>>,
) {
    for (n, lane) in peer.lanes.iter().enumerate() {
        scope.spawn(move || {
            for (at, case) in cases.iter().enumerate().skip(n).step_by(LANES) {
                let outcome = one(lane, case);
                outcomes.lock().unwrap()[at] = outcome;
            }
        });
    }
}

fn one(lane: &Lane, case: &Case) -> Outcome {
    let door = if case.is_http2 { &lane.http2 } else { &lane.http1 };
    let answer = send(door, &case.bytes);
    let next = send(&lane.http1, b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let mut seen = lane.backend.take();
    let all = seen.len();
    seen.retain(|seen| seen.target() != "/next");
    let is_sound = next.starts_with(b"HTTP/1.1 200") && next.ends_with(b"/next") && all == seen.len() + 1;
    let text = String::from_utf8_lossy(&answer);
    let status = if case.is_http2 { "" } else { text.lines().next().unwrap_or_default() };
    Outcome { seen, answer: status.chars().take(24).collect(), is_sound }
}

/// Sends bytes and reads until the proxy ends the connection.
fn send(door: &Door, bytes: &[u8]) -> Vec<u8> {
    let mut stream = door.connect().unwrap();
    // One that refuses does not read to the end.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// Prints the disagreements and fails where one of them is a fault that is not known.
fn tell(cases: &[Case], rows: &[Row<'_>]) {
    let (mut wrong, mut known) = (0, BTreeSet::new());
    let mut counts = [0; 8];
    for (case, row) in cases.iter().zip(rows) {
        let [nginx, haproxy, router] =
            [row.nginx, row.haproxy, row.router].map(|peer| usize::from(peer.passed()));
        counts[nginx * 4 + haproxy * 2 + router] += 1;
        assert!(
            !case.plain || nginx + haproxy == 2,
            "nginx or haproxy refuses {}: it is not set up well",
            case.name
        );
        let faults = row.faults(case);
        if faults.is_empty() {
            continue;
        }
        if let Some(at) = KNOWN.iter().position(|(part, _)| case.name.contains(part)) {
            known.insert(at);
            continue;
        }
        wrong += 1;
        println!("{}\n  {}", case.name, faults.join("; "));
        for (name, outcome) in [("nginx", row.nginx), ("haproxy", row.haproxy), ("router", row.router)] {
            println!("  {name:8}{}", outcome.brief());
        }
    }
    println!(
        "differential: {} requests; passed on by all {}, by nobody {}, by both others alone {}, by one other alone {}, \
         by the router with one other {}, by the router alone {}",
        cases.len(),
        counts[7],
        counts[0],
        counts[6],
        counts[2] + counts[4],
        counts[3] + counts[5],
        counts[1]
    );
    let stale = (0..KNOWN.len()).filter(|at| !known.contains(at)).map(|at| KNOWN[at].0);
    assert_eq!(stale.collect::<Vec<_>>(), [""; 0], "these differences are gone: strike them from known.rs");
    assert_eq!(wrong, 0, "the router differs in a way that it must not, see above");
}
