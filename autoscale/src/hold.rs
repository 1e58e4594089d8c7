//! What forbids scaling in. Each cause must have been gone for a minute, by itself, before pods may go.
//!
//! The classic mistake is to read fewer *completed* requests as less work while a spike times out; here it is the
//! opposite, evidence against scaling in.
use crate::{
    constants::Constants,
    math::{Millis, seconds_since},
    output::HoldReason,
    window::Window,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// When each cause was last seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holds {
    seen: BTreeMap<HoldReason, Millis>,
    /// Share of errors in arrivals as this process usually has it: a process that always answers some requests with an
    /// error still serves them.
    errors: f64,
}

/// Time constant in seconds of the usual share of errors.
const ERRORS_MEMORY: f64 = 1800.0;
/// Largest share of errors that is taken for usual: who fails more than one request in ten is in trouble.
pub(crate) const ERRORS_USUAL: f64 = 0.1;

/// What the rest of the law saw in this tick.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// A signal is unknown.
    pub unknown: bool,
    /// Seconds that became complete with this tick.
    pub fresh: i64,
    /// An urgent demand for the pods that there are, or all but those that one step in would take: jumps that far fewer pods
    /// answer must not keep many for ever.
    pub panic: bool,
    /// Requests wait longer than the constant `backlog_seconds`.
    pub backlog: bool,
}

impl Holds {
    /// Notes what is seen now and returns the most telling hold in force.
    pub fn look(&mut self, now: Millis, window: &Window, seen: Seen, k: &Constants) -> Option<HoldReason> {
        let few = f64::from(k.min_count);
        // Timeouts belong to arrivals of half a minute ago. Taking those as the base also means that more arrivals now
        // can never end a hold.
        let base = window.sums(30, 30);
        let base_rate = (base.first + base.retries) / base.seconds.max(1.0);
        // One timeout is no ratio: two within ten seconds are, or three within a minute of which one is new.
        let is_many = |seconds: i64, least: f64| {
            let sums = window.sums(0, seconds);
            sums.timeouts >= least && sums.timeouts > k.hold_timeouts * base_rate * sums.seconds
        };
        let timeouts = window.sums(0, 10).timeouts > 0.0 && (is_many(10, 2.0) || is_many(60, 3.0));
        // Nobody can have answered the newest two seconds, and who came just before the answers that are counted was answered
        // before them: a burst at either end is no shortfall.
        let ended = window.sums(0, 28);
        let arrived = [window.sums(0, 28), window.sums(2, 28)]
            .map(|sums| sums.first + sums.retries)
            .into_iter()
            .fold(f64::INFINITY, f64::min);
        // Who has a slot now, beyond those who had one then, is being served: no shortfall yet, and none at all if it ends well.
        let served = (window.sums(0, 1).busy - window.sums(28, 1).busy).max(0.0);
        let completions = arrived >= few && {
            let usual = ended.errors.min(self.errors * arrived);
            ended.completed + usual + served < k.hold_completions * arrived
        };
        let causes = [
            (HoldReason::SignalsUnknown, seen.unknown),
            (HoldReason::Timeouts, timeouts),
            (HoldReason::Completions, completions),
            (HoldReason::Backlog, seen.backlog),
            (HoldReason::Panic, seen.panic),
        ];
        for (cause, is_seen) in causes {
            if is_seen {
                self.seen.insert(cause, now);
            }
        }
        // What was seen later than now was seen by a clock that was wrong: it counts as seen now.
        self.seen.values_mut().for_each(|at| *at = (*at).min(now));
        self.seen.retain(|_, at| seconds_since(now, *at) < k.hold_release);
        self.learn(arrived, ended.errors, seen);
        causes.iter().map(|(cause, _)| *cause).find(|cause| self.seen.contains_key(cause))
    }

    /// Learns the usual share of errors from what is new, and nothing from what is unknown or from times of trouble: the
    /// errors of an overload are not how the process is.
    fn learn(&mut self, arrived: f64, errors: f64, seen: Seen) {
        let trouble = [HoldReason::Timeouts, HoldReason::Backlog].iter().any(|c| self.seen.contains_key(c));
        if seen.unknown || trouble || arrived <= 0.0 {
            return;
        }
        let share = (errors / arrived).clamp(0.0, ERRORS_USUAL);
        self.errors +=
            (share - self.errors) * (1.0 - (-seen.fresh.clamp(0, 60) as f64 / ERRORS_MEMORY).exp());
    }

    /// The share of errors that this process usually has.
    pub fn usual_errors(&self) -> f64 {
        self.errors
    }

    /// Whether this cause was seen at this very tick.
    pub fn is_fresh(&self, cause: HoldReason, now: Millis) -> bool {
        self.seen.get(&cause) == Some(&now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::{Bucket, Report};

    fn minute(window: &mut Window, from: i64, bucket: &Bucket) {
        for second in from..from + 60 {
            let report =
                Report { router: "a".into(), buckets: vec![Bucket { second, ..*bucket }], gone: false };
            window.merge(second + 1, &[report], &Constants::default());
        }
    }

    /// A look after a minute of news.
    const NEWS: Seen = Seen { unknown: false, fresh: 60, panic: false, backlog: false };

    #[test]
    fn timeouts_forbid_scaling_in_until_a_minute_after_they_end() {
        let k = Constants::default();
        let (mut window, mut holds) = (Window::default(), Holds::default());
        let healthy = Bucket { first_tries: 100, completed: 100, ..Bucket::default() };
        minute(&mut window, 1_000, &healthy);
        assert_eq!(holds.look(1_060_000, &window, Seen::default(), &k), None);
        minute(&mut window, 1_060, &Bucket { timeouts: 1, ..healthy });
        assert_eq!(holds.look(1_120_000, &window, Seen::default(), &k), Some(HoldReason::Timeouts));
        minute(&mut window, 1_120, &healthy);
        assert_eq!(holds.look(1_179_000, &window, Seen::default(), &k), Some(HoldReason::Timeouts));
        assert_eq!(holds.look(1_180_001, &window, Seen::default(), &k), None);
    }

    #[test]
    fn fewer_completions_than_arrivals_forbid_scaling_in() {
        let k = Constants::default();
        let (mut window, mut holds) = (Window::default(), Holds::default());
        minute(&mut window, 1_000, &Bucket { first_tries: 100, completed: 90, ..Bucket::default() });
        assert_eq!(holds.look(1_060_000, &window, Seen::default(), &k), Some(HoldReason::Completions));
        let (mut window, mut holds) = (Window::default(), Holds::default());
        window.merge(
            11,
            &[Report {
                router: "a".into(),
                buckets: vec![Bucket { second: 10, first_tries: 3, ..Bucket::default() }],
                gone: false,
            }],
            &k,
        );
        assert_eq!(holds.look(11_000, &window, Seen::default(), &k), None, "three requests prove nothing");
    }

    #[test]
    fn errors_that_are_always_there_do_not_forbid_scaling_in_for_ever() {
        let k = Constants::default();
        let (mut window, mut holds) = (Window::default(), Holds::default());
        let failing = Bucket { first_tries: 100, completed: 92, errors: 8, ..Bucket::default() };
        let mut held = Vec::new();
        for minute in 0..240i64 {
            self::minute(&mut window, 1_000 + 60 * minute, &failing);
            held.push(holds.look(1_000 * (1_060 + 60 * minute), &window, NEWS, &k).is_some());
        }
        assert!(held[..10].iter().all(|h| *h), "news at first");
        assert!(!held[239], "usual after hours");
    }

    #[test]
    fn usual_errors_are_learned_from_news_in_quiet_times_and_never_beyond_a_tenth() {
        let k = Constants::default();
        let share = |bucket: Bucket, seen: Seen| {
            let (mut window, mut holds) = (Window::default(), Holds::default());
            for minute in 0..240i64 {
                self::minute(&mut window, 1_000 + 60 * minute, &bucket);
                holds.look(1_000 * (1_060 + 60 * minute), &window, seen, &k);
            }
            holds.usual_errors()
        };
        let failing =
            |errors: u32| Bucket { first_tries: 100, completed: 100 - errors, errors, ..Bucket::default() };
        assert!((share(failing(8), NEWS) - 0.08).abs() < 0.001);
        assert!((share(failing(60), NEWS) - 0.1).abs() < 0.001, "more is trouble, however long it lasts");
        for seen in
            [Seen { fresh: 0, ..NEWS }, Seen { unknown: true, ..NEWS }, Seen { backlog: true, ..NEWS }]
        {
            assert!(share(failing(8), seen).abs() < 1e-9, "{seen:?}");
        }
        assert!(share(Bucket { timeouts: 2, ..failing(8) }, NEWS).abs() < 1e-9, "timeouts");
    }
}
