//! Metrics in the format of Prometheus. Labels hold kinds, verbs and classes only, never names or values.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use plan::Class;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of durations, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Controller {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failed {
    controller: &'static str,
    class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Write {
    verb: &'static str,
    kind: String,
    subresource: &'static str,
    dry_run: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: String,
}

/// All metrics of the process; a cheap handle.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    reconciles: Family<Controller, Histogram>,
    depth: Family<Controller, Gauge>,
    errors: Family<Failed, Counter>,
    writes: Family<Write, Counter>,
    fetches: Family<Outcome, Histogram>,
    poison: Family<Kind, Gauge>,
    leader: Gauge,
    lease_seconds: Gauge<f64, AtomicU64>,
}

impl Metrics {
    /// Metrics of which none has counted yet.
    pub fn new() -> Self {
        let seconds = || Histogram::new(SECONDS);
        let reconciles: Family<Controller, Histogram> = Family::new_with_constructor(seconds);
        let fetches: Family<Outcome, Histogram> = Family::new_with_constructor(seconds);
        let (depth, errors) = (Family::<Controller, Gauge>::default(), Family::<Failed, Counter>::default());
        let (writes, poison) = (Family::<Write, Counter>::default(), Family::<Kind, Gauge>::default());
        let (leader, lease_seconds) = (Gauge::default(), Gauge::<f64, AtomicU64>::default());
        let mut registry = Registry::with_prefix("keelway");
        registry.register_with_unit(
            "reconcile",
            "How long one reconcile took",
            Unit::Seconds,
            reconciles.clone(),
        );
        registry.register("queue_depth", "Objects that wait for a reconcile", depth.clone());
        registry.register(
            "reconcile_errors",
            "Reconciles that ended with a refusal, by its class",
            errors.clone(),
        );
        registry.register("api_writes", "Requests of the writer to the API server", writes.clone());
        registry.register_with_unit(
            "git_fetch",
            "How long one fetch from git took",
            Unit::Seconds,
            fetches.clone(),
        );
        registry.register(
            "poison_objects",
            "Objects that could not be understood and are left aside",
            poison.clone(),
        );
        registry.register("leader", "Whether this process holds the lease", leader.clone());
        registry.register_with_unit(
            "lease_remaining",
            "How long the lease lasted when it was last renewed",
            Unit::Seconds,
            lease_seconds.clone(),
        );
        Self {
            registry: Arc::new(registry),
            reconciles,
            depth,
            errors,
            writes,
            fetches,
            poison,
            leader,
            lease_seconds,
        }
    }

    /// One reconcile ended.
    pub fn reconciled(&self, controller: &'static str, took: Duration, class: Option<Class>) {
        self.reconciles.get_or_create(&Controller { controller }).observe(took.as_secs_f64());
        if let Some(class) = class {
            let class = match class {
                Class::Waiting => "waiting",
                Class::NeedsUser => "needs_user",
                Class::Transient => "transient",
            };
            self.errors.get_or_create(&Failed { controller, class }).inc();
        }
    }

    /// So many objects wait for a reconcile.
    pub fn queued(&self, controller: &'static str, depth: usize) {
        self.depth.get_or_create(&Controller { controller }).set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    /// One request of the writer ended.
    pub fn write(
        &self,
        verb: &'static str,
        kind: &str,
        subresource: Option<&'static str>,
        dry_run: bool,
        ok: bool,
    ) {
        let write = Write {
            verb,
            kind: kind.into(),
            subresource: subresource.unwrap_or_default(),
            dry_run: if dry_run { "true" } else { "false" },
            outcome: outcome(ok),
        };
        self.writes.get_or_create(&write).inc();
    }

    /// One fetch from git ended.
    pub fn fetched(&self, took: Duration, ok: bool) {
        self.fetches.get_or_create(&Outcome { outcome: outcome(ok) }).observe(took.as_secs_f64());
    }

    /// So many objects of this kind cannot be understood.
    pub fn poisoned(&self, kind: &str, count: usize) {
        self.poison.get_or_create(&Kind { kind: kind.into() }).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The lease is held for so long; not at all when zero.
    pub fn lease(&self, remaining: Duration) {
        self.leader.set(i64::from(!remaining.is_zero()));
        self.lease_seconds.set(remaining.as_secs_f64());
    }

    /// The text that Prometheus reads.
    ///
    /// # Errors
    /// Only what writing to a `String` can fail with.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn outcome(ok: bool) -> &'static str {
    if ok { "ok" } else { "error" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_the_issue_shows_once_it_counted() {
        let metrics = Metrics::new();
        metrics.reconciled("app", Duration::from_millis(3), Some(Class::Transient));
        metrics.queued("app", 2);
        metrics.write("patch", "Deployment", None, false, true);
        metrics.fetched(Duration::from_millis(20), false);
        metrics.poisoned("App", 1);
        metrics.lease(Duration::from_secs(3));
        let text = metrics.encode().unwrap();
        for line in [
            "keelway_reconcile_seconds_count{controller=\"app\"} 1",
            "keelway_queue_depth{controller=\"app\"} 2",
            "keelway_reconcile_errors_total{controller=\"app\",class=\"transient\"} 1",
            "keelway_api_writes_total{verb=\"patch\",kind=\"Deployment\",subresource=\"\",dry_run=\"false\",outcome=\"ok\"} 1",
            "keelway_git_fetch_seconds_count{outcome=\"error\"} 1",
            "keelway_poison_objects{kind=\"App\"} 1",
            "keelway_leader 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
