//! Threat 8: packs and lists that would fill memory or disk.

use git::{Cap, Git, GitError, Limits};

use crate::support::{Answer, Repo, Server, Setup, delta_bomb, request};

fn fetch_with(server: &Server, limits: Limits) -> GitError {
    let mut request = request(server, "a.git", "main");
    request.limits = limits;
    let setup = Setup::new();
    let error = setup.client.fetch(&request).err().expect("an error");
    let left = walk(setup.cache.path());
    assert!(left < 64 * 1024, "a refused fetch left {left} bytes in the cache");
    error
}

fn walk(dir: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries.map(|e| if e.path().is_dir() { walk(&e.path()) } else { e.metadata().unwrap().len() }).sum()
}

fn cap_of(error: &GitError) -> Option<Cap> {
    match error {
        GitError::TooLarge { cap, .. } => Some(*cap),
        _ => None,
    }
}

/// How much the memory of this process grows at most during `work`, in MiB.
fn growth(work: impl FnOnce()) -> u64 {
    let read = |field: &str| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    std::fs::write("/proc/self/clear_refs", "5").unwrap(); // forget the peak so far
    let before = read("VmRSS");
    work();
    read("VmHWM").saturating_sub(before)
}

#[test]
fn a_pack_with_too_many_bytes_or_objects_is_refused() {
    let server = Server::start();
    let noise: String = (0..40_000_u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_string()).collect();
    Repo::new(server.root(), "a.git").commit("main", &[("a", &noise), ("b", "2")], "one");
    let error = fetch_with(&server, Limits { pack_bytes: 10_000, ..Limits::default() });
    assert_eq!(cap_of(&error), Some(Cap::PackBytes), "{error}");
    let error = fetch_with(&server, Limits { objects: 3, ..Limits::default() });
    assert_eq!(cap_of(&error), Some(Cap::Objects), "{error}");
    let error = fetch_with(&server, Limits { object_bytes: 100_000, ..Limits::default() });
    assert_eq!(cap_of(&error), Some(Cap::ObjectBytes), "{error}");
    let error = fetch_with(&server, Limits { unpacked_bytes: 100_000, ..Limits::default() });
    assert_eq!(cap_of(&error), Some(Cap::UnpackedBytes), "{error}");
}

#[test]
fn an_endless_list_of_refs_is_cut_off() {
    // A well-formed list: the greeting, then one ref after the other without end.
    let line = format!("{} refs/heads/{}\n", "1".repeat(40), "x".repeat(200));
    let server = Server::with(move |seen| {
        let kind = if seen.method == "POST" { "result" } else { "advertisement" };
        let headers = vec![("content-type", format!("application/x-git-upload-pack-{kind}"))];
        match seen.method.as_str() {
            "POST" => Answer::Endless(headers, format!("{:04x}{line}", line.len() + 4).into_bytes()),
            _ => Answer::Git,
        }
    });
    Repo::new(server.root(), "a.git").commit("main", &[("a", "1")], "one");
    let error = fetch_with(&server, Limits { advertisement_bytes: 1 << 20, ..Limits::default() });
    assert_eq!(cap_of(&error), Some(Cap::AdvertisementBytes), "{error}");
    assert!(server.sent() < 64 << 20, "{} bytes were sent", server.sent());
}

#[test]
fn too_many_refs_are_cut_off() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    let sha = repo.commit("main", &[("a", "1")], "one");
    let lines: Vec<String> = (0..3000).map(|i| format!("create refs/heads/main{i} {sha}\n")).collect();
    repo.git(&["update-ref", "--stdin"], lines.concat().as_bytes());
    let error = fetch_with(&server, Limits { advertisement_bytes: 20_000, ..Limits::default() });
    assert_eq!(cap_of(&error), Some(Cap::AdvertisementBytes), "{error}");
}

#[test]
fn a_zip_bomb_costs_neither_memory_nor_disk() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    let zeros = tempfile::NamedTempFile::new().unwrap();
    zeros.as_file().set_len(64 << 20).unwrap(); // 64 MiB here, 64 KiB on the wire
    let bomb = repo.git(&["hash-object", "-w", zeros.path().to_str().unwrap()], b"");
    let tree = repo.tree(&[("100644", &bomb, "bomb")]);
    repo.commit_tree("main", &tree, "bomb");
    let limits = Limits { object_bytes: 1 << 20, ..Limits::default() };
    let grown = growth(|| assert_eq!(cap_of(&fetch_with(&server, limits)), Some(Cap::ObjectBytes)));
    assert!(grown < 50, "memory grew by {grown} MiB");
}

#[test]
fn a_chain_of_deltas_that_unpacks_to_gigabytes_stops_at_the_cap() {
    let pack = delta_bomb(400, 16); // 400 × 2 × 1 MiB out of about 100 KiB
    assert!(pack.len() < 150_000, "{}", pack.len());
    let mut body = b"000dpackfile\n".to_vec();
    for chunk in pack.chunks(60_000) {
        body.extend(format!("{:04x}\x01", chunk.len() + 5).into_bytes());
        body.extend_from_slice(chunk);
    }
    body.extend_from_slice(b"0000");
    let server = Server::with(move |seen| {
        let kind = || vec![("content-type", "application/x-git-upload-pack-result".to_owned())];
        if seen.asks("command=fetch") { Answer::Canned(200, kind(), body.clone()) } else { Answer::Git }
    });
    Repo::new(server.root(), "a.git").commit("main", &[("a", "1")], "one");
    let limits = Limits { unpacked_bytes: 4 << 20, ..Limits::default() };
    let grown = growth(|| {
        let error = fetch_with(&server, limits);
        assert_eq!(cap_of(&error), Some(Cap::UnpackedBytes), "{error}");
    });
    assert!(grown < 60, "memory grew by {grown} MiB");
}
