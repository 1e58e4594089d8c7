//! When a process sleeps: after a known silence, until the first sign of somebody.
use crate::{
    math::{Millis, seconds_since},
    reading::Signals,
    settings::Settings,
    state::State,
};

/// Falls asleep after a known silence, wakes at the first sign of somebody.
pub(crate) fn sleep(settings: &Settings, state: &mut State, wakes: bool, now: Millis, signals: &Signals) {
    let looked = state.looked.replace(now).unwrap_or(now);
    if settings.scale_to_zero.is_none() {
        (state.idle, state.asleep) = (None, false);
        return;
    }
    let recent = state.window.sums(0, 60);
    let asked =
        wakes || recent.first + recent.retries > 0.0 || recent.busy + recent.waiting + recent.streams > 0.0;
    if asked {
        (state.idle, state.asleep) = (None, false);
        return;
    }
    if signals.merged.unknown.is_some() {
        // Silence that is not known to be silence does not count; who sleeps may sleep on.
        let unseen = now.saturating_sub(looked).max(0);
        state.idle = state.idle.map(|since| since.saturating_add(unseen).min(now));
        return;
    }
    let since = state.idle.map_or(now, |since| since.min(now));
    state.idle = Some(since);
    if let Some(zero) = settings.scale_to_zero {
        state.asleep |= seconds_since(now, since) >= zero.after_seconds.max(60.0);
    }
    if state.asleep {
        state.foreign.drop_floor();
    }
}
