//! Every number of the law, with its default and its origin.
use serde::{Deserialize, Serialize};

/// The law's constants: one set for everybody, nothing is fitted to a workload.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Constants {
    /// β of the square-root rule N = ⌈(R + β√R)/c⌉ (Halfin–Whitt). 1.5 was the start; 1.0 measured: same lateness, 3–6% cheaper.
    pub beta: f64,
    /// Share of a pod above a whole number that asks for no further one, at most half of what β adds.
    pub rounding: f64,
    /// Slots per pod while nothing is declared nor learned.
    pub slots_unknown: f64,
    /// Cold start assumed before one was measured, in seconds.
    pub cold_start_unknown: f64,
    /// Shortest and longest average of the arrivals for the steady demand, in seconds.
    pub steady_window: (i64, i64),
    /// Arrivals that an average should hold (3,000 know a rate to 2%), between those bounds.
    pub steady_count: f64,
    /// Time constant of the average that a trend is measured against, in seconds.
    pub trend_memory: f64,
    /// Without signals a trend goes on to at most this multiple.
    pub blind_cap: f64,
    /// Seconds for which an urgent demand is kept.
    pub hold: f64,
    /// Standard deviations that a change must reach before it is believed.
    pub significance: f64,
    /// The same for a slope: it is extrapolated, so it must be surer.
    pub slope_significance: f64,
    /// By how much each reversal raises both.
    pub doubt: f64,
    /// Smallest of three successive rises over their mean (the newest counted as no larger than it), below which they
    /// are a step and no slope.
    pub slope_balance: f64,
    /// A forecast is at most this multiple of the arrivals seen.
    pub forecast_cap: f64,
    /// Seconds in which a backlog shall be gone.
    pub drain: f64,
    /// A backlog that would wait less than so many seconds is none.
    pub backlog_seconds: f64,
    /// Retries count at most this multiple of the first tries.
    pub retry_cap: f64,
    /// Seconds whose largest steady demand is kept when scaling in.
    pub down_window: f64,
    /// Longest that the window may grow with reversals, in seconds.
    pub down_window_max: f64,
    /// Largest share of the pods that one step may take away.
    pub down_step: f64,
    /// Seconds between two such steps.
    pub down_every: f64,
    /// A demand above the replicas by less than this share is ignored.
    pub tolerance_up: f64,
    /// An urgent demand above the steady level by less than this share is ignored.
    pub tolerance_urgent: f64,
    /// A demand below the replicas by less than this share is ignored.
    pub tolerance_down: f64,
    /// Changes of replicas per minute.
    pub changes_per_minute: f64,
    /// Age at which a signal is unknown, in seconds.
    pub stale: i64,
    /// Share of timeouts in arrivals that forbids scaling in.
    pub hold_timeouts: f64,
    /// Share of completions in arrivals below which scaling in is forbidden.
    pub hold_completions: f64,
    /// Seconds for which a hold outlives its cause.
    pub hold_release: f64,
    /// Fewest requests behind a ratio.
    pub min_count: u32,
    /// S/S₀ at which a downstream is called slow.
    pub slow_enter: f64,
    /// S/S₀ below which it has recovered.
    pub slow_leave: f64,
    /// Rise of the answers per second above which slots that fill up are explained by more work.
    pub slow_rise: f64,
    /// Seconds for which it must have recovered.
    pub slow_leave_after: f64,
    /// Seconds of slowness with everything answered after which the present is taken for healthy.
    pub slow_accept: f64,
    /// Seconds of slowness in which not everything is answered after which a step of pods is tried: longer than a database
    /// takes to fail over (one to two minutes), shorter than an outage that anybody would sit out.
    pub slow_trial: f64,
    /// Seconds in which a new release's service time follows the present.
    pub settle: f64,
    /// Share of latency that must be waiting before latency asks for pods.
    pub wait_share: f64,
    /// Share of latency that may be waiting in seconds that S₀ is learned from.
    pub wait_healthy: f64,
    /// Seconds after a latency-driven step has become ready until it is judged.
    pub probe_after: f64,
    /// Smallest and largest step that latency asks for, as a multiple of the ready pods.
    pub probe_step: (f64, f64),
    /// p95 after a step over p95 before it, above which the step did not help.
    pub probe_helped: f64,
    /// First and longest block of the latency term, in seconds.
    pub block: (f64, f64),
    /// Seconds for which a foreign change counts.
    pub override_ttl: f64,
    /// Seconds of suffering after which a foreign ceiling yields.
    pub ceiling_patience: f64,
    /// Seconds without suffering after which that time starts again.
    pub ceiling_calm: f64,
    /// Memory share that advises a bigger pod.
    pub memory_high: f64,
    /// CPU throttling share that advises a bigger pod.
    pub throttled_high: f64,
    /// Seconds between decisions while requests arrive.
    pub tick: f64,
    /// Seconds between decisions while nothing happens.
    pub idle_tick: f64,
}

impl Default for Constants {
    fn default() -> Self {
        Self {
            beta: 1.0,
            rounding: 0.15,
            slots_unknown: 10.0,
            cold_start_unknown: 30.0,
            steady_window: (20, 60),
            steady_count: 3000.0,
            trend_memory: 300.0,
            blind_cap: 1.5,
            hold: 60.0,
            significance: 4.0,
            slope_significance: 5.0,
            doubt: 1.0,
            slope_balance: 0.75,
            forecast_cap: 4.0,
            drain: 6.0,
            backlog_seconds: 0.2,
            retry_cap: 1.0,
            down_window: 300.0,
            down_window_max: 1800.0,
            down_step: 0.15,
            down_every: 30.0,
            tolerance_up: 0.05,
            tolerance_urgent: 0.15,
            tolerance_down: 0.07,
            changes_per_minute: 12.0,
            stale: 30,
            hold_timeouts: 0.005,
            hold_completions: 0.95,
            hold_release: 60.0,
            min_count: 20,
            slow_enter: 1.5,
            slow_leave: 1.2,
            slow_rise: 1.1,
            slow_leave_after: 30.0,
            slow_accept: 2700.0,
            slow_trial: 300.0,
            settle: 300.0,
            wait_share: 0.2,
            wait_healthy: 0.05,
            probe_after: 30.0,
            probe_step: (1.2, 2.0),
            probe_helped: 0.9,
            block: (600.0, 3600.0),
            override_ttl: 3600.0,
            ceiling_patience: 120.0,
            ceiling_calm: 10.0,
            memory_high: 0.85,
            throttled_high: 0.25,
            tick: 1.0,
            idle_tick: 30.0,
        }
    }
}
