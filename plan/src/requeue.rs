//! When to look again: one table over the class of a refusal.

use std::time::Duration;

use crds::Reason;

use crate::refusal::{Class, Refusal};

/// The first wait after a transient error.
pub const FIRST: Duration = Duration::from_millis(500);
/// The longest wait after transient errors.
pub const LONGEST: Duration = Duration::from_mins(2);
/// How often something is looked at although a watch is expected to tell.
pub const SAFETY_NET: Duration = Duration::from_mins(10);

/// How often something is looked at that rests on an object which no watch shows: that of another owner.
pub const UNWATCHED: Duration = Duration::from_secs(30);

/// How long to wait after a refusal, as [`after`] has it, but for what no watch will tell.
pub fn after_refusal(refusal: &Refusal, failures: u32, jitter: f64) -> Duration {
    let wait = after(refusal.class, failures, jitter);
    if refusal.reason == Reason::OwnedByAnother { wait.min(UNWATCHED) } else { wait }
}

/// How long to wait before the next look.
///
/// `failures` counts the transient errors in a row, from 1; `jitter` is a random number from 0 to 1, which spreads the
/// wait over its upper half so that many keys do not return at once.
pub fn after(class: Class, failures: u32, jitter: f64) -> Duration {
    match class {
        Class::Transient => {
            let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST);
            doubled.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
        }
        Class::Waiting | Class::NeedsUser => SAFETY_NET.mul_f64(0.9 + jitter.clamp(0.0, 1.0) / 5.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transient_errors_wait_twice_as_long_each_time_up_to_a_bound() {
        let waits: Vec<_> = (1..=10).map(|n| after(Class::Transient, n, 1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 120_000, 120_000]);
        assert_eq!(after(Class::Transient, u32::MAX, 0.0), LONGEST / 2);
    }

    #[test]
    fn what_a_watch_will_tell_is_only_looked_at_as_a_safety_net() {
        for class in [Class::Waiting, Class::NeedsUser] {
            assert_eq!(after(class, 9, 0.5), SAFETY_NET);
        }
    }
    #[test]
    fn what_another_owns_is_looked_at_more_often() {
        let taken = Refusal::needs_user(Reason::OwnedByAnother, "taken");
        assert_eq!(after_refusal(&taken, 1, 0.5), UNWATCHED);
        assert_eq!(after_refusal(&Refusal::needs_user(Reason::InvalidSpec, "wrong"), 1, 0.5), SAFETY_NET);
    }
}
