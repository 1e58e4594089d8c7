//! One tick of the law.
use crate::{
    constants::Constants,
    damping::Damping,
    demand::{self, Capacity, Demand, Load},
    downstream::Downstream,
    hold::Seen,
    input::Input,
    latency::{Ask, View},
    limits::Bounds,
    math::ceil,
    output::{Condition, Decision, HoldReason, Limit, Reason, ScaleUpSign, Terms, Trigger},
    pod_size::{PodSize, pod_size, streams_in_slots},
    reading::{Signals, read},
    schedule,
    settings::Settings,
    signals::second_of,
    sleep::sleep,
    state::State,
    trial::{self, Trial, Tried},
};

/// Decides how many replicas to have. Nothing but `state` changes, and `state` is all that is remembered.
pub fn decide(settings: &Settings, k: &Constants, state: &mut State, input: &Input) -> Decision {
    let now = input.now.as_millisecond();
    let current = state.replicas.unwrap_or(input.replicas);
    let mut damping = state.damping.take().unwrap_or_else(|| Damping::start(now, current, k));
    let signals = read(settings, k, state, input, now);
    let news = state.foreign.take(now, state.replicas, state.demand, input.foreign.as_ref(), k);
    // Who lowers their own floor has scaled in already; the law neither undoes it nor does it again in steps.
    let current = news.lowered.unwrap_or(current);
    if let Some(floor) = news.lowered {
        damping.lower_to(floor);
    }
    sleep(settings, state, news.is_increase || input.wake, now, &signals);
    if signals.look.slow.is_some() {
        damping.forget_urgent();
        state.latency.abandon();
    }
    let cold_start = demand::cold_start(&input.cold_starts, k);
    let (demand, mut terms) = demands(settings, k, state, input, &signals, cold_start, damping.doubt(k));
    let Demand { steady, urgent, .. } = demand;
    let bounds = Bounds {
        max: settings.max.max(1),
        asleep: state.asleep,
        ceiling: state.foreign.ceiling(),
        floor: state.foreign.floor(),
        schedule: schedule::minimum(&settings.schedule, input.now, cold_start),
        min: settings.min,
    };
    let seen = Seen {
        unknown: signals.merged.unknown.is_some(),
        fresh: signals.merged.fresh,
        panic: f64::from(urgent) > f64::from(current) * (1.0 - k.down_step),
        backlog: signals.waiting > (demand.known_able() * k.backlog_seconds).max(2.0),
    };
    let hold = state.holds.look(now, &state.window, seen, k);
    damping.raise_to(bounds.lowest().0.min(bounds.max));
    let most = bounds.max.min(bounds.ceiling.unwrap_or(u32::MAX));
    // Behind a slow downstream the demand is that of healthy requests; pods whose slots are busy are needed all the same.
    let in_use = ceil(f64::from(if signals.look.suspect { demand.in_use } else { 0 }) / (1.0 - k.down_step));
    let may_lower = hold.is_none() && in_use < current;
    let level = damping.settle(now, steady, urgent, may_lower, most, k).max(in_use.min(current));
    let (wanted, soft) = move_from(current, level, steady.max(urgent), hold, damping.may_change(now, k));
    (terms.demand, state.demand) = (wanted, steady.max(urgent));
    // In the dark nobody knows whether requests still suffer.
    let suffering = seen.fresh > 0
        && (seen.backlog
            || [HoldReason::Timeouts, HoldReason::Completions].iter().any(|c| state.holds.is_fresh(*c, now)));
    state.foreign.suffer(now, steady.max(urgent), suffering, k);
    let bounds = Bounds { ceiling: state.foreign.ceiling(), ..bounds };
    let (replicas, hard) = bounds.apply(wanted);
    let by_demand = !state.asleep
        && current > 0
        && !matches!(
            hard,
            Some(Limit::Schedule | Limit::Minimum | Limit::ForeignFloor | Limit::ForeignCeiling)
        );
    damping.note(now, current, replicas, by_demand, k);
    state.replicas = Some(replicas);
    let conditions = conditions(settings, k, state, input, &signals, wanted);
    state.damping = Some(damping);
    Decision {
        replicas,
        reason: Reason { trigger: demand.by(), terms, limit: hard.or(soft) },
        conditions,
        next_seconds: next(settings, k, state),
    }
}

/// The steady and the urgent demand, and the formula's terms.
fn demands(
    settings: &Settings,
    k: &Constants,
    state: &mut State,
    input: &Input,
    signals: &Signals,
    cold_start: f64,
    doubt: f64,
) -> (Demand, Terms) {
    let now = input.now.as_millisecond();
    let slow = signals.look.slow.is_some();
    // While the downstream is slow only first tries count: retries are its echo.
    let k_now = if slow { Constants { retry_cap: 0.0, ..*k } } else { *k };
    let mut rates = state.forecast.rates(&state.window, signals.merged.fresh, doubt, &k_now);
    if signals.merged.unknown.is_some() {
        let head = state.window.head().unwrap_or_default();
        let blind = (second_of(input.now).saturating_sub(head) as f64 - k.tick - 1.0).clamp(0.0, 86_400.0);
        rates.steady = state.forecast.blind(rates.steady, blind, k);
    }
    let service = state.baseline.get().map(|h| h.mean.max(signals.starved));
    let streams = streams_in_slots(settings, signals.streams);
    let size = pod_size(settings, state.slots, service, k);
    let capacity = Capacity { ready: input.pods.ready, starting: &input.pods.starting, cold_start };
    let load = Load { waiting: signals.waiting, busy: signals.busy, streams, urgent: !signals.look.suspect };
    let (mut demand, mut terms) = demand::demand(now, size, rates, load, capacity, &k_now);
    let most = settings.max.min(state.foreign.ceiling().unwrap_or(u32::MAX));
    let ask = by_latency(settings, k, state, input, signals, (most, cold_start));
    demand.raise_steady(ask.earned, Trigger::Latency);
    demand.raise_urgent(ask.probe, Trigger::Latency);
    // Where nothing is answered at all nobody knows what the present needs; each step is judged all the same.
    let needed = signals
        .look
        .mean
        .map_or(u32::MAX, |mean| PodSize { service: Some(mean), ..size }.pods(rates.steady, streams).0);
    demand.raise_urgent(try_more(k, state, input, signals, (most.min(needed), cold_start)), Trigger::Trial);
    if input.wake {
        demand.raise_steady(1, demand.steady_by);
    }
    (terms.steady, terms.urgent, terms.streams) = (demand.steady, demand.urgent, signals.streams);
    (demand, terms)
}

/// Pods that a p95 target asks for; none while something behind the pods may be slow.
fn by_latency(
    settings: &Settings,
    k: &Constants,
    state: &mut State,
    input: &Input,
    signals: &Signals,
    (most, cold_start): (u32, f64),
) -> Ask {
    let Some(target) = Settings::usable(settings.p95).filter(|_| !signals.look.suspect) else {
        return Ask::default();
    };
    let view = View {
        p95: signals.p95,
        target,
        wait_share: signals.wait_share,
        ready: input.pods.ready,
        most,
        cold_start,
        is_known: signals.merged.unknown.is_none(),
    };
    state.latency.ask(input.now.as_millisecond(), view, k)
}

/// Pods that are tried because the downstream has been slow for so long; 0 is none. If earlier ones helped, nothing
/// behind the pods is slow: this is how the process is.
fn try_more(
    k: &Constants,
    state: &mut State,
    input: &Input,
    signals: &Signals,
    (most, cold_start): (u32, f64),
) -> u32 {
    if signals.look.slow.is_none() {
        let carried = std::mem::take(&mut state.trial).carried(signals.look.finished, input.pods.ready);
        if let Some((rate, s0)) = carried.zip(state.baseline.get()) {
            state.slots.carried(rate * s0.mean);
        }
        return 0;
    }
    // While a release settles nothing is compared with anything, so no step is begun or judged.
    let known = signals.merged.unknown.is_none() && state.baseline.is_own();
    let view = trial::View {
        fresh: if known { signals.merged.fresh as f64 } else { 0.0 },
        copes: signals.look.copes,
        drains: signals.look.drains,
        present: signals.look.present,
        finished: signals.look.finished,
        is_full: signals.look.crowded || signals.waiting >= f64::from(input.pods.ready),
        ready: input.pods.ready,
        is_starting: !input.pods.starting.is_empty(),
        most,
        cold_start,
    };
    match state.trial.look(view, k) {
        Tried::Pods(pods) => pods,
        Tried::Helped(present) => {
            state.baseline.accept(present);
            (state.downstream, state.trial) = (Downstream::default(), Trial::default());
            state.slots.forget();
            0
        }
    }
}

/// Where to go from the current replicas, and what softens the way.
fn move_from(
    current: u32,
    level: u32,
    demand: u32,
    hold: Option<HoldReason>,
    may_change: bool,
) -> (u32, Option<Limit>) {
    if level == current || !may_change {
        let soft = if demand < current { hold.map_or(Limit::Damping, Limit::Hold) } else { Limit::Tolerance };
        return (current, (demand != current).then_some(soft));
    }
    match hold {
        Some(reason) if level < current => (current, Some(Limit::Hold(reason))),
        _ if level < current || demand < level => (level, (demand < level).then_some(Limit::Damping)),
        _ => (level, None),
    }
}

/// What a person should know.
fn conditions(
    settings: &Settings,
    k: &Constants,
    state: &State,
    input: &Input,
    signals: &Signals,
    wanted: u32,
) -> Vec<Condition> {
    let now = input.now.as_millisecond();
    let mut all = Vec::new();
    if let Some(e) = signals.look.slow {
        all.push(Condition::DownstreamSlow {
            slowdown: e.slowdown,
            busy: e.busy,
            expected_busy: e.expected,
            completions: e.completions,
        });
    }
    all.extend(signals.merged.unknown.filter(|_| !state.asleep).map(|why| Condition::SignalsUnknown { why }));
    all.extend(state.foreign.condition(now));
    if wanted > settings.max {
        all.push(Condition::AtMaximum { wanted });
    }
    all.extend(state.latency.condition(now));
    let declared =
        Settings::usable(settings.concurrency).zip(state.slots.shown()).filter(|(d, seen)| seen < d);
    all.extend(declared.map(|(declared, seen)| Condition::FewerSlots { declared, seen }));
    all.extend(bigger_pod(settings, k, state, input, signals).map(|why| Condition::ScaleUpAdvised { why }));
    all
}

/// Whether a bigger pod would help more than another one.
fn bigger_pod(
    settings: &Settings,
    k: &Constants,
    state: &State,
    input: &Input,
    signals: &Signals,
) -> Option<ScaleUpSign> {
    if input.hints.cpu_throttled.is_some_and(|share| share > k.throttled_high) {
        return Some(ScaleUpSign::CpuThrottled);
    }
    let few = input.pods.ready <= 2;
    if few && input.hints.memory.is_some_and(|share| share > k.memory_high) {
        return Some(ScaleUpSign::Memory);
    }
    let target = Settings::usable(settings.p95)?;
    let slots = Settings::usable(settings.concurrency).unwrap_or_else(|| state.slots.get(k));
    let room = signals.busy < 0.5 * slots * f64::from(input.pods.ready) && signals.wait_share < 0.05;
    let slow = signals.p95? > target && signals.p50? * 1000.0 > 0.5 * target;
    (room && slow && signals.look.slow.is_none()).then_some(ScaleUpSign::SlowAlone)
}

/// Seconds until the next look: often while requests arrive, seldom while nothing happens.
fn next(settings: &Settings, k: &Constants, state: &State) -> f64 {
    let quiet = state.asleep
        || (state.window.age() > 0 && [5, 60].iter().all(|s| state.window.rate(0, *s, 1.0) <= 0.0));
    match (quiet, settings.schedule.is_empty()) {
        (false, _) => k.tick,
        (true, true) => k.idle_tick,
        (true, false) => k.idle_tick / 6.0, // a prewarm must not come late
    }
}
