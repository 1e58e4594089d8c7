//! Bare mirrors: the objects of recent commits of one repository as one identity sees it.
//!
//! On disk a mirror is `<cache>/<key>/<generation>/`, a bare git repository with packs, a `shallow` file and one ref per
//! branch, tag or commit that was fetched, beside `<cache>/<key>.lock`. Nothing is ever repacked: a mirror that grew too
//! large or is damaged is replaced by a new generation. Readers of the old one keep it until they are done.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use gix_hash::ObjectId;
use sha2::{Digest, Sha256};

use crate::budget::Budget;
use crate::error::GitError;
use crate::limits::Limits;
use crate::reference::GitRef;

/// How often a lock that somebody else holds is tried.
const LOCK_POLL: Duration = Duration::from_millis(5);
/// Commits that the server is told about; more would not make a download smaller.
const MAX_HAVES: usize = 16;

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}

/// Where the lock of mirror `key` is.
pub(crate) fn lock_path(cache: &Path, key: &str) -> PathBuf {
    cache.join(format!("{key}.lock"))
}

/// The keys of all mirrors in `cache`, the one used last first.
pub(crate) fn by_last_use(cache: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        if let Some(key) = entry.file_name().to_str().and_then(|name| name.strip_suffix(".lock")) {
            found.push((entry.metadata()?.modified()?, key.to_owned()));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    Ok(found.into_iter().map(|(_, key)| key).collect())
}

/// Removes a mirror that nobody reads.
pub(crate) fn remove(mirror: &Path) -> Result<(), GitError> {
    match fs::remove_dir_all(mirror) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(GitError::storage(&error)),
        _ => Ok(()),
    }
}

/// A lock on one mirror that the operating system lifts when the process ends, however it ends. Two threads exclude
/// each other as well, since each opens the file anew.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Waits for the lock until the budget's deadline.
    pub(crate) fn wait(path: &Path, budget: &Budget) -> Result<Self, GitError> {
        loop {
            if let Some(lock) = Self::attempt(path).map_err(|error| GitError::storage(&error))? {
                return Ok(lock);
            }
            budget.check("waiting for another fetch of the same repository")?;
            std::thread::sleep(LOCK_POLL);
        }
    }

    /// Takes the lock if nobody has it.
    pub(crate) fn attempt(path: &Path) -> io::Result<Option<Self>> {
        let file = File::options().create(true).write(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever held it before may have deleted the file (pruning): then this lock protects nothing.
        let same =
            fs::metadata(path).is_ok_and(|there| file.metadata().is_ok_and(|own| own.ino() == there.ino()));
        Ok(same.then_some(Self { file }))
    }

    /// Notes that the mirror is in use now, for pruning.
    pub(crate) fn touch(&self) {
        self.file.set_modified(SystemTime::now()).ok();
    }
}

/// One generation of a mirror.
#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    /// Replaced: the files go when the last reader does.
    retired: AtomicBool,
    /// A reader found damage: replace it before it is used again.
    suspect: AtomicBool,
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.retired.load(Ordering::Relaxed) {
            fs::remove_dir_all(&self.dir).ok();
        }
    }
}

impl Store {
    /// The newest whole generation in `mirror`, if there is one. Others are what a killed run left: they are removed.
    /// The caller holds the lock.
    pub(crate) fn newest(mirror: &Path) -> Result<Option<Arc<Self>>, GitError> {
        let mut found: Vec<PathBuf> = match fs::read_dir(mirror) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(GitError::storage(&error)),
        };
        found.sort();
        let newest = found.iter().rposition(|dir| dir.join("HEAD").is_file()).map(|at| found.remove(at));
        for stale in found {
            fs::remove_dir_all(stale).map_err(|error| GitError::storage(&error))?;
        }
        let Some(dir) = newest else { return Ok(None) };
        remove_half_written(&dir.join("objects/pack")).map_err(|error| GitError::storage(&error))?;
        Ok(Some(Arc::new(Self::at(dir))))
    }

    /// A new, empty generation in `mirror`.
    pub(crate) fn create(mirror: &Path) -> Result<Arc<Self>, GitError> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let dir = mirror.join(format!("{:039}", now.as_nanos()));
        let write = || {
            fs::create_dir_all(dir.join("objects/pack"))?;
            fs::create_dir_all(dir.join("refs/keelway"))?;
            fs::write(dir.join("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n")?;
            fs::write(dir.join("HEAD"), "ref: refs/heads/none\n") // last: its presence says "whole"
        };
        write().map_err(|error| GitError::storage(&error))?;
        Ok(Arc::new(Self::at(dir)))
    }

    fn at(dir: PathBuf) -> Self {
        Self { dir, retired: AtomicBool::new(false), suspect: AtomicBool::new(false) }
    }

    pub(crate) fn pack_dir(&self) -> PathBuf {
        self.dir.join("objects/pack")
    }

    pub(crate) fn shallow_file(&self) -> PathBuf {
        self.dir.join("shallow")
    }

    /// The object database. Opened anew by each reader: it is cheap and sees all packs.
    pub(crate) fn objects(&self, limits: &Limits) -> Result<gix_odb::Handle, GitError> {
        let options = gix_odb::store::init::Options {
            use_multi_pack_index: false,
            alloc_limit_bytes: Some(limits.object_bytes),
            ..gix_odb::store::init::Options::default()
        };
        gix_odb::at_opts(self.dir.join("objects"), gix_hash::Kind::Sha1, None, options)
            .map_err(|error| self.corrupt(&error.to_string()))
    }

    /// Records that `reference` stands for `commit`, whose objects are all here.
    pub(crate) fn set_tip(&self, reference: &GitRef, commit: ObjectId) -> Result<(), GitError> {
        let name = hex(&Sha256::digest(reference.to_string()));
        let new = self.dir.join("refs").join(format!("{name}.new"));
        fs::write(&new, format!("{commit}\n"))
            .and_then(|()| fs::rename(&new, self.dir.join("refs/keelway").join(name)))
            .map_err(|error| GitError::storage(&error))
    }

    /// The commits that are here whole, newest first, at most [`MAX_HAVES`].
    pub(crate) fn tips(&self) -> Result<Vec<ObjectId>, GitError> {
        let mut found = Vec::new();
        for entry in
            fs::read_dir(self.dir.join("refs/keelway")).map_err(|error| self.corrupt(&error.to_string()))?
        {
            let entry = entry.map_err(|error| GitError::storage(&error))?;
            let modified =
                entry.metadata().and_then(|data| data.modified()).map_err(|e| GitError::storage(&e))?;
            let text = fs::read(entry.path()).map_err(|error| GitError::storage(&error))?;
            let id = ObjectId::from_hex(text.trim_ascii())
                .map_err(|_| self.corrupt("a ref holds no object id"))?;
            found.push((modified, id));
        }
        found.sort_by(|a, b| b.cmp(a));
        let mut tips: Vec<ObjectId> = found.into_iter().map(|(_, id)| id).collect();
        tips.dedup();
        tips.truncate(MAX_HAVES);
        Ok(tips)
    }

    /// All commits here have no history; the server has to know.
    pub(crate) fn write_shallow(&self, commits: &[ObjectId]) -> Result<(), GitError> {
        let lines = commits.iter().map(|id| id.to_string() + "\n").collect::<String>();
        fs::remove_file(self.dir.join("shallow.lock")).ok(); // of a killed run; we hold the mirror's lock
        let path = self.shallow_file();
        let written = if lines.is_empty() {
            fs::remove_file(&path)
                .or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
        } else {
            fs::write(&path, lines)
        };
        written.map_err(|error| GitError::storage(&error))
    }

    /// Whether it is time for a new generation.
    pub(crate) fn is_worn(&self, limits: &Limits) -> Result<bool, GitError> {
        if self.suspect.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let (mut packs, mut bytes) = (0, 0);
        for entry in fs::read_dir(self.pack_dir()).map_err(|error| self.corrupt(&error.to_string()))? {
            let entry = entry.map_err(|error| GitError::storage(&error))?;
            bytes += entry.metadata().map_err(|error| GitError::storage(&error))?.len();
            packs += usize::from(entry.path().extension().is_some_and(|extension| extension == "pack"));
        }
        Ok(packs >= limits.mirror_packs || bytes > limits.mirror_bytes)
    }

    /// Has this generation removed as soon as nobody reads it.
    pub(crate) fn retire(&self) {
        fs::remove_file(self.dir.join("HEAD")).ok(); // nobody shall take it up again
        self.retired.store(true, Ordering::Relaxed);
    }

    /// An error that also has the mirror fetched anew next time.
    pub(crate) fn corrupt(&self, detail: &str) -> GitError {
        self.suspect.store(true, Ordering::Relaxed);
        GitError::Corrupt { detail: crate::error::tame(detail) }
    }
}

fn remove_half_written(packs: &Path) -> io::Result<()> {
    for entry in fs::read_dir(packs)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let whole = name.starts_with("pack-") && (name.ends_with(".pack") || name.ends_with(".idx"));
        if !whole {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
