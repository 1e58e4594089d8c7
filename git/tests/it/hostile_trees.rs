//! Threat 7: trees that would harm a checkout. Nothing is checked out, and what only an attack has use for is refused.

use git::{Entry, Git, GitError, Limits, RepoPath, Skipped, Snapshot};
use std::sync::Arc;

use crate::support::{Repo, Server, Setup, path, request, texts};

fn open(make: impl FnOnce(&Repo) -> String, limits: Limits) -> (Setup, Arc<dyn Snapshot>) {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    let tree = make(&repo);
    repo.commit_tree("main", &tree, "hostile");
    let setup = Setup::new();
    let mut request = request(&server, "a.git", "main");
    request.limits = limits;
    let snapshot = setup.client.fetch(&request).unwrap().snapshot;
    (setup, snapshot)
}

fn listing_error(make: impl FnOnce(&Repo) -> String) -> GitError {
    let (_setup, snapshot) = open(make, Limits::default());
    snapshot.entries(&[RepoPath::root()]).unwrap_err()
}

#[test]
fn links_and_submodules_are_counted_and_never_followed() {
    let make = |repo: &Repo| {
        let (file, link, up) = (repo.blob(b"content"), repo.blob(b"/etc/passwd"), repo.blob(b"../.."));
        let module = "1".repeat(40);
        repo.tree(&[
            ("100644", &file, "file"),
            ("120000", &link, "link"),
            ("160000", &module, "module"),
            ("100755", &file, "script"),
            ("120000", &up, "up"),
        ])
    };
    let (_setup, snapshot) = open(make, Limits::default());
    let listing = snapshot.entries(&[RepoPath::root()]).unwrap();
    let names: Vec<String> = listing.entries.iter().map(|entry| entry.path.to_string()).collect();
    assert_eq!(names, ["file", "script"]);
    assert_eq!(listing.skipped, Skipped { symlinks: 2, submodules: 1 });
    let through = snapshot.entries(&[path("link/passwd")]).unwrap_err();
    assert_eq!(through.reason(), "PathMissing");
    assert_eq!(snapshot.entries(&[path("link")]).unwrap().skipped.symlinks, 1);
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    // (Trees with an empty name never get here: git itself does not serve them.)
    let names: [&[u8]; 10] = [
        b"..",
        b".",
        b".git",
        b".GIT",
        b"a/b",
        b"../../etc/cron.d/x",
        b"a\\b",
        b"C:\\x",
        b"new\nline",
        b"\xff\xfe",
    ];
    for name in names {
        let error = listing_error(|repo| {
            let file = repo.blob(b"x");
            repo.raw_tree(&[("100644", &file, name)])
        });
        assert_eq!(error.reason(), "HostileTree", "{name:?}: {error}");
        assert!(!error.to_string().contains('\n'), "{error:?}");
    }
}

#[test]
fn a_git_folder_deep_inside_is_refused_too() {
    let error = listing_error(|repo| {
        let hook = repo.blob(b"#!/bin/sh\n");
        let hooks = repo.tree(&[("100755", &hook, "post-checkout")]);
        let dot_git = repo.raw_tree(&[("40000", &hooks, b".git")]);
        repo.tree(&[("040000", &dot_git, "sub")])
    });
    assert!(matches!(&error, GitError::HostileTree { path, .. } if path == "sub/.git"), "{error}");
}

#[test]
fn one_name_twice_is_refused() {
    let error = listing_error(|repo| {
        let (one, two) = (repo.blob(b"1"), repo.blob(b"2"));
        repo.raw_tree(&[("100644", &one, b"a"), ("100644", &two, b"a")])
    });
    assert_eq!(error.reason(), "HostileTree", "{error}");
}

#[test]
fn a_missing_path_differs_from_an_empty_one() {
    let make = |repo: &Repo| {
        let empty = repo.tree(&[]);
        let file = repo.blob(b"x");
        repo.tree(&[("040000", &empty, "empty"), ("100644", &file, "file")])
    };
    let (_setup, snapshot) = open(make, Limits::default());
    assert!(snapshot.entries(&[path("empty")]).unwrap().entries.is_empty());
    let missing = snapshot.entries(&[path("file"), path("nowhere/x")]).unwrap_err();
    assert!(matches!(&missing, GitError::PathMissing { path, .. } if path == "nowhere/x"), "{missing}");
    assert_eq!(snapshot.entries(&[path("file/below")]).unwrap_err().reason(), "PathMissing");
    assert_eq!(texts(&*snapshot, "file"), [("file".into(), "x".into())]);
}

#[test]
fn overlapping_paths_list_each_file_once() {
    let make = |repo: &Repo| {
        let file = repo.blob(b"x");
        let apps = repo.tree(&[("100644", &file, "a"), ("100644", &file, "b")]);
        repo.tree(&[("040000", &apps, "apps")])
    };
    let (_setup, snapshot) = open(make, Limits::default());
    let listing = snapshot.entries(&[path("apps/a"), path("apps"), RepoPath::root()]).unwrap();
    assert_eq!(listing.entries.len(), 2);
}

#[test]
fn a_tree_bomb_ends_at_the_cap_of_entries() {
    // Ten times the same folder in each folder, 18 levels deep: 10^18 files out of 19 objects.
    let make = |repo: &Repo| {
        let mut below = ("100644", repo.blob(b"x"));
        for _ in 0..18 {
            let names: Vec<String> = (0..10).map(|i| format!("d{i}")).collect();
            let entries: Vec<_> =
                names.iter().map(|name| (below.0, below.1.as_str(), name.as_str())).collect();
            below = ("040000", repo.tree(&entries));
        }
        below.1
    };
    let begun = std::time::Instant::now();
    let (_setup, snapshot) = open(make, Limits::default());
    assert_eq!(snapshot.entries(&[RepoPath::root()]).unwrap_err().reason(), "TooLarge");
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn depth_files_and_sizes_are_capped_before_reading() {
    let make = |repo: &Repo| {
        let (small, large) = (repo.blob(b"12345678"), repo.blob(&[b'x'; 5000]));
        let deep = repo.tree(&[("100644", &small, "f")]);
        let deep = repo.tree(&[("040000", &deep, "deep")]);
        repo.tree(&[("040000", &deep, "deep"), ("100644", &large, "large"), ("100644", &small, "small")])
    };
    let limits = Limits { blob_bytes: 4999, read_bytes: 15, files: 2, tree_depth: 1, ..Limits::default() };
    let (_setup, snapshot) = open(make, limits);
    let error = |paths: &[&str]| {
        let paths: Vec<_> = paths.iter().map(|text| path(text)).collect();
        snapshot.files(&paths, &|_| true).unwrap_err().to_string()
    };
    assert!(
        error(&["large"]).contains("bytes in one file (`large`): the limit is 4999"),
        "{}",
        error(&["large"])
    );
    assert!(error(&["deep"]).contains("nested folders"), "{}", error(&["deep"]));
    assert!(
        error(&["small", "large", "deep/deep/f"]).contains("files"),
        "{}",
        error(&["small", "large", "deep/deep/f"])
    );
    let Entry { path: at, oid } = snapshot.entries(&[path("small")]).unwrap().entries.remove(0);
    let twice = [Entry { path: at.clone(), oid }, Entry { path: at, oid }];
    assert!(snapshot.read(&twice).unwrap_err().to_string().contains("bytes in all files"));
    let files = snapshot.files(&[path("small"), path("large")], &|path| path.as_str() != "large").unwrap();
    assert_eq!(files.files.len(), 1, "what the filter leaves out costs nothing");
}
