//! Where are the arrivals going? A rate for now and one for the end of a cold start.
//!
//! Means of 1, 2, 4, 8 and 16 seconds are compared with the means just before them. A rise is believed when it stands
//! out from the noise that this workload has shown at the same scale during the last half hour (and from the noise
//! that counting has by itself), so what is noise for one workload can be a signal for another. A slope must show in
//! three successive rises, of which the smallest is believed: a step touches at most two, and extrapolating a step
//! would buy pods for nothing.
use crate::{constants::Constants, window::Window};
use serde::{Deserialize, Serialize};

/// The scales, in seconds.
const SCALES: [i64; 5] = [1, 2, 4, 8, 16];
/// Seconds in which the memory of noise halves, more or less (time constant of the moving average).
const MEMORY: f64 = 1800.0;
/// How far the mean of a jump may lie above the smaller of its halves to be expected to last: a steep slope does by a
/// third, a burst by everything.
const LASTING: f64 = 1.5;
/// Deviations at which one observation stops adding to the noise: what stands out is news, not noise.
const CLIP: f64 = 3.0;

/// The noise learned per scale.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Forecast {
    /// Variance of the difference of two successive means, per scale.
    variance: [f64; 5],
    /// Seconds of experience, at most [`MEMORY`].
    seen: f64,
    /// First tries per second, averaged over minutes: what the present is compared with for a trend.
    slow: Option<f64>,
    /// What was found for the newest second, so that a tick without news changes nothing.
    last: Rates,
}

/// Rates in requests per second, slope in requests/s².
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// The steady rate.
    pub steady: f64,
    /// The largest recent rate that stands out from the steady one, or the steady one.
    pub fast: f64,
    /// The same for jumps that both halves of their seconds show: a burst of one second is not expected to go on.
    pub lasting: f64,
    /// The rise per second that is believed; never negative.
    pub slope: f64,
}

impl Rates {
    /// The rate to expect in `seconds`, at most `cap` times the rate of now.
    pub fn at(&self, seconds: f64, cap: f64) -> f64 {
        let now = self.fast.max(self.steady);
        self.rising(now, seconds, cap)
    }

    /// The same without what may be over in a second: what a queue is expected to get.
    pub fn lasting_at(&self, seconds: f64, cap: f64) -> f64 {
        self.rising(self.lasting.max(self.steady), seconds, cap)
    }

    fn rising(&self, now: f64, seconds: f64, cap: f64) -> f64 {
        (now + self.slope * seconds.max(0.0)).min(now * cap.max(1.0))
    }
}

impl Forecast {
    /// The rates after `fresh` new seconds; the noise is learned after it was used, so one tick cannot excuse itself.
    ///
    /// `doubt` is 1 for a law that was right lately and grows with every decision that had to be taken back; it raises
    /// the evidence that a change needs.
    pub fn rates(&mut self, window: &Window, fresh: i64, doubt: f64, k: &Constants) -> Rates {
        if fresh <= 0 {
            return self.last;
        }
        // Retries echo trouble: they count as load, but a rise of them is no rise of demand.
        let sums = window.first_tries();
        let mean = |block: usize, w: usize| (sums[(block + 1) * w] - sums[block * w]) / w as f64;
        // The window's length is chosen without the newest seconds: more requests must never make it forget older ones.
        let long = window.rate(fresh, k.steady_window.1, 0.0);
        let steady = ((k.steady_count / long.max(1e-9)) as i64).clamp(k.steady_window.0, k.steady_window.1);
        let first = window.rate(0, steady, 0.0);
        let echo = window.rate(0, steady, k.retry_cap) - first;
        let mut rates = Rates { steady: first, fast: first, lasting: first, slope: 0.0 };
        for (i, &w) in SCALES.iter().enumerate() {
            if window.age() < 2 * w {
                break;
            }
            let [m0, m1, m2, m3] = [0, 1, 2, 3].map(|b| mean(b, w as usize));
            let noise = self.variance[i].max(2.0 * m1.max(1.0 / w as f64) / w as f64);
            let sigma = noise.sqrt();
            if m0 - first > doubt * k.significance * sigma {
                // One deviation less than what was counted: the largest of many counts is too large.
                let jump = m0 - (m0 / w as f64).sqrt();
                rates.fast = rates.fast.max(jump);
                if w > 1 {
                    // Both halves must show it, or it was a burst that is over as soon as it was seen.
                    let half = w as usize / 2;
                    let both = mean(0, half).min(mean(1, half));
                    rates.lasting = rates.lasting.max(jump.min(both * LASTING));
                }
            }
            // The three rises must be alike, or it is a step with noise on both sides. The newest may be larger: it counts
            // no more than the smaller of the others, so that more requests now never speak against a slope.
            let least = (m1 - m2).min(m2 - m3);
            let newest = (m0 - m1).min(least);
            let (rise, even) = (newest, (newest + m1 - m3) / 3.0);
            if window.age() >= 4 * w
                && rise > k.slope_balance * even
                && m0 - m3 > doubt * k.slope_significance * sigma
            {
                rates.slope = rates.slope.max(rise / w as f64);
            }
            self.learn(i, m0 - m1, noise, fresh as f64);
        }
        let seconds = fresh as f64;
        let slow = self.slow.unwrap_or(first);
        let keep = (-seconds / k.trend_memory).exp();
        self.slow = Some(first + (slow - first) * keep).filter(|s| s.is_finite());
        self.seen = (self.seen + seconds).min(MEMORY);
        for rate in [&mut rates.steady, &mut rates.fast, &mut rates.lasting] {
            *rate += echo;
        }
        self.last = rates;
        rates
    }

    /// The rate to expect after so many seconds without signals: a rise of the last minutes goes on, up to a limit.
    /// A fall does not: what is not known is never counted on.
    pub fn blind(&self, rate: f64, seconds: f64, k: &Constants) -> f64 {
        let trend = self.slow.map_or(0.0, |slow| (rate - slow).max(0.0) / k.trend_memory);
        let is_noise = trend * k.trend_memory < 0.1 * rate;
        if is_noise { rate } else { (rate + trend * seconds).min(rate * k.blind_cap) }
    }

    fn learn(&mut self, scale: usize, difference: f64, noise: f64, fresh: f64) {
        let square = (difference * difference).min(CLIP * CLIP * noise);
        let weight = (fresh / (self.seen + fresh).max(60.0)).min(1.0);
        let v = &mut self.variance[scale];
        *v += weight * (square - *v);
        if !v.is_finite() {
            *v = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::{Bucket, Report};

    /// Feeds one count per second and returns the rates after the last.
    fn after(counts: &[u32]) -> Rates {
        let k = Constants::default();
        let (mut window, mut forecast, mut rates) =
            (Window::default(), Forecast::default(), Rates::default());
        for (second, &first_tries) in (1_000i64..).zip(counts) {
            let bucket = Bucket { second, first_tries, ..Bucket::default() };
            let fresh = window
                .merge(second + 1, &[Report { router: "a".into(), buckets: vec![bucket], gone: false }], &k)
                .fresh;
            rates = forecast.rates(&window, fresh, 1.0, &k);
        }
        rates
    }

    /// A steady minute with a little noise, then `more`.
    fn minute_then(more: &[u32]) -> Vec<u32> {
        let steady = (0..60).map(|i| if i % 2 == 0 { 97 } else { 103 });
        steady.chain(more.iter().copied()).collect()
    }

    #[test]
    fn a_ramp_is_extrapolated_after_a_few_seconds() {
        let r = after(&minute_then(&[130, 160, 190, 220, 250, 280]));
        assert!((20.0..=40.0).contains(&r.slope), "{r:?}");
        assert!(r.at(28.0, 4.0) > 700.0, "{r:?}");
    }

    #[test]
    fn a_step_is_seen_at_once_but_never_extrapolated() {
        for n in 1..30 {
            let r = after(&minute_then(&vec![400; n]));
            assert!(r.slope * 28.0 < 1.0, "after {n} s: {r:?}");
            if n >= 2 {
                assert!(r.fast > 240.0, "after {n} s: {r:?}");
            }
        }
    }

    #[test]
    fn a_burst_of_one_second_is_believed_and_not_expected_to_last() {
        for n in 0..4 {
            let mut burst = vec![1_000];
            burst.extend(vec![100; n]);
            let r = after(&minute_then(&burst));
            assert!(r.lasting < 190.0, "{n} s after it: {r:?}");
        }
        assert!(after(&minute_then(&[1_000])).fast > 900.0);
        assert!(after(&minute_then(&[1_000, 1_000])).lasting > 900.0, "two seconds are no burst");
    }

    #[test]
    fn noise_that_was_there_before_is_not_news() {
        let noisy: Vec<u32> = (0..900u32).map(|i| if (i / 5) % 2 == 0 { 60 } else { 140 }).collect();
        let r = after(&noisy);
        assert!(r.fast < 125.0 && r.slope.abs() < 1e-9, "{r:?}");
    }
}
