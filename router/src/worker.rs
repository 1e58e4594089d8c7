//! What one thread of the router has: its view of the table, its connections to pods, its lines of the log.
//!
//! Each thread has a runtime of its own and shares nothing on the way of a request but the table and the counters, so
//! no lock is held and nothing wakes another core.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use tokio::sync::{Notify, watch};

use crate::log::Log;
use crate::pool::Pool;
use crate::serve::Common;
use crate::spans::Spans;
use crate::stop::Stop;
use crate::table::Table;

/// One thread's things.
pub struct Worker {
    /// The newest table; exchanged by whoever reads the routes.
    pub tables: Arc<ArcSwap<Table>>,
    /// The lines not written yet.
    pub log: RefCell<Log>,
    /// Makes a span of each request.
    pub spans: Option<Spans>,
    /// Connections to pods.
    pub pool: Pool,
    random: Cell<u64>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted: Arc<[IpNet]>,
    /// Clients' connections that are open, WebSockets among them.
    open: Cell<usize>,
    /// Requests that one environment may have at a time in all threads.
    pub per_environment: u32,
    /// Told when one of them ends.
    pub closed: Notify,
    /// Becomes true when the router is about to stop.
    pub leaving: Arc<AtomicBool>,
    /// How long streams have to end then.
    pub drain: Duration,
    /// Becomes true when the router stops.
    pub stop: watch::Receiver<bool>,
    /// The same, for this thread's connections.
    pub stops: Rc<Stop>,
}

impl Worker {
    /// A thread's things; `seed` differs from thread to thread.
    pub fn new(common: &Common, seed: u64) -> Rc<Self> {
        Rc::new(Self {
            tables: common.tables.clone(),
            log: RefCell::new(Log::new(common.log.clone())),
            spans: common.spans.clone(),
            pool: Pool::new(common.connections),
            random: Cell::new(seed | 1),
            trusted: common.trusted.clone(),
            open: Cell::new(0),
            per_environment: common.per_environment,
            closed: Notify::new(),
            leaving: common.leaving.clone(),
            drain: common.drain,
            stop: common.stop.clone(),
            stops: Rc::default(),
        })
    }

    /// The same of twice the length.
    pub fn draw_long(&self) -> u128 {
        (u128::from(self.draw()) << 64) | u128::from(self.draw())
    }

    /// One more connection of a client, until what is returned is dropped.
    pub fn opened(self: &Rc<Self>) -> Open {
        self.open.set(self.open.get() + 1);
        Open(self.clone())
    }

    /// Clients' connections that are open.
    pub fn open(&self) -> usize {
        self.open.get()
    }

    /// The next number of a sequence that spreads well (SplitMix64). It decides nothing that anybody must not guess.
    pub fn draw(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Closes what nothing used for a while; gives on the log's lines.
    pub fn sweep(&self) {
        self.log.borrow_mut().flush();
        self.pool.sweep();
    }
}

/// A client's connection; see [`Worker::opened`].
pub struct Open(Rc<Worker>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.closed.notify_one();
    }
}
