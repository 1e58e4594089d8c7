//! Somebody else set the replicas: an increase is a floor, a decrease a ceiling, for an hour unless they said otherwise.
use crate::{
    constants::Constants,
    input::ForeignChange,
    math::{Millis, after, seconds_since},
    output::Condition,
};
use serde::{Deserialize, Serialize};

/// A foreign change in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Override {
    replicas: u32,
    floor: bool,
    by: String,
    reason: Option<String>,
    until: Millis,
    /// Since when requests suffer under this ceiling.
    suffering: Option<Millis>,
    yielded: bool,
}

/// What is remembered about foreign changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    /// The newest change that was taken in, so that it is taken in once.
    seen: Option<Millis>,
    current: Option<Override>,
}

impl Foreign {
    /// Takes in a change; `ours` is what the law had decided before it.
    pub fn take(&mut self, now: Millis, ours: u32, change: Option<&ForeignChange>, k: &Constants) {
        if let Some(change) = change {
            let at = change.at.as_millisecond();
            if self.seen.is_none_or(|seen| at > seen) {
                self.seen = Some(at);
                let ttl = change.ttl_seconds.map_or(k.override_ttl, f64::from);
                self.current = (change.replicas != ours).then(|| Override {
                    replicas: change.replicas,
                    floor: change.replicas > ours,
                    by: change.by.clone(),
                    reason: change.reason.clone(),
                    until: after(at, ttl),
                    suffering: None,
                    yielded: false,
                });
            }
        }
        if self.current.as_ref().is_some_and(|o| now >= o.until) {
            self.current = None;
        }
    }

    /// Notes whether requests suffer while more pods are wanted; a ceiling yields after two minutes of it.
    pub fn suffer(&mut self, now: Millis, wanted: u32, suffering: bool, k: &Constants) {
        let Some(o) = self.current.as_mut().filter(|o| !o.floor) else { return };
        if !(suffering && wanted > o.replicas) {
            o.suffering = None;
            return;
        }
        let since = *o.suffering.get_or_insert(now);
        o.yielded |= seconds_since(now, since) >= k.ceiling_patience;
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
