//! Mirrors survive what happens to caches: damage, kills, growth, pruning, and several users.

use std::fs;
use std::path::{Path, PathBuf};

use git::{Credentials, ErrorClass, Git, RepoPath, Secret};

use crate::support::{Repo, Server, Setup, request, texts};

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.extend(files(&entry.path(), extension));
        } else if entry.path().extension().is_some_and(|e| e == extension) {
            found.push(entry.path());
        }
    }
    found
}

fn served() -> (Server, Repo) {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    repo.commit("main", &[("a", "some content that is long enough to be damaged")], "one");
    (server, repo)
}

#[test]
fn a_damaged_mirror_is_noticed_and_fetched_anew() {
    let (server, _repo) = served();
    let setup = Setup::new();
    let request = request(&server, "a.git", "main");
    let snapshot = setup.client.fetch(&request).unwrap().snapshot;
    for pack in files(setup.cache.path(), "pack") {
        let mut bytes = fs::read(&pack).unwrap();
        bytes[20..].iter_mut().for_each(|byte| *byte ^= 0x55);
        fs::remove_file(&pack).unwrap();
        fs::write(&pack, bytes).unwrap();
    }
    let root = [RepoPath::root()];
    let error = snapshot.files(&root, &|_| true).unwrap_err();
    assert_eq!((error.reason(), error.class()), ("MirrorCorrupt", ErrorClass::Transient), "{error}");
    let again = setup.client.fetch(&request).unwrap();
    assert!(again.downloaded);
    assert_eq!(texts(&*again.snapshot, "").len(), 1);
}

#[test]
fn content_that_does_not_match_its_id_is_never_handed_out() {
    let (server, repo) = served();
    let setup = Setup::new();
    let snapshot = setup.client.fetch(&request(&server, "a.git", "main")).unwrap().snapshot;
    let root = [RepoPath::root()];
    let blob = snapshot.entries(&root).unwrap().entries[0].oid.to_string();
    let forged = repo.blob(b"forged");
    // Valid in itself, so that only its id can tell: the mirror's objects as loose files, one of them another's.
    let objects = files(setup.cache.path(), "pack")[0].ancestors().nth(2).unwrap().to_owned();
    let loose = |id: &str| Path::new(&id[..2]).join(&id[2..]);
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(server.root().join("a.git/objects/."))
        .arg(&objects)
        .status();
    assert!(copied.unwrap().success());
    for file in files(&objects, "pack").into_iter().chain(files(&objects, "idx")) {
        fs::remove_file(file).unwrap();
    }
    assert_eq!(texts(&*snapshot, "").len(), 1);
    fs::remove_file(objects.join(loose(&blob))).unwrap();
    fs::copy(objects.join(loose(&forged)), objects.join(loose(&blob))).unwrap();
    assert_eq!(snapshot.files(&root, &|_| true).unwrap_err().reason(), "MirrorCorrupt");
}

#[test]
fn damage_found_by_the_fetch_itself_heals_without_an_error() {
    let (server, repo) = served();
    let setup = Setup::new();
    let request = request(&server, "a.git", "main");
    drop(setup.client.fetch(&request).unwrap());
    for file in files(setup.cache.path(), "pack").into_iter().chain(files(setup.cache.path(), "idx")) {
        fs::remove_file(&file).unwrap();
        fs::write(&file, b"garbage").unwrap();
    }
    repo.commit("main", &[("a", "2")], "two");
    let healed = setup.client.fetch(&request).unwrap();
    assert_eq!(texts(&*healed.snapshot, ""), [("a".into(), "2".into())]);
}

#[test]
fn a_damaged_commit_is_replaced_within_the_fetch_that_finds_it() {
    let (server, _repo) = served();
    let setup = Setup::new();
    let request = request(&server, "a.git", "main");
    drop(setup.client.fetch(&request).unwrap());
    for pack in files(setup.cache.path(), "pack") {
        let mut bytes = fs::read(&pack).unwrap();
        bytes[20..].iter_mut().for_each(|byte| *byte ^= 0x55);
        fs::remove_file(&pack).unwrap();
        fs::write(&pack, bytes).unwrap();
    }
    let again = setup.client.fetch(&request).unwrap();
    assert!(again.downloaded);
    assert_eq!(texts(&*again.snapshot, "").len(), 1);
}

#[test]
fn what_a_killed_run_left_behind_is_no_obstacle() {
    let (server, _repo) = served();
    let setup = Setup::new();
    let request = request(&server, "a.git", "main");
    drop(setup.client.fetch(&request).unwrap());
    let pack = files(setup.cache.path(), "pack").remove(0);
    let packs = pack.parent().unwrap();
    let generation = packs.parent().unwrap().parent().unwrap();
    fs::write(packs.join(".tmpXYZ"), b"half a pack").unwrap();
    fs::write(packs.join("pack-1234.keep"), b"").unwrap();
    fs::write(generation.join("shallow.lock"), b"").unwrap();
    fs::create_dir(generation.parent().unwrap().join("9".repeat(39))).unwrap();
    let Setup { client, cache } = setup;
    drop(client);
    let policy = git::AddressPolicy { allow_hosts: vec!["git.test".into()], ..git::AddressPolicy::default() };
    let next =
        git::Client::with_resolver(cache.path(), policy, std::sync::Arc::new(crate::support::Names(vec![])));
    let fetched = next.unwrap().fetch(&request).unwrap();
    assert!(!fetched.downloaded, "the whole generation is still good");
    assert_eq!(texts(&*fetched.snapshot, "").len(), 1);
    assert!(!packs.join(".tmpXYZ").exists() && !generation.parent().unwrap().join("9".repeat(39)).exists());
}

#[test]
fn a_worn_mirror_is_replaced_while_its_readers_go_on() {
    let (server, repo) = served();
    let setup = Setup::new();
    let mut request = request(&server, "a.git", "main");
    request.limits.mirror_packs = 3;
    let first = setup.client.fetch(&request).unwrap().snapshot;
    for round in 0..8 {
        repo.commit("main", &[("a", &format!("round {round}"))], "next");
        let fetched = setup.client.fetch(&request).unwrap();
        assert_eq!(texts(&*fetched.snapshot, ""), [("a".into(), format!("round {round}"))]);
        assert!(
            files(setup.cache.path(), "pack").len() <= 3 + 3,
            "old generations are kept only for readers"
        );
    }
    assert_eq!(texts(&*first, "").len(), 1, "a reader of the first generation still reads it");
    drop(first);
    assert!(files(setup.cache.path(), "pack").len() <= 3);
}

#[test]
fn different_credentials_share_nothing() {
    let (server, _repo) = served();
    let setup = Setup::new();
    let mut request = request(&server, "a.git", "main");
    for token in ["one", "two"] {
        request.credentials = Credentials::Token(Secret::new(token));
        assert!(setup.client.fetch(&request).unwrap().downloaded, "{token}");
    }
    let sha = setup.client.fetch(&request).unwrap().commit.sha;
    request.credentials = Credentials::Token(Secret::new("three"));
    assert!(setup.client.open(&request, sha).unwrap().is_none());
    assert_eq!(server.connections(), 2, "not even a connection");
}

#[test]
fn mirrors_used_longest_ago_are_pruned() {
    let server = Server::start();
    let setup = Setup::new();
    for name in ["a.git", "b.git", "c.git"] {
        Repo::new(server.root(), name).commit("main", &[("a", name)], "one");
        setup.client.fetch(&request(&server, name, "main")).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let reader = setup.client.fetch(&request(&server, "a.git", "main")).unwrap().snapshot;
    assert_eq!(setup.client.prune_mirrors(1).unwrap(), 2);
    assert_eq!(files(setup.cache.path(), "lock").len(), 1);
    assert_eq!(files(setup.cache.path(), "pack").len(), 1);
    assert_eq!(setup.client.prune_mirrors(0).unwrap(), 0, "one that is read stays");
    assert_eq!(texts(&*reader, "").len(), 1);
    drop(reader);
    assert_eq!(setup.client.prune_mirrors(0).unwrap(), 1);
    assert!(files(setup.cache.path(), "pack").is_empty());
    assert!(setup.client.fetch(&request(&server, "b.git", "main")).unwrap().downloaded);
}

#[test]
fn a_held_lock_is_waited_for_until_the_deadline_only() {
    let (server, _repo) = served();
    let setup = Setup::new();
    let mut request = request(&server, "a.git", "main");
    setup.client.fetch(&request).unwrap();
    let lock = fs::File::open(&files(setup.cache.path(), "lock")[0]).unwrap();
    lock.lock().unwrap();
    request.limits.overall_timeout = std::time::Duration::from_millis(300);
    let error = setup.client.fetch(&request).err().unwrap();
    assert_eq!(error.reason(), "Timeout", "{error}");
    drop(lock);
    request.limits.overall_timeout = std::time::Duration::from_secs(30);
    assert!(!setup.client.fetch(&request).unwrap().downloaded);
}

#[test]
fn a_mirror_is_a_bare_repository_that_git_understands() {
    let (server, _repo) = served();
    let setup = Setup::new();
    let sha = setup.client.fetch(&request(&server, "a.git", "main")).unwrap().commit.sha;
    let pack = files(setup.cache.path(), "pack").remove(0);
    let dir = pack.ancestors().nth(3).unwrap();
    let output =
        std::process::Command::new("git").args(["fsck", "--full"]).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = std::process::Command::new("git")
        .args(["log", "--all", "--format=%H"])
        .current_dir(dir)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), sha.to_string());
}
