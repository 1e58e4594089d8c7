//! Writing a received pack with its index. A pack is small on the wire and can be huge once unpacked (zlib bombs, chains
//! of deltas), so besides the bytes that come in, the objects and the bytes that they unpack to are counted as well.

use std::io::{self, BufRead, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use gix_utils::progress::{
    Count, Id, MessageLevel, NestedProgress, Progress, Step, StepShared, UNKNOWN, Unit,
};

use crate::budget::Budget;
use crate::error::{Cap, GitError, tame};
use crate::limits::Limits;
use crate::mirror::Store;

/// How often the count of unpacked bytes is looked at.
const WATCH: Duration = Duration::from_millis(2);

/// Reads a pack off the wire, checks what its header promises, and writes it with its index into `store`.
pub(crate) fn receive(
    pack: &mut dyn BufRead,
    store: &Store,
    limits: &Limits,
    budget: &Budget,
) -> Result<(), GitError> {
    let mut header = [0; 12];
    pack.read_exact(&mut header).map_err(|error| protocol(&error))?;
    let count = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    if !header.starts_with(b"PACK") {
        return Err(GitError::Protocol { detail: "it sent no pack".into() });
    }
    if count > limits.objects {
        return Err(GitError::too_large(Cap::Objects, u64::from(limits.objects)));
    }
    let mut whole = Cursor::new(header).chain(pack);
    let options = gix_pack::bundle::write::Options {
        thread_limit: Some(1),
        alloc_limit_bytes: Some(limits.object_bytes),
        ..gix_pack::bundle::write::Options::default()
    };
    let bases = store.objects(limits)?;
    let meter = Meter::default();
    let mut progress = meter.child("");
    let written = watched(&meter, limits.unpacked_bytes, budget.deadline(), |stop| {
        let (dir, hash) = (store.pack_dir(), gix_hash::Kind::Sha1);
        gix_pack::Bundle::write_to_directory(
            &mut whole,
            Some(&dir),
            &mut progress,
            stop,
            Some(bases),
            hash,
            options,
        )
    });
    match written {
        Ok(Ok(outcome)) => outcome.keep_path.map_or(Ok(()), |keep| remove(&keep)),
        Ok(Err(error)) if error.is_resource_exhausted() => {
            Err(GitError::too_large(Cap::ObjectBytes, limits.object_bytes as u64))
        }
        Ok(Err(error)) => {
            budget.check("unpacking objects")?;
            Err(budget.failure().or_else(|| disk(&error)).unwrap_or_else(|| protocol(&error)))
        }
        Err(TooMuch) => Err(GitError::too_large(Cap::UnpackedBytes, limits.unpacked_bytes as u64)),
    }
}

/// The index is complete, so nothing needs to keep the pack from being collected any more.
fn remove(keep: &Path) -> Result<(), GitError> {
    match std::fs::remove_file(keep) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(GitError::storage(&error)),
        _ => Ok(()),
    }
}

/// Whether the local disk is to blame.
fn disk(error: &gix_error::Error) -> Option<GitError> {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let io = error.iter_errors().find_map(|error| error.downcast_ref::<io::Error>())?;
    let is_disk = matches!(io.kind(), PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull);
    is_disk.then(|| GitError::storage(io))
}

fn protocol(error: &dyn std::error::Error) -> GitError {
    GitError::Protocol { detail: tame(&error.to_string()) }
}

struct TooMuch;

/// Runs `work`, which is told to stop when the deadline passes or more than `most` bytes were unpacked. Until then the
/// library may hold on to all of them, so this also bounds its memory.
fn watched<T>(
    meter: &Meter,
    most: usize,
    deadline: Instant,
    work: impl FnOnce(&AtomicBool) -> T,
) -> Result<T, TooMuch> {
    let stop = AtomicBool::new(false);
    let (done, wait) = channel::<()>();
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            let wait = wait;
            while wait.recv_timeout(WATCH) == Err(RecvTimeoutError::Timeout) {
                if meter.unpacked() > most || Instant::now() > deadline {
                    stop.store(true, Ordering::Relaxed);
                    return;
                }
            }
        });
        let result = work(&stop);
        drop(done);
        result
    });
    if meter.unpacked() > most { Err(TooMuch) } else { Ok(result) }
}

/// Counts what the library unpacks, by listening to the progress that it would show.
#[derive(Clone, Default)]
struct Meter {
    /// Bytes inflated while the pack comes in.
    inflated: StepShared,
    /// Bytes of the objects that these stand for, deltas applied.
    resolved: StepShared,
}

impl Meter {
    /// The larger of both: they count the same objects, first as they are stored and then as they are.
    fn unpacked(&self) -> usize {
        self.inflated.load(Ordering::Relaxed).max(self.resolved.load(Ordering::Relaxed))
    }

    fn child(&self, name: &str) -> Counter {
        // Both have the same id, so the names must tell them apart; a test fails if they ever change.
        let counter = match name {
            "decompressing" => Arc::clone(&self.inflated),
            "Decoding" => Arc::clone(&self.resolved),
            _ => Arc::new(AtomicUsize::new(0)),
        };
        Counter { meter: self.clone(), counter }
    }
}

/// One of the library's progress bars.
struct Counter {
    meter: Meter,
    counter: StepShared,
}

impl Count for Counter {
    fn set(&self, step: Step) {
        self.counter.store(step, Ordering::Relaxed);
    }

    fn step(&self) -> Step {
        self.counter.load(Ordering::Relaxed)
    }

    fn inc_by(&self, step: Step) {
        self.counter.fetch_add(step, Ordering::Relaxed);
    }

    fn counter(&self) -> StepShared {
        Arc::clone(&self.counter)
    }
}

impl Progress for Counter {
    fn init(&mut self, _max: Option<Step>, _unit: Option<Unit>) {}

    fn set_name(&mut self, _name: String) {}

    fn name(&self) -> Option<String> {
        None
    }

    fn id(&self) -> Id {
        UNKNOWN
    }

    fn message(&self, _level: MessageLevel, _message: String) {}
}

impl NestedProgress for Counter {
    type SubProgress = Self;

    fn add_child(&mut self, name: impl Into<String>) -> Self {
        self.meter.child(&name.into())
    }

    fn add_child_with_id(&mut self, name: impl Into<String>, _id: Id) -> Self {
        self.meter.child(&name.into())
    }
}
