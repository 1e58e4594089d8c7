//! The peers' laws, from their documentation and sources. Each is given the same target: 70% of the slots (or what
//! that means in its own signal), and a 500 ms p95, half of the objective, where it scales on latency.
pub mod heroku;
pub mod hpa;
pub mod judoscale;
pub mod keda;
pub mod keelway;
pub mod kpa;
mod recent;

use crate::{law::Law, trace::Trace};
use autoscale::Constants;

/// Share of the slots that a peer is told to fill.
const TARGET: f64 = 0.7;
/// p95 target of the laws that scale on latency, in ms.
const P95: f64 = 500.0;

/// The names of all laws, ours first.
pub const NAMES: [&str; 8] =
    ["keelway", "hpa-completed", "hpa-arrivals", "hpa-p95", "keda-http", "kpa", "heroku-p95", "judoscale"];

/// A law by its name, with the settings that suit the trace.
pub fn by_name(name: &str, trace: &Trace, constants: &Constants) -> Option<Box<dyn Law>> {
    let slots = f64::from(trace.slots);
    let rate = TARGET * slots / trace.service.mean();
    Some(match name {
        "keelway" => Box::new(keelway::Keelway::new(trace, *constants)),
        "hpa-completed" => Box::new(hpa::Hpa::new(hpa::Metric::Completed(rate), trace.initial())),
        "hpa-arrivals" => Box::new(hpa::Hpa::new(hpa::Metric::Arrivals(rate), trace.initial())),
        "hpa-p95" => Box::new(hpa::Hpa::new(hpa::Metric::P95(P95), trace.initial())),
        "keda-http" => {
            Box::new(hpa::Hpa::new(hpa::Metric::Keda { concurrency: TARGET * slots, rate }, trace.initial()))
        }
        "kpa" => Box::new(kpa::Kpa::new(TARGET * slots, trace.initial())),
        "heroku-p95" => Box::new(heroku::Heroku::new(P95)),
        "judoscale" => Box::new(judoscale::Judoscale::default()),
        _ => return None,
    })
}
