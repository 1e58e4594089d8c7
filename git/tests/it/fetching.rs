//! Branches, tags and commits: what is fetched, and how little.

use git::{Git, GitError, GitRef};

use crate::support::{Answer, Repo, Server, Setup, request, texts};

#[test]
fn a_branch_is_fetched_and_its_files_are_read() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    let sha = repo.commit("main", &[("apps/web.yaml", "kind: App\n"), ("README", "hi")], "Add web\n\nbody");
    let setup = Setup::new();
    let fetched = setup.client.fetch(&request(&server, "a.git", "main")).unwrap();
    assert!(fetched.downloaded);
    assert_eq!(fetched.commit.sha.to_string(), sha);
    assert_eq!(fetched.commit.subject, "Add web");
    assert_eq!((fetched.commit.author.as_str(), fetched.commit.email.as_str()), ("Ada", "ada@example.com"));
    assert_eq!(fetched.commit.committed_at.as_second(), 1_700_000_001);
    assert_eq!(texts(&*fetched.snapshot, "apps"), [("apps/web.yaml".into(), "kind: App\n".into())]);
}

#[test]
fn an_unchanged_branch_downloads_nothing_and_keeps_its_connection() {
    let server = Server::start();
    Repo::new(server.root(), "a.git").commit("main", &[("a", "1")], "one");
    let setup = Setup::new();
    let request = request(&server, "a.git", "main");
    setup.client.fetch(&request).unwrap();
    let before = server.seen().len();
    for _ in 0..3 {
        assert!(!setup.client.fetch(&request).unwrap().downloaded);
    }
    // One small question each (the ref), none for objects, all over the first connection.
    assert_eq!(server.seen().len() - before, 3);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_small_change_is_a_small_download() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    let noise: Vec<String> = (0..200).map(|i| format!("{:x}", md5ish(i)).repeat(20)).collect();
    let names: Vec<String> = (0..200).map(|i| format!("apps/f{i}")).collect();
    let mut files: Vec<(&str, &str)> =
        names.iter().map(String::as_str).zip(noise.iter().map(String::as_str)).collect();
    repo.commit("main", &files, "one");
    let setup = Setup::new();
    let request = request(&server, "a.git", "main");
    setup.client.fetch(&request).unwrap();
    let first = server.sent();
    files[7].1 = "changed";
    repo.commit("main", &files, "two");
    let fetched = setup.client.fetch(&request).unwrap();
    let second = server.sent() - first;
    assert!(fetched.downloaded && second * 3 < first, "first {first} bytes, then {second}");
    assert!(texts(&*fetched.snapshot, "apps").contains(&("apps/f7".into(), "changed".into())));
    assert_eq!(texts(&*fetched.snapshot, "").len(), 200);
}

/// Numbers that do not compress away.
fn md5ish(seed: u64) -> u128 {
    (0..8).fold(u128::from(seed) + 1, |n, _| {
        n.wrapping_mul(0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645).rotate_left(29) ^ 0x9E37
    })
}

#[test]
fn history_is_never_downloaded() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    let first = repo.commit("main", &[("a", "1")], "one");
    repo.commit("main", &[("a", "2")], "two");
    let setup = Setup::new();
    let request = request(&server, "a.git", "main");
    setup.client.fetch(&request).unwrap();
    assert!(setup.client.open(&request, first.parse().unwrap()).unwrap().is_none());
}

#[test]
fn two_fetched_commits_can_be_compared_without_reading_files() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    let old = repo.commit("main", &[("a", "1"), ("b", "same")], "one");
    let setup = Setup::new();
    let request = request(&server, "a.git", "main");
    setup.client.fetch(&request).unwrap();
    repo.commit("main", &[("a", "2"), ("b", "same")], "two");
    let new = setup.client.fetch(&request).unwrap().snapshot;
    let old = setup.client.open(&request, old.parse().unwrap()).unwrap().expect("still in the mirror");
    let root = [git::RepoPath::root()];
    let (old, new) = (old.entries(&root).unwrap().entries, new.entries(&root).unwrap().entries);
    let changed: Vec<String> =
        new.iter().filter(|entry| !old.contains(entry)).map(|entry| entry.path.to_string()).collect();
    assert_eq!(changed, ["a"]);
}

#[test]
fn a_force_pushed_branch_simply_works() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    repo.commit("main", &[("a", "1")], "one");
    let setup = Setup::new();
    let request = request(&server, "a.git", "main");
    setup.client.fetch(&request).unwrap();
    repo.git(&["update-ref", "-d", "refs/heads/main"], b"");
    repo.git(&["reflog", "expire", "--expire=now", "--all"], b"");
    repo.git(&["gc", "--quiet", "--prune=now"], b"");
    let sha = repo.commit("main", &[("a", "other")], "rewritten");
    let fetched = setup.client.fetch(&request).unwrap();
    assert_eq!(fetched.commit.sha.to_string(), sha);
    assert_eq!(texts(&*fetched.snapshot, ""), [("a".into(), "other".into())]);
}

#[test]
fn a_deleted_branch_and_an_empty_repository_are_told_by_name() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    let setup = Setup::new();
    let error = setup.client.fetch(&request(&server, "a.git", "main")).err().unwrap();
    assert_eq!(error, GitError::RefMissing { reference: "branch `main`".into() });
    repo.commit("main", &[("a", "1")], "one");
    repo.commit("gone", &[("a", "1")], "one");
    repo.git(&["update-ref", "-d", "refs/heads/gone"], b"");
    let error = setup.client.fetch(&request(&server, "a.git", "gone")).err().unwrap();
    assert_eq!(error, GitError::RefMissing { reference: "branch `gone`".into() });
}

#[test]
fn tags_are_peeled_and_a_tag_of_a_tree_is_refused() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    let sha = repo.commit("main", &[("a", "1")], "one");
    repo.git(&["tag", "light", "main"], b"");
    repo.git(&["tag", "-a", "annotated", "-m", "x", "main"], b"");
    repo.git(&["tag", "-a", "nested", "-m", "x", "annotated"], b"");
    repo.git(&["tag", "-a", "tree", "-m", "x", "main^{tree}"], b"");
    repo.git(&["update-ref", "-d", "refs/heads/main"], b"");
    for name in ["light", "annotated", "nested"] {
        let setup = Setup::new();
        let mut request = request(&server, "a.git", "main");
        request.reference = GitRef::tag(name).unwrap();
        assert_eq!(setup.client.fetch(&request).unwrap().commit.sha.to_string(), sha, "{name}");
        assert!(!setup.client.fetch(&request).unwrap().downloaded, "{name}");
    }
    let mut request = request(&server, "a.git", "main");
    request.reference = GitRef::tag("tree").unwrap();
    let error = Setup::new().client.fetch(&request).err().unwrap();
    assert_eq!(error, GitError::NotACommit { reference: "tag `tree`".into(), kind: "tree".into() });
}

#[test]
fn a_commit_is_fetched_once_by_its_id_and_one_that_is_not_there_is_told() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    let old = repo.commit("main", &[("a", "1")], "one");
    repo.commit("main", &[("a", "2")], "two");
    let setup = Setup::new();
    let mut request = request(&server, "a.git", "main");
    request.reference = GitRef::commit(&old).unwrap();
    let fetched = setup.client.fetch(&request).unwrap();
    assert_eq!(texts(&*fetched.snapshot, ""), [("a".into(), "1".into())]);
    let before = server.seen().len();
    assert!(!setup.client.fetch(&request).unwrap().downloaded);
    assert_eq!(server.seen().len(), before, "a commit never changes, so nobody is asked");
    let absent = "1".repeat(40);
    request.reference = GitRef::commit(&absent).unwrap();
    assert_eq!(setup.client.fetch(&request).err().unwrap(), GitError::CommitUnreachable { sha: absent });
}

#[test]
fn the_default_branch_is_the_one_that_head_points_at() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    repo.commit("main", &[("a", "main")], "one");
    let trunk = repo.commit("trunk", &[("a", "trunk")], "one");
    repo.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"], b"");
    let mut request = request(&server, "a.git", "main");
    request.reference = GitRef::Default;
    assert_eq!(Setup::new().client.fetch(&request).unwrap().commit.sha.to_string(), trunk);
    repo.git(&["symbolic-ref", "HEAD", "refs/heads/nowhere"], b"");
    let error = Setup::new().client.fetch(&request).err().unwrap();
    assert_eq!(error, GitError::RefMissing { reference: "the default branch".into() });
}

#[test]
fn a_repository_of_the_other_object_format_is_refused_with_its_cure() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    std::fs::remove_dir_all(server.root().join("a.git")).unwrap();
    std::fs::create_dir(server.root().join("a.git")).unwrap();
    repo.git(&["init", "--quiet", "--bare", "--initial-branch=main", "--object-format=sha256"], b"");
    repo.commit("main", &[("a", "1")], "one");
    let error = Setup::new().client.fetch(&request(&server, "a.git", "main")).err().unwrap();
    assert_eq!(error, GitError::ObjectFormat);
}

#[test]
fn refs_are_listed_with_their_peeled_commits_up_to_a_cap() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    let sha = repo.commit("main", &[("a", "1")], "one");
    repo.git(&["tag", "-a", "v1", "-m", "x", "main"], b"");
    repo.git(&["update-ref", "refs/pull/1/head", "main"], b"");
    let setup = Setup::new();
    let mut request = request(&server, "a.git", "main");
    let refs = setup.client.list_refs(&request).unwrap();
    let listed: Vec<(String, String)> = refs.into_iter().map(|r| (r.name, r.oid.to_string())).collect();
    assert_eq!(listed, [("refs/heads/main".into(), sha.clone()), ("refs/tags/v1".into(), sha)]);
    request.limits.refs = 1;
    assert_eq!(setup.client.list_refs(&request).err().unwrap().reason(), "TooLarge");
}

#[test]
fn a_server_of_the_old_protocol_works_as_well() {
    // Without its Git-Protocol header a request is answered in version 0.
    let server = Server::without_protocol_header();
    let repo = Repo::new(server.root(), "a.git");
    repo.commit("main", &[("a", "1"), ("b", "same")], "one");
    repo.git(&["tag", "-a", "v1", "-m", "x", "main"], b"");
    let setup = Setup::new();
    let mut request = request(&server, "a.git", "main");
    assert_eq!(texts(&*setup.client.fetch(&request).unwrap().snapshot, "").len(), 2);
    assert!(!setup.client.fetch(&request).unwrap().downloaded);
    repo.commit("main", &[("a", "2"), ("b", "same")], "two");
    let fetched = setup.client.fetch(&request).unwrap();
    assert_eq!(texts(&*fetched.snapshot, ""), [("a".into(), "2".into()), ("b".into(), "same".into())]);
    request.reference = GitRef::tag("v1").unwrap();
    assert_eq!(texts(&*setup.client.fetch(&request).unwrap().snapshot, "").len(), 2);
    let old = repo.git(&["rev-parse", "main"], b"");
    repo.git(&["update-ref", "-d", "refs/heads/main"], b"");
    request.reference = GitRef::commit(&old).unwrap();
    assert!(Setup::new().client.fetch(&request).is_err(), "version 0 hands out only what a ref points at");
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_is_opened_again() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::with(move |_| {
        let count = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if count == 4 { Answer::HangUp } else { Answer::Git }
    });
    Repo::new(server.root(), "a.git").commit("main", &[("a", "1")], "one");
    let setup = Setup::new();
    let request = request(&server, "a.git", "main");
    for _ in 0..3 {
        setup.client.fetch(&request).unwrap();
    }
    assert_eq!(server.connections(), 2);
}

#[test]
fn threads_that_fetch_one_mirror_at_once_download_it_once() {
    let server = Server::start();
    Repo::new(server.root(), "a.git").commit("main", &[("a", "1")], "one");
    let setup = Setup::new();
    let request = request(&server, "a.git", "main");
    let downloads: usize = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..6).map(|_| scope.spawn(|| setup.client.fetch(&request).unwrap().downloaded)).collect();
        threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
    });
    assert_eq!(downloads, 1);
}

#[test]
fn a_server_that_moved_since_it_was_greeted_is_greeted_again() {
    let moved = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = std::sync::Arc::clone(&moved);
    let server = Server::with(move |seen| match seen.target.strip_prefix("/a.git") {
        Some(rest) if flag.load(std::sync::atomic::Ordering::SeqCst) => match seen.method.as_str() {
            "GET" => Answer::Canned(301, vec![("location", format!("/b.git{rest}"))], vec![]),
            _ => Answer::Canned(404, vec![], vec![]),
        },
        _ => Answer::Git,
    });
    Repo::new(server.root(), "a.git").commit("main", &[("a", "1")], "one");
    let setup = Setup::new();
    let request = request(&server, "a.git", "main");
    setup.client.fetch(&request).unwrap();
    std::fs::rename(server.root().join("a.git"), server.root().join("b.git")).unwrap();
    moved.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(!setup.client.fetch(&request).unwrap().downloaded);
    assert!(!setup.client.fetch(&request).unwrap().downloaded);
}
