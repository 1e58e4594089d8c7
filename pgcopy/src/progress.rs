//! What a copy tells while it runs: a stream of events, and counters that cost nothing per row.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The steps of a copy, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Catalog, policy, locks, snapshot.
    Plan,
    /// The target database and its tables.
    Schema,
    /// Rows.
    Data,
    /// Indexes and constraints.
    Indexes,
    /// Values of masked columns are searched in the copy.
    LeakScan,
    /// ANALYZE.
    Analyze,
    /// Sequences, settings, renaming.
    Finish,
}

/// One line of the progress. As JSON it has the field `event`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// A phase begins.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// What there is to do.
    Planned {
        /// Tables with rows.
        tables: usize,
        /// Estimated rows.
        rows: u64,
        /// Bytes on the source's disk, TOAST included.
        bytes: u64,
    },
    /// A table begins.
    TableStarted {
        /// `schema.name`.
        table: String,
        /// Estimated rows.
        rows: u64,
    },
    /// Counters so far.
    Moved {
        /// Rows.
        rows: u64,
        /// Bytes read from the source.
        bytes: u64,
    },
    /// A table is complete.
    TableDone {
        /// `schema.name`.
        table: String,
        /// Rows.
        rows: u64,
        /// Bytes read from the source.
        bytes: u64,
        /// Milliseconds.
        ms: u64,
    },
    /// A statement after the data begins.
    Statement {
        /// What it makes.
        what: String,
    },
    /// Something worth a look.
    Warning {
        /// What and why.
        message: String,
    },
    /// The copy is finished.
    Done {
        /// The target's database.
        database: String,
        /// Rows.
        rows: u64,
        /// Milliseconds.
        ms: u64,
    },
}

#[derive(Debug, Default)]
struct Counters {
    rows: AtomicU64,
    bytes: AtomicU64,
}

/// The sending side; clones share the counters.
#[derive(Clone, Debug)]
pub struct Progress {
    events: UnboundedSender<Event>,
    counters: Arc<Counters>,
}

impl Progress {
    /// A progress and the stream of its events. A receiver that is dropped changes nothing.
    pub fn new() -> (Self, UnboundedReceiver<Event>) {
        let (events, receiver) = unbounded_channel();
        (Self { events, counters: Arc::default() }, receiver)
    }

    /// A progress that nobody listens to.
    pub fn silent() -> Self {
        Self::new().0
    }

    pub(crate) fn send(&self, event: Event) {
        // Without a listener there is nobody to tell.
        let _ = self.events.send(event);
    }

    pub(crate) fn phase(&self, phase: Phase) {
        self.send(Event::Phase { phase });
    }

    pub(crate) fn warn(&self, message: impl Into<String>) {
        self.send(Event::Warning { message: message.into() });
    }

    pub(crate) fn moved(&self, rows: u64, bytes: u64) {
        self.counters.rows.fetch_add(rows, Ordering::Relaxed);
        self.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Rows and bytes so far.
    pub fn totals(&self) -> (u64, u64) {
        (self.counters.rows.load(Ordering::Relaxed), self.counters.bytes.load(Ordering::Relaxed))
    }

    /// Sends the counters four times a second until dropped.
    pub(crate) async fn tick(&self) -> std::convert::Infallible {
        let mut last = (0, 0);
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
            let now = self.totals();
            if now != last {
                self.send(Event::Moved { rows: now.0, bytes: now.1 });
                last = now;
            }
        }
    }
}
