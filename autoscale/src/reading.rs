//! What the signals say in one tick, and what is learned from them.
use crate::{
    baseline::Healthy,
    constants::Constants,
    downstream::{Downstream, Look, Service},
    hold::ERRORS_USUAL,
    input::Input,
    math::{Millis, ratio},
    settings::Settings,
    signals::second_of,
    state::State,
    throttle,
    window::{Merged, Sums},
};

/// Time constants of the fading histograms, in seconds: service time must show a slow database soon, p95 must not jump.
const FADE: (f64, f64) = (5.0, 30.0);

/// What the signals say in this tick.
pub struct Signals {
    /// What the merge found.
    pub merged: Merged,
    /// Recent median service time in seconds.
    pub p50: Option<f64>,
    /// Recent p95 of the latency in ms.
    pub p95: Option<f64>,
    /// Whether something behind the pods is slow.
    pub look: Look,
    /// Requests waiting, over the last two seconds.
    pub waiting: f64,
    /// Open streams, over the last two seconds.
    pub streams: f64,
    /// Share of the latency that is waiting, over ten seconds.
    pub wait_share: f64,
    /// Requests being served, over ten seconds.
    pub busy: f64,
    /// The present service time in seconds while the pods are short of CPU: more of them do help then. 0 otherwise.
    pub starved: f64,
}

/// Merges the reports and learns from them.
pub fn read(settings: &Settings, k: &Constants, state: &mut State, input: &Input, now: Millis) -> Signals {
    let is_new = state.baseline.release(now, &input.release, k);
    if is_new && state.downstream.is_healthy() {
        state.downstream = Downstream::default();
    }
    let merged = state.window.merge(second_of(input.now), &input.reports, k);
    let fresh = merged.fresh as f64;
    state.service.add(&merged.service, fresh, FADE.0, 1.25 * f64::from(k.min_count));
    state.latency_seen.add(&merged.latency, fresh, FADE.1, 0.0);
    let p50 = state.service.quantile(0.5, k).map(|ms| ms / 1000.0);
    let p95 = state.latency_seen.quantile(0.95, k);
    let s0 = state.baseline.get().filter(|_| state.baseline.is_own());
    // What is unknown moves no clock: neither recovery nor habit comes of seconds that nobody saw.
    let known = if merged.unknown.is_none() { fresh } else { 0.0 };
    let usual_errors = state.holds.usual_errors();
    let pods = throttle::View {
        share: input.hints.cpu_throttled,
        is_fast: p50.zip(s0).is_none_or(|(p50, s0)| p50 < k.slow_leave * s0.p50),
        ready: input.pods.ready,
        finished: state.window.sums(2, 58).finished,
        fresh: known,
    };
    let throttled = state.throttle.explains(pods, k);
    let service = Service { p50, healthy: s0, throttled, usual_errors, fresh: known };
    let look = state.downstream.look(&state.window, service, k);
    state.slots.pass(&input.pods, known, is_new);
    if let Some(present) = look.accepted {
        state.baseline.accept(present);
        state.slots.forget();
    }
    let last = state.window.sums(0, 2);
    let recent = state.window.sums(0, 10);
    let wait_share = ratio(recent.wait, recent.wait + recent.service).unwrap_or(0.0);
    if merged.fresh > 0 && merged.unknown.is_none() {
        learn(k, state, input, &merged, &look, (p50, s0, wait_share));
        contradict(settings, k, state, input, known, (p50, s0, look.suspect));
    }
    Signals {
        merged,
        p50,
        p95,
        look,
        waiting: last.waiting,
        streams: last.streams,
        wait_share,
        busy: recent.busy,
        starved: starved(&recent, s0.filter(|_| throttled)),
    }
}

/// The present service time in seconds while the pods are short of CPU, at most twice the healthy one: the longer they are
/// short of it the longer it becomes. 0 otherwise.
fn starved(recent: &Sums, healthy: Option<Healthy>) -> f64 {
    let present = ratio(recent.service, recent.finished);
    healthy.zip(present).map_or(0.0, |(healthy, present)| present.min(2.0 * healthy.mean))
}

/// Notes whether pods are full with fewer requests than were declared, while those are as fast as ever.
fn contradict(
    settings: &Settings,
    k: &Constants,
    state: &mut State,
    input: &Input,
    fresh: f64,
    (p50, s0, suspect): (Option<f64>, Option<Healthy>, bool),
) {
    let Some(declared) = Settings::usable(settings.concurrency) else { return };
    let (recent, pods) = (state.window.sums(0, 10), f64::from(input.pods.ready.max(1)));
    let is_fast = p50.zip(s0).is_some_and(|(p50, s0)| p50 < k.slow_leave * s0.p50) && !suspect;
    let is_full = is_fast && recent.waiting >= pods;
    state.slots.full_below(declared, (recent.busy + recent.streams) / pods, is_full, fresh);
}

/// Learns S₀ and the slots of a pod from seconds that became complete.
fn learn(
    k: &Constants,
    state: &mut State,
    input: &Input,
    merged: &Merged,
    look: &Look,
    (p50, s0, wait_share): (Option<f64>, Option<Healthy>, f64),
) {
    let new = state.window.sums(0, merged.fresh);
    let recent = state.window.sums(0, 10);
    let pods = f64::from(input.pods.ready.max(1));
    let faults = new.errors + new.timeouts;
    let ended = new.finished + faults;
    let unusual = (new.errors - state.holds.usual_errors() * ended).max(0.0);
    let flawless = new.timeouts + unusual <= k.hold_timeouts * ended;
    // The first release is learned from whatever comes but quick refusals, one that settles from whatever it answers
    // well: there is nothing yet to call slow or healthy by. A downstream that was slow before the release stays slow.
    let is_served = faults <= ERRORS_USUAL * ended;
    let is_first = state.baseline.get().is_none() && is_served;
    let anything = is_first || (flawless && !state.baseline.is_own());
    let healthy = flawless && wait_share < k.wait_healthy && !look.suspect;
    if healthy || (anything && look.slow.is_none()) {
        state.baseline.learn(&new, &merged.service);
    }
    let Some((s0, p50)) = s0.zip(p50).filter(|_| !look.suspect) else { return };
    let (slowdown, each) = (p50 / s0.p50, recent.busy / pods);
    if slowdown <= k.slow_enter {
        state.slots.prove(each);
    }
    if slowdown <= k.slow_enter && recent.waiting >= pods && wait_share > k.wait_share {
        state.slots.full(each, k);
    } else {
        state.slots.learn(each, slowdown, k);
    }
}
