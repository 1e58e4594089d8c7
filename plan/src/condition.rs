//! Setting conditions: pure, keeps the time of the last transition, always says which generation it is about.

use crds::{Condition, ConditionStatus, ConditionType, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// The most characters of a message; the API server refuses more.
const MESSAGE_MAX: usize = 32_000;

/// The conditions of one object at one moment, on top of those that it had.
pub struct Conditions {
    known: Vec<Condition>,
    generation: i64,
    now: Timestamp,
}

impl Conditions {
    /// Begins with the conditions that the object has. `generation` is the one that the World saw.
    pub fn new(known: &[Condition], generation: Option<i64>, now: Timestamp) -> Self {
        Self { known: known.to_vec(), generation: generation.unwrap_or_default(), now }
    }

    /// Says something; the time moves only if the status differs.
    pub fn set(
        &mut self,
        type_: ConditionType,
        status: ConditionStatus,
        reason: Reason,
        message: impl Into<String>,
    ) {
        let mut message = message.into();
        if message.len() > MESSAGE_MAX {
            let end = (0..=MESSAGE_MAX).rev().find(|at| message.is_char_boundary(*at)).unwrap_or_default();
            message.truncate(end);
        }
        let since = self
            .known
            .iter()
            .find(|known| known.type_ == type_ && known.status == status)
            .map_or_else(|| Time(self.now), |known| known.last_transition_time.clone());
        let condition = Condition {
            type_,
            status,
            reason,
            message,
            last_transition_time: since,
            observed_generation: self.generation,
        };
        match self.known.iter_mut().find(|known| known.type_ == type_) {
            Some(known) => *known = condition,
            None => self.known.push(condition),
        }
    }

    /// Takes a condition away, for those that exist only while they hold.
    pub fn clear(&mut self, type_: ConditionType) {
        self.known.retain(|known| known.type_ != type_);
    }

    /// The conditions, in a stable order.
    pub fn finish(mut self) -> Vec<Condition> {
        self.known.sort_by_key(|condition| condition.type_);
        self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_moves_only_with_the_status() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut first = Conditions::new(&[], Some(1), at(10));
        first.set(ConditionType::Ready, ConditionStatus::False, Reason::Progressing, "starts");
        let first = first.finish();

        let mut second = Conditions::new(&first, Some(2), at(20));
        second.set(ConditionType::Ready, ConditionStatus::False, Reason::CrashLoop, "ends again and again");
        let second = second.finish();
        assert_eq!(second[0].last_transition_time, Time(at(10)));
        assert_eq!((second[0].reason, second[0].observed_generation), (Reason::CrashLoop, 2));

        let mut third = Conditions::new(&second, Some(2), at(30));
        third.set(ConditionType::Ready, ConditionStatus::True, Reason::Running, "");
        assert_eq!(third.finish()[0].last_transition_time, Time(at(30)));
    }
}
