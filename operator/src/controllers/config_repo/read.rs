//! The blocking half of reading a commit: listing, ignore rules, and the files that changed.

use std::collections::HashMap;

use crds::config_repo::Skipped;
use git::{Entry, GitError, Listing, Oid, RepoPath, Snapshot};
use manifests::sops::Identities;
use manifests::{FileKind, IGNORE_FILE, Ignore, Limits, Problem};
use plan::config_repo::{Place, Source};

use super::load::FileMemory;

/// A file that was read, before its kinds are known.
pub(super) struct Fresh {
    pub path: RepoPath,
    pub oid: Oid,
    pub sources: Vec<Source>,
    pub not_objects: u32,
}

/// What reading a commit came to.
pub(super) struct Read {
    pub kept: Vec<(RepoPath, FileMemory)>,
    pub fresh: Vec<Fresh>,
    pub skipped: Skipped,
    pub problems: Vec<String>,
}

/// Reads what changed below `paths`. `known` is what was read before; `keys` decrypt.
pub(super) fn read(
    snapshot: &dyn Snapshot,
    paths: &[RepoPath],
    known: &HashMap<RepoPath, FileMemory>,
    keys: Option<&Identities>,
) -> Result<Read, GitError> {
    let listing = snapshot.entries(paths)?;
    let ignore = ignore_files(snapshot, &listing)?;
    let ignore = Ignore::new(ignore.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    read_changed(snapshot, &listing, known, ignore, keys)
}

fn ignore_files(snapshot: &dyn Snapshot, listing: &Listing) -> Result<Vec<(String, String)>, GitError> {
    let is_ignore = |path: &str| path == IGNORE_FILE || path.ends_with(&format!("/{IGNORE_FILE}"));
    let mut entries: Vec<Entry> =
        listing.entries.iter().filter(|entry| is_ignore(entry.path.as_str())).cloned().collect();
    // The one at the root counts also where only folders below it are read.
    if !entries.iter().any(|entry| entry.path.as_str() == IGNORE_FILE)
        && let Ok(root) = snapshot.entries(&[RepoPath::parse(IGNORE_FILE)?])
    {
        entries.extend(root.entries);
    }
    let files = snapshot.read(&entries)?;
    Ok(files
        .into_iter()
        .map(|f| (f.path.to_string(), String::from_utf8_lossy(&f.bytes).into_owned()))
        .collect())
}

fn read_changed(
    snapshot: &dyn Snapshot,
    listing: &Listing,
    known: &HashMap<RepoPath, FileMemory>,
    ignore: Result<Ignore, Problem>,
    keys: Option<&Identities>,
) -> Result<Read, GitError> {
    let special = listing.skipped.symlinks + listing.skipped.submodules;
    let mut read =
        Read { kept: Vec::new(), fresh: Vec::new(), skipped: Skipped::default(), problems: Vec::new() };
    read.skipped.special = u32::try_from(special).unwrap_or(u32::MAX);
    let ignore = ignore.unwrap_or_else(|problem| {
        read.problems.push(problem.to_string());
        Ignore::default()
    });
    let mut changed = Vec::new();
    for entry in &listing.entries {
        let path = entry.path.as_str();
        match FileKind::of(path) {
            _ if ignore.is_ignored(path) => read.skipped.ignored += 1,
            FileKind::Other => read.skipped.other_files += 1,
            FileKind::Template => read.skipped.not_objects += 1,
            FileKind::Yaml | FileKind::Json => match known.get(&entry.path) {
                Some(file) if file.oid == entry.oid => read.kept.push((entry.path.clone(), file.clone())),
                _ => changed.push(entry.clone()),
            },
        }
    }
    let limits = Limits::default();
    for entry in changed {
        // One at a time: a commit with many large files is never held whole.
        let Some(file) = snapshot.read(std::slice::from_ref(&entry))?.pop() else { continue };
        let path = file.path.as_str();
        match manifests::parse(path, &file.bytes, &limits, keys) {
            Ok(parsed) => read.fresh.push(Fresh {
                sources: parsed
                    .documents
                    .into_iter()
                    .map(|document| Source {
                        place: Place { path: path.into(), line: document.line },
                        json: document.json,
                        encrypted: document.encrypted,
                    })
                    .collect(),
                not_objects: parsed.not_objects,
                oid: file.oid,
                path: file.path,
            }),
            Err(problem) => read.problems.push(problem.to_string()),
        }
    }
    Ok(read)
}
