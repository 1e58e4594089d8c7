//! Requests in flight: one queue before all slots, a calendar of ends, and timeouts.
//!
//! The queue is shared (a router that sends to the least loaded pod comes close to it) and first come, first served.
//! It lies in the pods: a request whose client gave up is still worked on, as behind Heroku's router.
use std::collections::VecDeque;

/// Longest service in steps that the calendar can hold (about 10 min).
const CALENDAR: usize = 32_768;

/// One try of a request.
#[derive(Debug, Clone, Copy)]
pub struct Try {
    /// Step of the first try.
    pub first: u32,
    /// Step of this try.
    pub arrived: u32,
    /// Step at which a slot began with it.
    pub begun: u32,
    /// Service in steps of a healthy downstream.
    pub service: u32,
    /// How many tries came before.
    pub retry: u8,
    /// Begun already.
    pub is_begun: bool,
    /// Answered.
    pub is_done: bool,
    /// Given up by the router.
    pub is_abandoned: bool,
    /// A stream: keeps its slot for long, and is well once it has begun.
    pub is_stream: bool,
}

/// All tries that are not over.
#[derive(Debug)]
pub struct Requests {
    tries: VecDeque<Try>,
    /// Number of the oldest try kept.
    base: u64,
    /// Numbers of the tries that wait.
    queue: VecDeque<u64>,
    calendar: Vec<Vec<u64>>,
    /// Progress of a slot since the start, in healthy steps.
    progress: f64,
    /// Calendar cells already emptied.
    emptied: u64,
    /// The next try whose timeout is due.
    next_timeout: u64,
    /// Slots in use, streams among them.
    pub busy: u32,
    /// Slots used by streams.
    pub streams: u32,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            tries: VecDeque::new(),
            base: 0,
            queue: VecDeque::new(),
            calendar: vec![Vec::new(); CALENDAR],
            progress: 0.0,
            emptied: 0,
            next_timeout: 0,
            busy: 0,
            streams: 0,
        }
    }
}

impl Requests {
    /// Requests waiting.
    pub fn waiting(&self) -> u32 {
        self.queue.len() as u32
    }

    /// Adds a try at the queue's end.
    pub fn arrive(&mut self, new: Try) {
        self.queue.push_back(self.base + self.tries.len() as u64);
        self.tries.push_back(new);
    }

    fn get(&mut self, number: u64) -> Option<&mut Try> {
        let index = number.checked_sub(self.base)? as usize;
        self.tries.get_mut(index)
    }

    /// Begins the oldest waiting try, if there is one.
    pub fn begin(&mut self, step: u32) -> Option<Try> {
        let number = self.queue.pop_front()?;
        let end = (self.progress.ceil() as u64).max(self.emptied);
        let begun = {
            let one = self.get(number)?;
            one.is_begun = true;
            one.begun = step;
            *one
        };
        let length = (begun.service.max(1) as usize).min(CALENDAR - 2) as u64;
        // `end` is the cell that the next step empties, which is one step of service away already.
        self.calendar[((end + length - 1) % CALENDAR as u64) as usize].push(number);
        self.busy += 1;
        self.streams += u32::from(begun.is_stream);
        Some(begun)
    }

    /// Lets slots progress by `speed` healthy steps and hands every try that ends to `end`.
    pub fn progress(&mut self, speed: f64, mut end: impl FnMut(Try)) {
        self.progress += speed;
        while (self.emptied as f64) <= self.progress {
            let cell = (self.emptied % CALENDAR as u64) as usize;
            let mut due = std::mem::take(&mut self.calendar[cell]);
            for number in due.drain(..) {
                self.busy -= 1;
                if let Some(one) = self.get(number) {
                    one.is_done = true;
                    let one = *one;
                    self.streams -= u32::from(one.is_stream);
                    end(one);
                }
            }
            self.calendar[cell] = due; // keep the allocation
            self.emptied += 1;
        }
    }

    /// Hands every try that arrived `after` steps ago and has no answer to `give_up`, once.
    pub fn time_out(&mut self, step: u32, after: u32, mut give_up: impl FnMut(Try)) {
        while let Some(one) = self.get(self.next_timeout) {
            if one.arrived + after > step {
                break;
            }
            let begun_stream = one.is_stream && one.is_begun;
            if !one.is_done && !begun_stream {
                one.is_abandoned = true;
                let one = *one;
                give_up(one);
            }
            self.next_timeout += 1;
        }
        while self.base < self.next_timeout && self.tries.front().is_some_and(|t| t.is_done) {
            self.tries.pop_front();
            self.base += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(service: u32) -> Try {
        Try {
            first: 0,
            arrived: 0,
            begun: 0,
            service,
            retry: 0,
            is_begun: false,
            is_done: false,
            is_abandoned: false,
            is_stream: false,
        }
    }

    #[test]
    fn service_takes_its_time_and_twice_that_at_half_speed() {
        for (speed, expected) in [(1.0, 10), (0.5, 19)] {
            let mut r = Requests::default();
            r.progress(1.0, |_| ());
            r.arrive(one(10));
            r.begin(0);
            let mut steps = 0;
            while r.busy > 0 {
                r.progress(speed, |_| ());
                steps += 1;
            }
            assert!((expected..=expected + 1).contains(&steps), "{speed}: {steps}");
        }
    }

    #[test]
    fn work_goes_on_after_a_timeout() {
        let mut r = Requests::default();
        r.arrive(one(100));
        r.begin(0);
        let mut given_up = 0;
        r.time_out(50, 50, |_| given_up += 1);
        r.time_out(51, 50, |_| given_up += 1);
        assert_eq!((given_up, r.busy), (1, 1));
        let mut ends = Vec::new();
        (0..101).for_each(|_| r.progress(1.0, |t| ends.push(t.is_abandoned)));
        assert_eq!((ends, r.busy), (vec![true], 0));
    }
}
