//! Rows from the source, through the masks, to the target. Memory does not grow with the table: a reader fills one
//! buffer, the writer sends one; a wide row is sent in pieces while it is still the only copy, and the next wide one of any
//! table is received when its last piece is gone.

mod shape;

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use masking::TableMasker;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::conn::Session;
use crate::error::{Context as _, Error, Result};
use crate::leak::Watch;
use crate::plan::TablePlan;
use crate::progress::Progress;
use crate::rate::Rate;
use crate::snapshot::Snapshot;
use shape::{Shaped, Shaper};

/// Full buffers that may wait for the writer.
const QUEUE: usize = 2;

/// What all pipes of a copy share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) progress: Progress,
    pub(crate) rate: Option<Arc<Rate>>,
}

/// What becomes of a table's rows on their way.
#[derive(Clone, Copy)]
pub(crate) struct Shaping<'a> {
    pub(crate) masker: Option<&'a TableMasker>,
    pub(crate) watch: Option<&'a Arc<Watch>>,
}

impl Shaping<'_> {
    /// For one of the table's readers.
    fn shaper(&self, plan: &TablePlan, reader: usize) -> Shaper {
        // A number of its own for every reader of every table.
        let stream = u64::from(plan.oid) << 16 | reader as u64;
        let masker = self.masker.map(|masker| masker.for_stream(stream));
        Shaper::new(plan, masker, self.watch.map(Arc::clone))
    }
}

/// Rows and bytes of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Rows.
    pub rows: u64,
    /// Bytes read from the source.
    pub bytes: u64,
}

type Pieces = VecDeque<(u64, Option<u64>)>;

/// Copies one table in one transaction of the target. On an error the transaction is lost and the table stays empty.
///
/// # Errors
/// [`Error::Database`], [`Error::Mask`], or [`Error::BadCopy`] if the target counted other rows than were sent.
pub(crate) async fn copy(
    shared: &Shared,
    plan: &TablePlan,
    shaping: Shaping<'_>,
    source: &Session,
    target: &Session,
) -> Result<Moved> {
    let doing = || format!("copying {}", plan.title);
    target.client.batch_execute("BEGIN").await.context(doing())?;
    target.client.batch_execute(&plan.empty()).await.context(doing())?;
    let sink = target.client.copy_in::<_, Bytes>(&plan.copy_in()).await.context(doing())?;
    let (sender, receiver) = mpsc::channel(QUEUE);
    let sender = Arc::new(Mutex::new(sender));
    let pieces = Arc::new(std::sync::Mutex::new(Pieces::from(plan.ranges())));
    let mut helpers = JoinSet::new();
    for number in 1..plan.readers {
        let (shared, plan, sender) = (shared.clone(), plan.clone(), Arc::clone(&sender));
        let (pieces, shaper) = (Arc::clone(&pieces), shaping.shaper(&plan, number));
        helpers.spawn(async move {
            let session = shared.snapshot.join().await?;
            read_pieces(&shared, &plan, shaper, &session, &pieces, &sender).await
        });
    }
    let mine = shaping.shaper(plan, 0);
    let reading = async {
        let mut moved = read_pieces(shared, plan, mine, source, &pieces, &sender).await?;
        drop(sender);
        while let Some(done) = helpers.join_next().await {
            let more = done.map_err(|error| Error::Local(format!("a reader ended: {error}")))??;
            moved.rows += more.rows;
            moved.bytes += more.bytes;
        }
        Ok::<Moved, Error>(moved)
    };
    let (moved, written) = tokio::try_join!(reading, write(plan, sink, receiver))?;
    if moved.rows != written {
        return Err(Error::BadCopy(format!(
            "{}: {} rows were read, {written} written",
            plan.title, moved.rows
        )));
    }
    target.client.batch_execute("COMMIT").await.context(doing())?;
    Ok(moved)
}

async fn write(
    plan: &TablePlan,
    sink: tokio_postgres::CopyInSink<Bytes>,
    mut receiver: mpsc::Receiver<Bytes>,
) -> Result<u64> {
    let doing = || format!("writing {}", plan.title);
    let mut sink = pin!(sink);
    if plan.binary {
        sink.feed(Bytes::from_static(crate::wire::HEADER)).await.context(doing())?;
    }
    while let Some(bytes) = receiver.recv().await {
        sink.feed(bytes).await.context(doing())?;
    }
    if plan.binary {
        sink.feed(Bytes::from_static(crate::wire::TRAILER)).await.context(doing())?;
    }
    sink.finish().await.context(doing())
}

async fn read_pieces(
    shared: &Shared,
    plan: &TablePlan,
    mut shaper: Shaper,
    session: &Session,
    pieces: &std::sync::Mutex<Pieces>,
    sender: &Mutex<mpsc::Sender<Bytes>>,
) -> Result<Moved> {
    let mut moved = Moved::default();
    loop {
        let next = pieces.lock().ok().and_then(|mut pieces| pieces.pop_front());
        let Some(range) = next else { return Ok(moved) };
        let more = read(shared, plan, &mut shaper, session, range, sender).await?;
        moved.rows += more.rows;
        moved.bytes += more.bytes;
    }
}

async fn read(
    shared: &Shared,
    plan: &TablePlan,
    shaper: &mut Shaper,
    session: &Session,
    range: (u64, Option<u64>),
    sender: &Mutex<mpsc::Sender<Bytes>>,
) -> Result<Moved> {
    let doing = || format!("reading {}", plan.title);
    let stream = session.client.copy_out(&plan.copy_out(range)).await.context(doing())?;
    let mut stream = pin!(stream);
    let mut moved = Moved::default();
    let mut counted = moved;
    shaper.begin();
    while let Some(message) = stream.next().await {
        let message = session.pass.row(message.map_err(|error| Error::database(doing(), &error))?);
        let size = message.len();
        moved.bytes += size as u64;
        if let Some(rate) = &shared.rate {
            rate.pass(size).await;
        }
        match shaper.row(message)? {
            Shaped::Nothing => continue,
            Shaped::Buffered => {}
            Shaped::Full => {
                send(&*sender.lock().await, shaper.take()).await?;
                shared.progress.moved(moved.rows - counted.rows, moved.bytes - counted.bytes);
                counted = moved;
            }
            Shaped::Wide(row) => {
                let sender = sender.lock().await;
                send(&sender, shaper.take()).await?;
                let mut pieces = row;
                while let Some(piece) = shaper.piece(&mut pieces)? {
                    send(&sender, piece).await?;
                }
            }
        }
        moved.rows += 1;
    }
    send(&*sender.lock().await, shaper.take()).await?;
    shared.progress.moved(moved.rows - counted.rows, moved.bytes - counted.bytes);
    Ok(moved)
}

async fn send(sender: &mpsc::Sender<Bytes>, bytes: Bytes) -> Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    // The writer's own error says why it went away.
    sender.send(bytes).await.map_err(|_| Error::Local("the writer ended early".to_owned()))
}
