//! How much a commit may hold: at least something below each path (an empty folder is never taken for "delete
//! everything"), at most what the inventory can.

use std::sync::Arc;

use crds::Reason;
use crds::config_repo::Skipped;
use git::RepoPath;
use manifests::Limits;
use plan::Refusal;
use plan::config_repo::Planned;

/// The paths of the spec below which no object is.
pub(super) fn bare(paths: &[String], planned: &[Arc<Planned>]) -> Vec<String> {
    let holds = |path: &RepoPath| {
        let path = path.as_str();
        planned.iter().any(|p| {
            p.place
                .path
                .strip_prefix(path)
                .is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
        })
    };
    let read = |path: &String| RepoPath::parse(path.trim_start_matches("./")).ok();
    paths.iter().filter(|path| read(path).is_some_and(|path| !holds(&path))).cloned().collect()
}

/// The refusal of a commit that holds nothing there.
pub(super) fn empty(paths: &[String], skipped: Skipped) -> Refusal {
    let place = if paths.is_empty() { "the repository".to_owned() } else { paths.join(", ") };
    let words = format!(
        "{place} holds no object ({} other files, {} ignored, {} documents that are none): nothing is changed; an empty folder is never taken for \"delete everything\". Add an object, or delete the ConfigRepo",
        skipped.other_files, skipped.ignored, skipped.not_objects
    );
    Refusal::needs_user(Reason::PathEmpty, words)
}

/// That the inventory can hold both commits, as it must while one takes the other's place.
pub(super) fn fits(both: usize, new: usize) -> Result<(), Refusal> {
    let most = Limits::default().objects;
    if both <= most {
        return Ok(());
    }
    let words = format!(
        "the commit has {new} objects and replaces {} others; at most {most} can stand in status.inventory meanwhile: make the change in two commits, or split the repository over several ConfigRepos by spec.paths",
        both - new
    );
    Err(Refusal::needs_user(Reason::InvalidManifest, words))
}
