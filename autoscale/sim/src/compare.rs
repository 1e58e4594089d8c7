//! Every law on every trace, and who beats whom.
use crate::{
    law::{Law, run},
    oracle::oracle,
    peers::by_name,
    score::{Score, score},
    trace::Trace,
};
use autoscale::Constants;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicUsize, Ordering};

/// One law on one trace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    pub trace: String,
    pub law: String,
    /// [`Trace::fingerprint`]: a result of another trace of the same name is not taken for this one's.
    pub fingerprint: u64,
    pub score: Score,
    /// Pod-hours over the oracle's.
    pub cost: f64,
}

impl Row {
    /// Whether this is a result of that very trace.
    pub fn is_of(&self, trace: &Trace) -> bool {
        self.trace == trace.name && self.fingerprint == trace.fingerprint()
    }
}

/// A trace on which a peer is better.
#[derive(Debug, Clone, Serialize)]
pub struct Loss {
    pub trace: String,
    pub peer: String,
    /// Our violations less the peer's, in points.
    pub violations: f64,
    /// The peer's pod-hours over ours.
    pub cost: f64,
}

/// Runs the laws over the traces on so many threads; `known` are oracles that need not be searched again.
pub fn compare(
    traces: &[Trace],
    laws: &[&str],
    constants: &Constants,
    threads: usize,
    known: &[Row],
) -> Vec<Row> {
    compare_by(&|law, trace| by_name(law, trace, constants), traces, laws, threads, known)
}

/// Makes a law by its name, to suit the trace.
type Make<'a> = dyn Fn(&str, &Trace) -> Option<Box<dyn Law>> + Sync + 'a;

/// The same with laws that `make` knows by their name; what it does not know is the oracle.
fn compare_by(make: &Make<'_>, traces: &[Trace], laws: &[&str], threads: usize, known: &[Row]) -> Vec<Row> {
    let jobs: Vec<(&Trace, &str)> = traces
        .iter()
        .flat_map(|t| std::iter::once("oracle").chain(laws.iter().copied()).map(move |law| (t, law)))
        .filter(|(t, law)| *law != "oracle" || !known.iter().any(|r| r.is_of(t)))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((trace, law)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = match make(law, trace) {
                Some(mut law) => run(trace, law.as_mut()),
                None => oracle(trace),
            };
            let score = score(&outcome);
            done.push(Row {
                trace: trace.name.clone(),
                law: (*law).to_owned(),
                fingerprint: trace.fingerprint(),
                score,
                cost: 0.0,
            });
        }
        done
    };
    let mut rows: Vec<Row> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        // A law that panics must not vanish from the table.
        let join = |h: std::thread::ScopedJoinHandle<'_, Vec<Row>>| {
            h.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        handles.into_iter().flat_map(join).collect()
    });
    rows.extend(known.iter().filter(|r| traces.iter().any(|t| r.is_of(t))).cloned());
    finish(rows, traces, laws)
}

/// Puts the rows in order and relates their cost to the oracle's.
fn finish(mut rows: Vec<Row>, traces: &[Trace], laws: &[&str]) -> Vec<Row> {
    let oracles: Vec<(String, f64)> =
        rows.iter().filter(|r| r.law == "oracle").map(|r| (r.trace.clone(), r.score.pod_hours)).collect();
    for row in &mut rows {
        let least = oracles.iter().find(|o| o.0 == row.trace).map_or(f64::NAN, |o| o.1);
        row.cost = row.score.pod_hours / least;
    }
    let rank = |r: &Row| {
        let trace = traces.iter().position(|t| t.name == r.trace);
        let law = laws.iter().position(|l| *l == r.law).unwrap_or(usize::MAX);
        (trace, law)
    };
    rows.sort_by_key(rank);
    rows
}

/// Whether a peer is better: fewer violations by more than 0.05 points at no more than 1.05 × our pod-hours, or cheaper
/// by more than 5% at no more than 0.05 points more violations.
pub fn is_better(peer: &Score, ours: &Score) -> bool {
    let points = ours.violations_pct - peer.violations_pct;
    let cost = peer.pod_hours / ours.pod_hours;
    (points > 0.05 && cost <= 1.05) || (cost < 0.95 && points >= -0.05)
}

/// All pairs of a trace and a peer that is better than `ours` on it.
pub fn losses(rows: &[Row], ours: &str) -> Vec<Loss> {
    let mine = |r: &Row| rows.iter().find(|m| m.law == ours && m.trace == r.trace);
    let peers = rows.iter().filter(|r| r.law != ours && r.law != "oracle");
    peers
        .filter_map(|r| mine(r).map(|m| (r, m)))
        .filter(|(r, m)| is_better(&r.score, &m.score))
        .map(|(r, m)| Loss {
            trace: r.trace.clone(),
            peer: r.law.clone(),
            violations: m.score.violations_pct - r.score.violations_pct,
            cost: r.score.pod_hours / m.score.pod_hours,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::View;

    fn of(violations_pct: f64, pod_hours: f64) -> Score {
        Score {
            violations_pct,
            pod_hours,
            reversals: 0,
            reversals_per_hour: 0.0,
            recovery_s: 0,
            scale_ins_in_timeouts: 0,
            most: 0,
        }
    }

    #[test]
    fn better_is_what_the_figure_says_it_is() {
        let ours = of(1.0, 100.0);
        assert!(is_better(&of(0.94, 105.0), &ours));
        assert!(!is_better(&of(0.94, 106.0), &ours), "dearer by more than 5%");
        assert!(!is_better(&of(0.96, 100.0), &ours), "only 0.04 points");
        assert!(is_better(&of(1.04, 94.0), &ours));
        assert!(!is_better(&of(1.06, 94.0), &ours));
    }

    /// A law that fails after a minute.
    struct Fails;

    impl Law for Fails {
        fn tick(&mut self, view: &View<'_>) -> Option<u32> {
            assert!(view.second < 60, "this law is broken");
            None
        }
    }

    #[test]
    #[should_panic(expected = "this law is broken")]
    fn a_law_that_panics_does_not_vanish_from_the_table() {
        let traces = [Trace::new("t", "", 1, vec![10.0; 120])];
        let make = |law: &str, _: &Trace| (law == "fails").then(|| Box::new(Fails) as Box<dyn Law>);
        compare_by(&make, &traces, &["fails"], 2, &[]);
    }
}
