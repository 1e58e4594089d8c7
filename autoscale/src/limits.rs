//! Precedence: maximum > sleep (the only 0) > foreign ceiling > foreign floor, schedule, minimum > hold > demand.
use crate::output::Limit;

/// Everything that bounds a demand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The hard maximum.
    pub max: u32,
    /// The process sleeps.
    pub asleep: bool,
    /// A person's ceiling.
    pub ceiling: Option<u32>,
    /// A person's floor.
    pub floor: Option<u32>,
    /// A schedule's minimum.
    pub schedule: Option<u32>,
    /// The minimum.
    pub min: u32,
}

impl Bounds {
    /// The largest of the lower bounds, and which it is.
    pub fn lowest(&self) -> (u32, Limit) {
        let mut low = (self.min.max(1), Limit::Minimum);
        for (bound, limit) in [(self.schedule, Limit::Schedule), (self.floor, Limit::ForeignFloor)] {
            if let Some(bound) = bound.filter(|b| *b > low.0) {
                low = (bound, limit);
            }
        }
        low
    }

    /// Applies the bounds in their order; the limit returned is the last one that changed the number.
    pub fn apply(&self, demand: u32) -> (u32, Option<Limit>) {
        let (mut n, mut limit) = (demand, None);
        let (low, which) = self.lowest();
        if n < low {
            (n, limit) = (low, Some(which));
        }
        if let Some(ceiling) = self.ceiling.filter(|c| *c < n) {
            (n, limit) = (ceiling, Some(Limit::ForeignCeiling));
        }
        if self.asleep {
            (n, limit) = (0, Some(Limit::Sleep));
        }
        if n > self.max {
            (n, limit) = (self.max, Some(Limit::Maximum));
        }
        (n, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_precedence_holds() {
        let b = Bounds { max: 20, min: 2, ..Bounds::default() };
        assert_eq!(b.apply(30), (20, Some(Limit::Maximum)));
        assert_eq!(b.apply(0), (2, Some(Limit::Minimum)));
        assert_eq!(b.apply(5), (5, None));
        let b = Bounds { schedule: Some(10), floor: Some(8), ..b };
        assert_eq!(b.apply(3), (10, Some(Limit::Schedule)));
        let b = Bounds { ceiling: Some(1), ..b };
        assert_eq!(b.apply(30), (1, Some(Limit::ForeignCeiling)), "a ceiling is stronger than a schedule");
        let b = Bounds { asleep: true, ..b };
        assert_eq!(b.apply(30), (0, Some(Limit::Sleep)));
        let b = Bounds { max: 4, min: 2, schedule: Some(10), ..Bounds::default() };
        assert_eq!(b.apply(1), (4, Some(Limit::Maximum)), "the maximum is stronger than a schedule");
    }
}
