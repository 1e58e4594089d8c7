//! Sums and rates over stretches of the window.
use super::{CELLS_OF_RING, Window};

/// Sums over some seconds; gauges are averages over them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// How many seconds.
    pub seconds: f64,
    /// First tries.
    pub first: f64,
    /// Retries.
    pub retries: f64,
    /// Answered without error.
    pub completed: f64,
    /// Answered with an error.
    pub errors: f64,
    /// Given up.
    pub timeouts: f64,
    /// Finished by the process, whether somebody still waited for it or not.
    pub finished: f64,
    /// Requests waiting, on average.
    pub waiting: f64,
    /// Requests being served, on average.
    pub busy: f64,
    /// Open streams, on average.
    pub streams: f64,
    /// Waiting time in seconds, summed.
    pub wait: f64,
    /// Service time in seconds, summed.
    pub service: f64,
}

impl Window {
    /// Sums over `len` seconds of which the newest lies `skip` seconds before the head; shorter while history is short.
    pub fn sums(&self, skip: i64, len: i64) -> Sums {
        let Some(head) = self.head else { return Sums::default() };
        let until = (skip + len).min(self.age());
        // Whole numbers: fast to add, and exact.
        let (mut n, mut wait, mut service) = ([0u64; 9], 0u64, 0u64);
        for back in skip..until {
            let second = head.saturating_sub(back);
            let c = &self.ring[second.rem_euclid(CELLS_OF_RING) as usize];
            if c.at != second {
                continue;
            }
            let busy = c.in_flight.saturating_sub(c.waiting);
            let cell = [
                c.first,
                c.retries,
                c.completed,
                c.errors,
                c.timeouts,
                c.finished,
                c.waiting,
                busy,
                c.streams,
            ];
            n.iter_mut().zip(cell).for_each(|(sum, more)| *sum += u64::from(more));
            wait = wait.saturating_add(c.wait_us);
            service = service.saturating_add(c.service_us);
        }
        let seconds = (until - skip).max(0) as f64;
        let [first, retries, completed, errors, timeouts, finished, waiting, busy, streams] =
            n.map(|n| n as f64);
        let over = seconds.max(1.0);
        Sums {
            seconds,
            first,
            retries,
            completed,
            errors,
            timeouts,
            finished,
            waiting: waiting / over,
            busy: busy / over,
            streams: streams / over,
            wait: wait as f64 / 1e6,
            service: service as f64 / 1e6,
        }
    }

    /// First tries of the newest 0, 1, 2 … 64 seconds: the sum of any stretch is a difference of two of these.
    pub fn first_tries(&self) -> [f64; 65] {
        let mut all = [0.0; 65];
        let Some(head) = self.head else { return all };
        let (mut sum, age) = (0.0, self.age());
        for (back, cell) in (0i64..).zip(&mut all[1..]) {
            let second = head.saturating_sub(back);
            let c = &self.ring[second.rem_euclid(CELLS_OF_RING) as usize];
            if back < age && c.at == second {
                sum += f64::from(c.first);
            }
            *cell = sum;
        }
        all
    }

    /// Arrivals per second over such a window: first tries, and retries up to `cap` times their number.
    pub fn rate(&self, skip: i64, len: i64, cap: f64) -> f64 {
        let (mut first, mut retries, mut n) = (0.0, 0.0, 0.0f64);
        let Some(head) = self.head else { return 0.0 };
        for back in skip..(skip + len).min(self.age()) {
            let second = head.saturating_sub(back);
            n += 1.0;
            let c = &self.ring[second.rem_euclid(CELLS_OF_RING) as usize];
            if c.at == second {
                first += f64::from(c.first);
                retries += f64::from(c.retries);
            }
        }
        (first + retries.min(first * cap)) / n.max(1.0)
    }
}
