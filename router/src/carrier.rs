//! Who carries the bytes of a connection to a pod (HTTP/1.1): the request that has it, or a task of its own.
//!
//! A task per connection takes two more turns of the scheduler per request, and where many requests come at once all are
//! read before the first is sent on. So a request carries its connection itself, in its own turn. What may go both ways at
//! once — a body to the pod, a WebSocket — has a task: it must get on while nobody takes what comes back.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::task::AbortHandle;

/// A connection's work; it ends when the connection does.
type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Who carries a connection.
pub enum Carrier {
    /// Whoever has it.
    Owner(Owned),
    /// A task.
    Task(AbortHandle),
}

impl Carrier {
    /// Carried by its owner.
    pub fn new(work: impl Future<Output = ()> + 'static) -> Self {
        let bell = Arc::<Bell>::default();
        Self::Owner(Owned { work: Some(Box::pin(work)), waker: bell.clone().into(), bell })
    }

    /// Gives it a task, if it has none.
    pub fn give_task(&mut self) {
        if let Self::Owner(owned) = self
            && let Some(work) = owned.work.take()
        {
            *self = Self::Task(tokio::task::spawn_local(work).abort_handle());
        }
    }

    /// Looks whether something has come, as `look` finds it, and carries on as far as that goes at the moment. What is
    /// looked at must get what it waits for from this connection alone.
    pub fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut look: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        match self {
            Self::Owner(owned) => owned.poll(cx, look),
            Self::Task(_) => look(cx),
        }
    }

    /// Nobody has it for a while. To be called in the turn in which it was carried last: what rang since then was its owner's
    /// own doing, because no event was waited for.
    pub fn rest(&mut self) {
        if let Self::Owner(owned) = self {
            owned.bell.mute();
        }
    }

    /// Sees to what has happened while nobody had it: the pod may have closed it.
    pub fn catch_up(&mut self) {
        if let Self::Owner(owned) = self
            && owned.bell.rung.load(SeqCst)
        {
            owned.carry();
        }
    }

    /// Closes it, whatever is under way.
    pub fn abort(self) {
        if let Self::Task(task) = self {
            task.abort();
        }
    }
}

/// A connection that its owner carries.
pub struct Owned {
    /// None when the connection has ended.
    work: Option<Work>,
    bell: Arc<Bell>,
    /// Rings the bell.
    waker: Waker,
}

impl Owned {
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut look: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        // Nobody needs to be told of what comes: it comes in our own turn, and is looked for right after.
        let mut untold = Context::from_waker(Waker::noop());
        if let Poll::Ready(come) = look(&mut untold) {
            return Poll::Ready(come);
        }
        self.carry();
        if self.work.is_none() {
            // Nothing more will come of it, so whatever keeps back the last has to tell the task itself.
            return look(cx);
        }
        if let Poll::Ready(come) = look(&mut untold) {
            return Poll::Ready(come);
        }
        self.bell.listen(cx.waker());
        if !tokio::task::coop::has_budget_remaining() {
            // It may have come, and is kept back until the next turn.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn carry(&mut self) {
        self.bell.mute();
        if let Some(work) = &mut self.work
            && work.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready()
        {
            self.work = None;
        }
    }
}

/// What a connection rings when it can get on. It is heard by its owner while that waits. Rings at other times are
/// remembered: an owner's own doings ring too, and nobody is to be woken by them.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    is_heard: AtomicBool,
    listener: Mutex<Option<Waker>>,
}

impl Bell {
    fn mute(&self) {
        self.is_heard.store(false, SeqCst);
        self.rung.store(false, SeqCst);
    }

    fn listen(&self, waker: &Waker) {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *listener {
            Some(before) => before.clone_from(waker),
            None => *listener = Some(waker.clone()),
        }
        drop(listener);
        self.is_heard.store(true, SeqCst);
        // It may have rung since it was carried.
        if self.rung.load(SeqCst) {
            waker.wake_by_ref();
        }
    }

    fn ring(&self) {
        self.rung.store(true, SeqCst);
        if self.is_heard.load(SeqCst)
            && let Some(waker) = &*self.listener.lock().unwrap_or_else(PoisonError::into_inner)
        {
            waker.wake_by_ref();
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    type Come = Rc<Cell<Option<u32>>>;
    type Kept = Rc<RefCell<Option<Waker>>>;

    /// A connection that gives one number each time it is woken, and keeps its waker where all can see it.
    fn numbers() -> (Carrier, Come, Kept) {
        let (come, waker) = (Come::default(), Kept::default());
        let (given, kept) = (come.clone(), waker.clone());
        let mut turns = 0;
        let work = std::future::poll_fn(move |cx| {
            turns += 1;
            *kept.borrow_mut() = Some(cx.waker().clone());
            given.set((turns > 1).then_some(turns));
            if turns < 4 { Poll::Pending } else { Poll::Ready(()) }
        });
        (Carrier::new(work), come, waker)
    }

    #[test]
    fn the_owner_is_woken_while_it_waits_and_not_by_itself() {
        let (mut carrier, come, waker) = numbers();
        let count = Arc::<Count>::default();
        let task = Waker::from(count.clone());
        let mut cx = Context::from_waker(&task);
        let look = || |_: &mut Context<'_>| come.take().map_or(Poll::Pending, Poll::Ready);
        assert!(carrier.poll(&mut cx, look()).is_pending());
        let ring = || waker.borrow().as_ref().unwrap().wake_by_ref();
        assert_eq!(count.0.load(SeqCst), 0);
        ring();
        assert_eq!(count.0.load(SeqCst), 1, "the owner waits");
        assert_eq!(carrier.poll(&mut cx, look()), Poll::Ready(2));
        ring();
        assert_eq!(count.0.load(SeqCst), 1, "nobody waits");
        carrier.catch_up();
        assert_eq!(come.get(), Some(3), "it was remembered");
        carrier.catch_up();
        assert_eq!(come.take(), Some(3), "once");
        assert_eq!(carrier.poll(&mut cx, look()), Poll::Ready(4));
        assert!(matches!(&carrier, Carrier::Owner(owned) if owned.work.is_none()), "it has ended");
    }

    #[test]
    fn a_ring_while_it_is_carried_is_not_lost() {
        let work = std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        let (mut carrier, count) = (Carrier::new(work), Arc::<Count>::default());
        let task = Waker::from(count.clone());
        assert!(carrier.poll(&mut Context::from_waker(&task), |_| Poll::<()>::Pending).is_pending());
        assert_eq!(count.0.load(SeqCst), 1);
    }
}
