//! Somebody else set the replicas: an increase is a floor, a decrease a ceiling, for an hour unless they said otherwise.
use crate::{
    constants::Constants,
    input::ForeignChange,
    math::{Millis, after, seconds_since},
    output::Condition,
};
use serde::{Deserialize, Serialize};

/// A foreign change in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Override {
    replicas: u32,
    floor: bool,
    by: String,
    reason: Option<String>,
    until: Millis,
    /// Since when requests suffer under this ceiling, and when they did last.
    suffering: Option<(Millis, Millis)>,
    yielded: bool,
}

/// What is remembered about foreign changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Foreign {
    /// The newest change that was taken in, so that it is taken in once.
    seen: Option<Millis>,
    current: Option<Override>,
}

/// What is new since the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct News {
    /// Somebody asks for more pods than there were.
    pub is_increase: bool,
    /// Somebody lowered a floor in force to this one.
    pub lowered: Option<u32>,
}

impl Foreign {
    /// Takes in a change. `ours` is what the law had decided before it, if it had, and `demand` what the law itself
    /// asked for, whatever bound it.
    ///
    /// The same number again confirms what is in force. A change that the law finds when it begins is a floor: keeping
    /// pods that somebody asked for is the safe reading. So is a floor that is lowered but not below the demand:
    /// whoever wants fewer spare pods does not want a limit. A ceiling that is raised and still lies below the demand stays
    /// a ceiling: whoever allows two pods more does not ask for all.
    pub fn take(
        &mut self,
        now: Millis,
        ours: Option<u32>,
        demand: u32,
        change: Option<&ForeignChange>,
        k: &Constants,
    ) -> News {
        // A change that a wrong clock dated into the future must not hide those that follow.
        let is_new = |c: &&ForeignChange| {
            let at = c.at.as_millisecond();
            self.seen.is_none_or(|seen| at > seen || (seen > now && at != seen))
        };
        let news =
            change.filter(is_new).map(|change| self.put(now, ours, demand, change, k)).unwrap_or_default();
        if self.current.as_ref().is_some_and(|o| now >= o.until) {
            self.current = None;
            return News::default();
        }
        news
    }

    /// Puts a new change in force.
    fn put(
        &mut self,
        now: Millis,
        ours: Option<u32>,
        demand: u32,
        change: &ForeignChange,
        k: &Constants,
    ) -> News {
        let at = change.at.as_millisecond().min(now);
        self.seen = Some(change.at.as_millisecond());
        let until = after(at, change.ttl_seconds.map_or(k.override_ttl, f64::from));
        let before = change.from.or(ours).unwrap_or(0);
        if change.replicas == before {
            if let Some(o) = self.current.as_mut().filter(|o| o.replicas == before) {
                o.until = o.until.max(until);
            }
            return News::default();
        }
        let is_increase = change.replicas > before;
        let in_force = self.current.as_ref().filter(|o| o.floor && at < o.until);
        let lowered = in_force.is_some_and(|o| change.replicas < o.replicas) && change.replicas >= demand;
        let ceiling = self.current.as_ref().filter(|o| !o.floor && !o.yielded && at < o.until);
        let raised = is_increase && ceiling.is_some() && change.replicas < demand;
        self.current = Some(Override {
            replicas: change.replicas,
            floor: (is_increase && !raised) || lowered,
            by: change.by.clone(),
            reason: change.reason.clone(),
            until,
            suffering: None,
            yielded: false,
        });
        News { is_increase, lowered: (lowered && !is_increase).then_some(change.replicas) }
    }

    /// Sleep is stronger than a floor; one that no longer holds is not shown as if it did.
    pub fn drop_floor(&mut self) {
        self.current.take_if(|o| o.floor);
    }

    /// Notes whether requests suffer while more pods are wanted; a ceiling yields after two minutes of it, whatever
    /// single good seconds lie between.
    pub fn suffer(&mut self, now: Millis, wanted: u32, suffering: bool, k: &Constants) {
        let Some(o) = self.current.as_mut().filter(|o| !o.floor) else { return };
        if suffering && wanted > o.replicas {
            let since = o.suffering.map_or(now, |(since, _)| since);
            o.suffering = Some((since, now));
            o.yielded |= seconds_since(now, since) >= k.ceiling_patience;
        } else if o.suffering.is_some_and(|(_, last)| seconds_since(now, last) >= k.ceiling_calm) {
            o.suffering = None;
        }
    }

    /// The floor in force.
    pub fn floor(&self) -> Option<u32> {
        self.current.as_ref().filter(|o| o.floor).map(|o| o.replicas)
    }

    /// The ceiling in force; one pod at least, because only sleep is zero.
    pub fn ceiling(&self) -> Option<u32> {
        self.current.as_ref().filter(|o| !o.floor && !o.yielded).map(|o| o.replicas.max(1))
    }

    /// The condition while a change is honoured, or was set aside.
    pub fn condition(&self, now: Millis) -> Option<Condition> {
        let o = self.current.as_ref()?;
        Some(Condition::Overridden {
            by: o.by.clone(),
            reason: o.reason.clone(),
            replicas: o.replicas,
            floor: o.floor,
            left_seconds: seconds_since(o.until, now),
            yielded: o.yielded,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn change(at: i64, from: Option<u32>, replicas: u32) -> ForeignChange {
        let at = Timestamp::from_second(at).unwrap_or_default();
        ForeignChange { replicas, from, by: "alice".into(), reason: None, at, ttl_seconds: None }
    }

    #[test]
    fn the_same_number_again_confirms_a_floor() {
        let (mut f, k) = (Foreign::default(), Constants::default());
        assert!(f.take(10_000, Some(5), 5, Some(&change(10, None, 30)), &k).is_increase);
        let again = f.take(1_000_000, Some(30), 5, Some(&change(1_000, None, 30)), &k);
        assert_eq!(again, News::default());
        assert_eq!(f.floor(), Some(30));
        f.take(4_000_000, Some(30), 5, None, &k);
        assert_eq!(f.floor(), Some(30), "renewed for an hour");
        f.take(4_600_000, Some(30), 5, None, &k);
        assert_eq!(f.floor(), None);
    }

    #[test]
    fn a_law_that_begins_keeps_what_a_person_set() {
        let (mut f, k) = (Foreign::default(), Constants::default());
        f.take(20_000, None, 0, Some(&change(10, None, 30)), &k);
        assert_eq!((f.floor(), f.ceiling()), (Some(30), None));
    }

    #[test]
    fn late_news_is_compared_with_what_it_changed() {
        let (mut f, k) = (Foreign::default(), Constants::default());
        f.take(20_000, Some(40), 40, Some(&change(10, Some(5), 30)), &k);
        assert_eq!((f.floor(), f.ceiling()), (Some(30), None), "an increase, though the law wants 40 by now");
    }

    #[test]
    fn a_floor_that_is_lowered_stays_a_floor_while_it_lies_above_the_demand() {
        let k = Constants::default();
        let lower = |to: u32, demand: u32| {
            let mut f = Foreign::default();
            f.take(10_000, Some(5), 5, Some(&change(10, None, 30)), &k);
            let news = f.take(20_000, Some(30), demand, Some(&change(20, None, to)), &k);
            (news.lowered, f.floor(), f.ceiling())
        };
        assert_eq!(lower(20, 7), (Some(20), Some(20), None));
        assert_eq!(lower(20, 25), (None, None, Some(20)), "fewer than the law wants is a ceiling");
    }

    #[test]
    fn a_ceiling_that_is_raised_stays_a_ceiling_while_it_lies_below_the_demand() {
        let k = Constants::default();
        let raise = |to: u32, demand: u32| {
            let mut f = Foreign::default();
            f.take(10_000, Some(15), 15, Some(&change(10, None, 4)), &k);
            f.take(20_000, Some(4), demand, Some(&change(20, None, to)), &k);
            (f.floor(), f.ceiling())
        };
        assert_eq!(raise(6, 15), (None, Some(6)));
        assert_eq!(raise(6, 5), (Some(6), None), "more than the law wants is a floor");
        let mut late = Foreign::default();
        late.take(10_000, Some(15), 15, Some(&change(10, None, 4)), &k);
        late.take(4_000_000, Some(4), 15, Some(&change(3_999, None, 6)), &k);
        assert_eq!(late.floor(), Some(6), "no ceiling was in force any more");
    }

    #[test]
    fn one_good_second_does_not_renew_a_ceilings_patience() {
        let (mut f, k) = (Foreign::default(), Constants::default());
        f.take(0, Some(9), 9, Some(&change(0, None, 3)), &k);
        for s in 0..=120 {
            f.suffer(s * 1000, 9, s % 7 != 6, &k);
        }
        assert_eq!(f.ceiling(), None, "yielded");
    }
}
