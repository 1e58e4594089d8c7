//! Reading one commit: its tree is walked and blobs are taken from the object database. Nothing is written anywhere,
//! links are not followed, and every size is checked before memory is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gix_hash::{Kind as HashKind, ObjectId};
use gix_object::tree::EntryKind;
use gix_object::{Find as _, FindHeader as _, Kind, TreeRefIter};

use crate::commit::CommitInfo;
use crate::error::{Cap, GitError, tame};
use crate::limits::Limits;
use crate::mirror::Store;
use crate::oid::Oid;
use crate::path::{RepoPath, check_name};

/// A regular file of a commit. Equal ids mean equal content, so two commits can be compared without reading files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Where it is.
    pub path: RepoPath,
    /// The id of its content.
    pub oid: Oid,
}

/// A file with its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is.
    pub path: RepoPath,
    /// The id of its content.
    pub oid: Oid,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What was seen but is never read or followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Symbolic links.
    pub symlinks: usize,
    /// Submodules.
    pub submodules: usize,
}

/// The files under some paths. `entries` is sorted by path and empty if the paths exist but hold no file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The regular files.
    pub entries: Vec<Entry>,
    /// What else was there.
    pub skipped: Skipped,
}

/// The files under some paths with their content, sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The files that the filter took.
    pub files: Vec<File>,
    /// What else was there.
    pub skipped: Skipped,
}

/// One commit, readable for as long as this value lives. Calls block on the disk.
pub trait Snapshot: Send + Sync {
    /// The commit that is read.
    fn commit(&self) -> &CommitInfo;

    /// Lists the regular files under `paths`; a path may also name a single file. Overlapping paths are listed once.
    ///
    /// # Errors
    /// [`GitError::PathMissing`] if a path does not exist (one that exists with nothing in it is an empty list),
    /// [`GitError::HostileTree`], [`GitError::TooLarge`], or a damaged mirror.
    fn entries(&self, paths: &[RepoPath]) -> Result<Listing, GitError>;

    /// Reads the content of `entries`, in their order.
    ///
    /// # Errors
    /// [`GitError::TooLarge`] before anything too large is read, or a damaged mirror.
    fn read(&self, entries: &[Entry]) -> Result<Vec<File>, GitError>;

    /// Lists and reads in one go; `wanted` decides by path which files are read (and count towards the caps).
    ///
    /// # Errors
    /// As [`Snapshot::entries`] and [`Snapshot::read`].
    fn files(&self, paths: &[RepoPath], wanted: &dyn Fn(&RepoPath) -> bool) -> Result<Files, GitError> {
        let Listing { mut entries, skipped } = self.entries(paths)?;
        entries.retain(|entry| wanted(&entry.path));
        Ok(Files { files: self.read(&entries)?, skipped })
    }
}

/// A commit in a mirror.
#[derive(Debug)]
pub(crate) struct MirrorSnapshot {
    store: Arc<Store>,
    limits: Limits,
    commit: CommitInfo,
    tree: ObjectId,
}

impl MirrorSnapshot {
    /// Opens `commit`; `None` if the mirror does not have it.
    pub(crate) fn open(
        store: &Arc<Store>,
        limits: &Limits,
        commit: ObjectId,
    ) -> Result<Option<Self>, GitError> {
        let reader = Reader { odb: store.objects(limits)?, store, limits };
        let Some(kind) = reader.kind(commit)? else { return Ok(None) };
        if kind != Kind::Commit {
            let reference = commit.to_string();
            return Err(GitError::NotACommit { reference, kind: kind.to_string() });
        }
        let bytes = reader.object(commit, Kind::Commit)?;
        let (info, tree) = CommitInfo::parse(Oid(commit), &bytes).map_err(|detail| store.corrupt(&detail))?;
        Ok(Some(Self { store: Arc::clone(store), limits: limits.clone(), commit: info, tree }))
    }

    fn reader(&self) -> Result<Reader<'_>, GitError> {
        Ok(Reader { odb: self.store.objects(&self.limits)?, store: &self.store, limits: &self.limits })
    }
}

impl Snapshot for MirrorSnapshot {
    fn commit(&self) -> &CommitInfo {
        &self.commit
    }

    fn entries(&self, paths: &[RepoPath]) -> Result<Listing, GitError> {
        let reader = self.reader()?;
        let mut walk = Walk {
            reader: &reader,
            seen: 0,
            files: BTreeMap::new(),
            links: BTreeSet::new(),
            modules: BTreeSet::new(),
        };
        for path in paths {
            let missing =
                || GitError::PathMissing { path: path.to_string(), commit: self.commit.sha.to_string() };
            let node = walk.find(self.tree, path)?.ok_or_else(missing)?;
            walk.visit(path, node, path.parts().count())?;
        }
        let skipped = Skipped { symlinks: walk.links.len(), submodules: walk.modules.len() };
        let entries = walk.files.into_iter().map(|(path, oid)| Entry { path, oid }).collect();
        Ok(Listing { entries, skipped })
    }

    fn read(&self, entries: &[Entry]) -> Result<Vec<File>, GitError> {
        let too_large =
            |cap, limit, path: &RepoPath| GitError::TooLarge { cap, limit, path: Some(path.to_string()) };
        let reader = self.reader()?;
        let mut total = 0_u64;
        let mut files = Vec::with_capacity(entries.len());
        for Entry { path, oid } in entries {
            let size = reader.size(oid.0)?;
            total = total.saturating_add(size);
            if size > self.limits.blob_bytes {
                return Err(too_large(Cap::BlobBytes, self.limits.blob_bytes, path));
            }
            if total > self.limits.read_bytes {
                return Err(too_large(Cap::ReadBytes, self.limits.read_bytes, path));
            }
            files.push(File { path: path.clone(), oid: *oid, bytes: reader.object(oid.0, Kind::Blob)? });
        }
        Ok(files)
    }
}

/// Reads whole objects, checked against their ids.
struct Reader<'a> {
    odb: gix_odb::Handle,
    store: &'a Store,
    limits: &'a Limits,
}

impl Reader<'_> {
    fn header(&self, id: ObjectId) -> Result<Option<gix_object::Header>, GitError> {
        self.odb.try_header(&id).map_err(|error| self.store.corrupt(&error.to_string()))
    }

    fn kind(&self, id: ObjectId) -> Result<Option<Kind>, GitError> {
        Ok(self.header(id)?.map(|header| header.kind))
    }

    fn size(&self, id: ObjectId) -> Result<u64, GitError> {
        let header =
            self.header(id)?.ok_or_else(|| self.store.corrupt(&format!("object {id} is missing")))?;
        Ok(header.size)
    }

    fn object(&self, id: ObjectId, kind: Kind) -> Result<Vec<u8>, GitError> {
        let corrupt = |detail: &str| self.store.corrupt(&format!("object {id} {detail}"));
        if self.size(id)? > self.limits.object_bytes as u64 {
            return Err(GitError::too_large(Cap::ObjectBytes, self.limits.object_bytes as u64));
        }
        let mut bytes = Vec::new();
        let found = self.odb.try_find(&id, &mut bytes).map_err(|error| corrupt(&error.to_string()))?;
        let found = found.ok_or_else(|| corrupt("is missing"))?.kind;
        if found != kind {
            return Err(corrupt(&format!("is a {found}, not a {kind}")));
        }
        // Git does not check this on reading. We do: what is applied is then what the commit names, bit for bit.
        match gix_object::compute_hash(HashKind::Sha1, kind, &bytes) {
            Ok(actual) if actual == id => Ok(bytes),
            _ => Err(corrupt("has another content than its id says")),
        }
    }
}

#[derive(Clone, Copy)]
enum Node {
    Tree(ObjectId),
    File(ObjectId),
    Link,
    Module,
}

struct Walk<'a> {
    reader: &'a Reader<'a>,
    /// Entries looked at so far.
    seen: usize,
    files: BTreeMap<RepoPath, Oid>,
    links: BTreeSet<RepoPath>,
    modules: BTreeSet<RepoPath>,
}

impl Walk<'_> {
    fn find(&mut self, root: ObjectId, path: &RepoPath) -> Result<Option<Node>, GitError> {
        let mut node = Node::Tree(root);
        let mut here = RepoPath::root();
        for part in path.parts() {
            let Node::Tree(tree) = node else { return Ok(None) };
            let Some(found) = self.children(&here, tree)?.remove(part) else { return Ok(None) };
            node = found;
            here = here.join(part);
        }
        Ok(Some(node))
    }

    fn visit(&mut self, path: &RepoPath, node: Node, depth: usize) -> Result<(), GitError> {
        let limits = self.reader.limits;
        match node {
            Node::Link => drop(self.links.insert(path.clone())),
            Node::Module => drop(self.modules.insert(path.clone())),
            Node::File(id) => {
                self.files.insert(path.clone(), Oid(id));
                if self.files.len() > limits.files {
                    return Err(GitError::too_large(Cap::Files, limits.files as u64));
                }
            }
            Node::Tree(id) => {
                if depth > limits.tree_depth {
                    return Err(GitError::too_large(Cap::TreeDepth, limits.tree_depth as u64));
                }
                for (name, child) in self.children(path, id)? {
                    self.visit(&path.join(&name), child, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    /// The entries of one folder. Every name is checked, also of those that nobody asked for.
    fn children(&mut self, path: &RepoPath, tree: ObjectId) -> Result<BTreeMap<String, Node>, GitError> {
        let limits = self.reader.limits;
        let hostile =
            |name: &str, reason| GitError::HostileTree { path: path.join(&tame(name)).to_string(), reason };
        let bytes = self.reader.object(tree, Kind::Tree)?;
        let mut found = BTreeMap::new();
        for entry in TreeRefIter::from_bytes(&bytes, HashKind::Sha1) {
            let entry = entry.map_err(|_| hostile("", "the folder is malformed"))?;
            self.seen += 1;
            if self.seen > limits.tree_entries {
                return Err(GitError::too_large(Cap::TreeEntries, limits.tree_entries as u64));
            }
            let name = std::str::from_utf8(entry.filename)
                .map_err(|_| hostile(&entry.filename.to_string(), "its name is not UTF-8"))?;
            check_name(name).map_err(|reason| hostile(name, reason))?;
            let node = match entry.mode.kind() {
                EntryKind::Tree => Node::Tree(entry.oid.to_owned()),
                EntryKind::Blob | EntryKind::BlobExecutable => Node::File(entry.oid.to_owned()),
                EntryKind::Link => Node::Link,
                EntryKind::Commit => Node::Module,
            };
            if found.insert(name.to_owned(), node).is_some() {
                return Err(hostile(name, "the name occurs twice in one folder"));
            }
        }
        Ok(found)
    }
}
