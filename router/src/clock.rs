//! One timer per connection, for whatever it waits for at the moment.
//!
//! To enter a timer into the runtime's wheel and to take it out again costs more than most of what is done with a
//! request, and nearly every wait is over long before its limit. So the timer stays where it is: it fires now and then,
//! is found to be too early, and is set for the wait of that moment.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// A connection's timer. What waits for it has to belong to one task.
#[derive(Clone, Debug)]
pub struct Clock(Rc<RefCell<Timer>>);

#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// It will wake the task when it fires.
    is_set: bool,
}

impl Clock {
    /// One that has not begun.
    pub fn begin() -> Self {
        Self(Rc::new(RefCell::new(Timer::never())))
    }

    /// Nothing waits for it any more: what waited last is let go, with the memory of its task.
    pub fn rest(&self) {
        *self.0.borrow_mut() = Timer::never();
    }

    /// Ready when this moment is over.
    pub fn poll(&self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        self.0.borrow_mut().poll(cx, until)
    }

    /// What comes of some work, if it does not take longer than `limit` from `since` on.
    pub async fn within<F: Future + Unpin>(
        &self,
        since: Instant,
        limit: Duration,
        mut work: F,
    ) -> Option<F::Output> {
        let until = since.checked_add(limit).unwrap_or_else(|| later(since));
        std::future::poll_fn(|cx| match Pin::new(&mut work).poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => self.poll(cx, until).map(|()| None),
        })
        .await
    }
}

impl Timer {
    /// One that nothing waits for.
    fn never() -> Self {
        let sleep = Box::pin(tokio::time::sleep_until(later(Instant::now()).into()));
        Self { sleep, is_set: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        if self.sleep.deadline().into_std() > until {
            self.sleep.as_mut().reset(until.into());
        } else if self.is_set && !self.sleep.is_elapsed() {
            // It fires soon enough, and knows whom to wake.
            return Poll::Pending;
        }
        loop {
            // Where the task's share of this turn is used up, the timer is not looked at, and will not wake anybody.
            self.is_set = tokio::task::coop::has_budget_remaining();
            ready!(self.sleep.as_mut().poll(cx));
            if until <= tokio::time::Instant::now().into_std() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(until.into());
        }
    }
}

/// So late that nothing waits for it.
fn later(now: Instant) -> Instant {
    now + Duration::from_hours(24 * 365)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_serves_short_waits_after_long_ones_and_long_ones_after_short_ones() {
        let (clock, begun) = (Clock::begin(), Instant::now());
        let ms = Duration::from_millis;
        let never = || Box::pin(std::future::pending::<()>());
        assert_eq!(clock.within(begun, Duration::MAX, std::future::ready(7)).await, Some(7));
        assert!(clock.within(begun, ms(20), never()).await.is_none());
        assert!(begun.elapsed() >= ms(20));
        let work = Box::pin(tokio::time::sleep(ms(30)));
        assert!(clock.within(Instant::now(), Duration::from_secs(60), work).await.is_some());
        let again = Instant::now();
        assert!(clock.within(again, ms(50), never()).await.is_none());
        assert!(again.elapsed() >= ms(50), "not by what is left of an earlier wait");
    }
}
