//! Telling every connection of a thread that the router stops.
//!
//! A connection's task looks at a flag whenever it runs, which costs nothing; a channel would be asked each time.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Whether the router stops, and who wants to know.
#[derive(Default)]
pub struct Stop {
    is_told: Cell<bool>,
    waiting: RefCell<HashMap<u64, Waker>>,
    next: Cell<u64>,
}

impl Stop {
    /// It does.
    pub fn tell(&self) {
        self.is_told.set(true);
        for (_, waker) in self.waiting.take() {
            waker.wake();
        }
    }

    /// Waits until it does.
    pub fn told(self: &Rc<Self>) -> Told {
        let key = self.next.get();
        self.next.set(key + 1);
        Told { stop: self.clone(), key, task: None }
    }
}

/// Ready when the router stops.
pub struct Told {
    stop: Rc<Stop>,
    key: u64,
    /// The task that is told.
    task: Option<Waker>,
}

impl Future for Told {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.stop.is_told.get() {
            return Poll::Ready(());
        }
        if self.task.as_ref().is_none_or(|task| !task.will_wake(cx.waker())) {
            self.stop.waiting.borrow_mut().insert(self.key, cx.waker().clone());
            self.task = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.stop.waiting.borrow_mut().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_wait_are_told_and_who_left_is_forgotten() {
        let stop = Rc::new(Stop::default());
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let waiting: Vec<_> = (0..3).map(|_| tokio::task::spawn_local(stop.told())).collect();
                let gone = tokio::task::spawn_local(stop.told());
                tokio::task::yield_now().await;
                gone.abort();
                let _ = gone.await;
                assert_eq!(stop.waiting.borrow().len(), 3);
                stop.tell();
                for told in waiting {
                    told.await.unwrap();
                }
                stop.told().await;
            })
            .await;
    }
}
