//! The blocking half of reading a commit: listing, ignore rules, and the files that changed.

use std::collections::HashMap;

use crds::config_repo::Skipped;
use git::{Entry, File, GitError, Listing, Oid, RepoPath, Snapshot};
use manifests::sops::Identities;
use manifests::{FileKind, IGNORE_FILE, Ignore, Limits, Parsed, Problem};
use plan::config_repo::{Place, Source};

use super::load::FileMemory;

/// A file that was read, before its kinds are known.
pub(super) struct Fresh {
    pub path: RepoPath,
    pub oid: Oid,
    pub sources: Vec<Source>,
    pub not_objects: u32,
    pub weight: Weight,
}

/// What files weigh among the limits of a commit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    files: usize,
    bytes: u64,
    objects: usize,
    nodes: usize,
}

impl Weight {
    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.objects += other.objects;
        self.nodes += other.nodes;
    }

    /// What is too much, in words with the cure.
    fn excess(&self, limits: &Limits) -> Option<String> {
        let most = if self.files > limits.files {
            format!("{} files", limits.files)
        } else if self.bytes > limits.total_bytes {
            format!("{} bytes of YAML and JSON", limits.total_bytes)
        } else if self.objects > limits.objects {
            format!("{} objects", limits.objects)
        } else if self.nodes > limits.total_nodes {
            format!("{} values, aliases expanded", limits.total_nodes)
        } else {
            return None;
        };
        Some(format!(
            "the commit has more than the {most} that are read; split the repository over several ConfigRepos by spec.paths, or list what is not meant for the cluster in .keelwayignore"
        ))
    }
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
    let mut weight = Weight::default();
    read.kept.iter().for_each(|(_, file)| weight.add(file.weight));
    for entry in changed {
        if let Some(excess) = weight.excess(&limits) {
            read.problems.push(excess);
            break;
        }
        // One at a time: a commit with many large files is never held whole.
        let Some(file) = snapshot.read(std::slice::from_ref(&entry))?.pop() else { continue };
        let path = file.path.as_str();
        match manifests::parse(path, &file.bytes, &limits, keys) {
            Ok(parsed) => read.fresh.push(fresh(file, parsed, &mut weight)),
            Err(problem) => read.problems.push(problem.to_string()),
        }
    }
    read.problems.extend(weight.excess(&limits));
    read.problems.dedup();
    Ok(read)
}

fn fresh(file: File, parsed: Parsed, sum: &mut Weight) -> Fresh {
    let path = file.path.as_str();
    let weight = Weight {
        files: 1,
        bytes: file.bytes.len() as u64,
        objects: parsed.documents.len(),
        nodes: parsed.nodes,
    };
    sum.add(weight);
    Fresh {
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
        weight,
        oid: file.oid,
        path: file.path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_files_weigh_together_is_bounded() {
        let limits = Limits::default();
        let mut sum = Weight::default();
        (0..10).for_each(|_| sum.add(Weight { files: 1, bytes: 4 << 20, objects: 1, nodes: 90_000 }));
        assert!(sum.excess(&limits).is_none());
        (0..10).for_each(|_| sum.add(Weight { files: 1, bytes: 4 << 20, objects: 1, nodes: 90_000 }));
        let words = sum.excess(&limits).unwrap_or_default();
        assert!(words.contains("67108864 bytes") && words.contains("spec.paths"), "{words}");
        let nodes = Weight { nodes: limits.total_nodes + 1, ..Weight::default() };
        assert!(nodes.excess(&limits).is_some_and(|words| words.contains("aliases expanded")));
    }
}
