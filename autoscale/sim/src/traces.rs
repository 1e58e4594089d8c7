//! The catalogue of traces. Committed before the law was tuned, and not changed for it.
//!
//! A family is drawn from a seed. Family 0 has the shapes as they are described; every other family changes each
//! number within the range written beside it, so it tests the law on shapes that nobody has looked at.
use crate::{
    rng::Rng,
    trace::{Event, Retries, Service, Trace},
};

/// Draws the numbers of a family.
struct Draw {
    rng: Rng,
    jitter: bool,
    seed: u64,
}

impl Draw {
    /// `value` in family 0, otherwise something between `value / spread` and `value · spread`.
    fn number(&mut self, value: f64, spread: f64) -> f64 {
        let factor = spread.powf(self.rng.between(-1.0, 1.0));
        if self.jitter { value * factor } else { value }
    }

    fn at(&mut self, value: f64) -> u32 {
        self.number(value, 1.2) as u32
    }

    fn trace(&mut self, name: &str, about: &str, seconds: u32, rate: impl FnMut(f64) -> f64) -> Trace {
        let seed = self.seed ^ name.bytes().fold(0, |h, b| h * 31 + u64::from(b));
        let rate = (0..seconds).map(f64::from).map(rate).map(|r| r.max(0.0) as f32).collect();
        Trace::new(name, about, seed, rate)
    }
}

/// A flat top with linear sides: 0 outside, 1 on top.
fn plateau(t: f64, from: f64, rise: f64, length: f64) -> f64 {
    ((t - from) / rise).min((from + length - t) / rise).clamp(0.0, 1.0)
}

/// A bell of this half-width (in hours) around an hour of the day.
fn bell(hour: f64, at: f64, width: f64) -> f64 {
    (-((hour - at) / width).powi(2)).exp()
}

/// All traces of a family.
pub fn family(seed: u64) -> Vec<Trace> {
    let mut d = Draw { rng: Rng::new(seed, 77), jitter: seed != 0, seed };
    let mut all = bursts(&mut d);
    all.extend(curves(&mut d));
    all.extend(downstream(&mut d));
    all.extend(operations(&mut d));
    all
}

fn bursts(d: &mut Draw) -> Vec<Trace> {
    let (base, times, rise) = (d.number(100.0, 1.5), d.number(10.0, 1.4), d.number(30.0, 1.5));
    let (first, second, length) = (f64::from(d.at(1800.0)), f64::from(d.at(9000.0)), d.number(900.0, 1.4));
    let flash = d.trace("flash10", "×10 within 30 s, for 15 min, twice", 4 * 3600, |t| {
        let top = plateau(t, first, rise, length + rise).max(plateau(t, second, rise, length + rise));
        base * (1.0 + (times - 1.0) * top)
    });
    let (low, high, half) = (d.number(100.0, 1.4), d.number(300.0, 1.4), d.number(210.0, 1.2));
    let square = d.trace("square", "7-minute square wave", 6 * 3600, |t| {
        if ((t / half) as u64).is_multiple_of(2) { low } else { high }
    });
    let (low, high, at) = (d.number(100.0, 1.4), d.number(400.0, 1.4), f64::from(d.at(3000.0)));
    let step = d.trace("step", "one step from 100 to 400", 2 * 3600, |t| if t < at { low } else { high });
    let (low, high) = (d.number(100.0, 1.4), d.number(800.0, 1.4));
    let (from, length) = (f64::from(d.at(1200.0)), d.number(3600.0, 1.4));
    let ramp = d.trace("ramp", "100 to 800 within an hour", 7200, |t| {
        low + (high - low) * ((t - from) / length).clamp(0.0, 1.0)
    });
    vec![flash, square, step, ramp, noise(d)]
}

/// Rates that wander: an Ornstein–Uhlenbeck process in the logarithm, 30% wide, forgetting within 20 s.
fn noise(d: &mut Draw) -> Trace {
    let (mean, width, memory) = (d.number(150.0, 1.4), d.number(0.3, 1.3), d.number(20.0, 1.5));
    let mut rng = Rng::new(d.seed, 78);
    let (keep, mut x) = ((-1.0 / memory).exp(), 0.0);
    d.trace("noise", "150 ± 30%, forgetting within 20 s", 4 * 3600, |_| {
        x = keep * x + (1.0 - keep * keep).sqrt() * rng.normal();
        mean * (width * x - width * width / 2.0).exp()
    })
}

fn curves(d: &mut Draw) -> Vec<Trace> {
    let (night, noon, evening) = (d.number(20.0, 1.4), d.number(180.0, 1.4), d.number(140.0, 1.4));
    let (meeting, times) = (d.number(9.0, 1.05) * 3600.0, d.number(3.0, 1.3));
    let curve = move |hour: f64| night + noon * bell(hour, 13.0, 3.5) + evening * bell(hour, 20.0, 2.2);
    let day = d.trace("day", "a day with a meeting peak at 9", 24 * 3600, |t| {
        let peak = plateau(t, meeting, 120.0, 900.0);
        curve(t / 3600.0) * (1.0 + (times - 1.0) * peak)
    });
    let scale = d.number(0.4, 1.3);
    let week = d.trace("week", "seven days, quiet at the weekend", 7 * 24 * 3600, |t| {
        let weekend = if (t / 86_400.0) as u64 % 7 >= 5 { 0.35 } else { 1.0 };
        scale * weekend * curve((t / 3600.0) % 24.0)
    });
    let mean = d.number(100.0, 1.4);
    let wave = move |t: f64| mean * (1.0 + 0.4 * (t / 1800.0).sin());
    let tail = d.number(1.6, 1.1);
    let heavy = Trace {
        service: Service::Pareto(0.2, tail.max(1.4)),
        ..d.trace("heavytail", "Pareto service times", 2 * 3600, wave)
    };
    let (share, length) = (d.number(0.005, 1.4), d.number(120.0, 1.3));
    let streams = Trace {
        streams: (share, length),
        ..d.trace("streams", "0.5% of requests stream for 2 min", 4 * 3600, wave)
    };
    vec![day, week, heavy, streams]
}

fn downstream(d: &mut Draw) -> Vec<Trace> {
    let (mean, from, factor) = (d.number(100.0, 1.4), d.at(2400.0), d.number(5.0, 1.5));
    let slow = Event::Slow { from, to: from + d.at(1800.0), factor, slots: mean * 0.2 * 2.0 };
    let slowdb = Trace {
        events: vec![slow],
        ..d.trace("slowdb", "the database is 5 times slower for 30 min", 2 * 3600, |_| mean)
    };
    let (low, high, slots) = (d.number(100.0, 1.3), d.number(600.0, 1.2), d.number(80.0, 1.2));
    let (from, rise, length) = (f64::from(d.at(1200.0)), d.number(900.0, 1.3), d.number(3000.0, 1.2));
    let saturate = Trace {
        events: vec![Event::Saturates { slots }],
        ..d.trace("saturate", "the database saturates at 20 pods", 2 * 3600, |t| {
            low + (high - low) * plateau(t, from, rise, length)
        })
    };
    let (mean, from) = (d.number(150.0, 1.4), d.at(2400.0));
    let storm = Trace {
        events: vec![Event::Errors { from, to: from + d.at(120.0), share: 0.95 }],
        retries: Retries { share: 0.95, most: 4, after: 3.0 },
        ..d.trace("retrystorm", "2 min of errors, each retried four times", 2 * 3600, |_| mean)
    };
    vec![slowdb, saturate, storm]
}

fn operations(d: &mut Draw) -> Vec<Trace> {
    let (low, high) = (d.number(100.0, 1.4), d.number(300.0, 1.4));
    let (from, rise) = (f64::from(d.at(3600.0)), d.number(1200.0, 1.4));
    let hill = move |t: f64| low + (high - low) * plateau(t, from, rise, 7200.0);
    let dark = d.at(4200.0);
    let outage = Trace {
        events: vec![Event::Outage { from: dark, to: dark + d.at(600.0) }],
        ..d.trace("outage", "no signals for 10 min of a rise", 4 * 3600, hill)
    };
    let restart = d.at(2400.0);
    let router = Trace {
        events: vec![Event::RouterRestart { from: restart, to: restart + 20 }],
        ..d.trace("router", "one of two routers restarts", 2 * 3600, move |_| high / 1.5)
    };
    let (person, sale, times) = (d.at(2400.0), d.number(1500.0, 1.2), d.number(5.0, 1.3));
    let sale = f64::from(person) + sale;
    let manual = Trace {
        events: vec![Event::Manual { at: person, replicas: (low * times * 0.2 / 4.0 * 1.4) as u32 }],
        ..d.trace("manual", "a person scales out 25 min before a sale", 2 * 3600, move |t| {
            if t < sale { low } else { low + low * (times - 1.0) * plateau(t, sale, 10.0, 1500.0) }
        })
    };
    let roll = Event::RollOut { at: d.at(3000.0), factor: d.number(1.3, 1.15) };
    let rollout = Trace {
        events: vec![roll],
        ..d.trace("rollout", "a release that is 30% slower rolls out", 2 * 3600, move |_| high / 1.5)
    };
    vec![outage, router, manual, rollout, rewrite(d)]
}

/// A release whose requests take twice as long, for good: not a slow downstream, but the new normal.
fn rewrite(d: &mut Draw) -> Trace {
    let (mean, at, factor) = (d.number(120.0, 1.4), d.at(3000.0), d.number(2.0, 1.2));
    Trace {
        events: vec![Event::RollOut { at, factor }],
        ..d.trace("rewrite", "a release that is twice as slow rolls out", 2 * 3600, move |_| mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn family_zero_has_the_shapes_of_the_description() {
        let all = family(0);
        let of = |name: &str| all.iter().find(|t| t.name == name).unwrap().clone();
        let flash = of("flash10");
        assert_eq!((flash.seconds(), flash.rate[0] as u32, flash.rate[1900] as u32), (14_400, 100, 1000));
        assert!((flash.rate[1815] - 550.0).abs() < 1.0, "half-way up after 15 s");
        assert_eq!((of("square").rate[209] as u32, of("square").rate[210] as u32), (100, 300));
        assert_eq!((of("slowdb").seconds(), of("slowdb").bounds), (7200, (2, 200)));
        assert_eq!(family(0), family(0));
        assert_ne!(family(1)[0].rate, family(2)[0].rate);
    }
}
