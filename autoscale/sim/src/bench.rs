//! The figures of `make bench-autoscale`.
use crate::compare::{Row, losses};
use serde::Serialize;

/// One figure, with the best peer beside it where that means something.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    pub name: String,
    pub value: f64,
    pub unit: String,
    pub peer: Option<String>,
    pub peer_value: Option<f64>,
}

impl Figure {
    /// A figure without a peer.
    pub fn new(name: &str, value: f64, unit: &str) -> Self {
        Self { name: name.into(), value: tidy(value), unit: unit.into(), peer: None, peer_value: None }
    }
}

/// Four decimals are enough for every figure, and keep the file readable.
fn tidy(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} {}", self.name, self.value, self.unit)?;
        match (&self.peer, self.peer_value) {
            (Some(peer), Some(value)) => write!(f, " ({peer}: {value})"),
            _ => Ok(()),
        }
    }
}

/// The figures of a comparison: per trace ours against every peer, then those that sum up.
pub fn figures(rows: &[Row], ours: &str) -> Vec<Figure> {
    let mut all = Vec::new();
    for mine in rows.iter().filter(|r| r.law == ours) {
        let name = |what: &str| format!("autoscale.{}.{what}", mine.trace);
        for peer in rows.iter().filter(|r| r.trace == mine.trace && r.law != ours && r.law != "oracle") {
            let with = |what: &str, mine: f64, theirs: f64, unit: &str| Figure {
                name: name(what),
                value: tidy(mine),
                unit: unit.into(),
                peer: Some(peer.law.clone()),
                peer_value: Some(tidy(theirs)),
            };
            let (m, p) = (&mine.score, &peer.score);
            all.push(with("violations_pct", m.violations_pct, p.violations_pct, "%"));
            all.push(with("cost_vs_oracle", mine.cost, peer.cost, "x"));
            all.push(with("reversals_per_hour", m.reversals_per_hour, p.reversals_per_hour, "/h"));
            all.push(with("recovery_s", f64::from(m.recovery_s), f64::from(p.recovery_s), "s"));
        }
    }
    let losses = losses(rows, ours);
    let mut traces: Vec<&str> = losses.iter().map(|l| l.trace.as_str()).collect();
    traces.dedup();
    all.push(Figure::new("autoscale.pareto_losses", traces.len() as f64, "traces"));
    let mine = || rows.iter().filter(|r| r.law == ours);
    let scale_ins: u32 = mine().map(|r| r.score.scale_ins_in_timeouts).sum();
    all.push(Figure::new("autoscale.timeouts.scale_ins", f64::from(scale_ins), "count"));
    if let Some(square) = mine().find(|r| r.trace == "square") {
        all.push(Figure::new("autoscale.square.reversals", f64::from(square.score.reversals), "count"));
    }
    all
}
