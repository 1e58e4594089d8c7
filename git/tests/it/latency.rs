//! How long the paths take that decide how fast a push is seen. Printed, and held far below what would be felt.

use std::time::{Duration, Instant};

use git::Git;

use crate::support::{Repo, Server, Setup, request};

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
fn a_poll_and_a_small_push_take_milliseconds() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    let names: Vec<String> = (0..1000).map(|i| format!("apps/app-{i}.yaml")).collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "kind: App\n")).collect();
    repo.commit("main", &files, "one");
    let setup = Setup::new();
    let request = request(&server, "a.git", "main");
    let timed = || {
        let begun = Instant::now();
        let fetched = setup.client.fetch(&request).unwrap();
        (begun.elapsed(), fetched)
    };
    let first = timed().0;
    let polls = (0..20).map(|_| timed().0).collect();
    let contents: Vec<String> = (0..5).map(|round| format!("kind: App\nround: {round}\n")).collect();
    let mut pushes = Vec::new();
    for content in &contents {
        files[500].1 = content;
        let sha = repo.commit("main", &files, "next");
        let (took, fetched) = timed();
        assert_eq!((fetched.downloaded, fetched.commit.sha.to_string()), (true, sha));
        pushes.push(took);
    }
    let snapshot = timed().1.snapshot;
    let begun = Instant::now();
    let listing = snapshot.entries(&[git::RepoPath::root()]).unwrap();
    let list = begun.elapsed();
    let again = Instant::now();
    assert_eq!(snapshot.read(&listing.entries).unwrap().len(), 1000);
    let read = again.elapsed();
    let (poll, push) = (median(polls), median(pushes));
    println!("first fetch of 1000 files {first:?}, poll without change {poll:?}, one changed file {push:?}");
    println!("listing 1000 files {list:?}, reading them {read:?}");
    assert!(
        poll < Duration::from_millis(500) && push < Duration::from_secs(2),
        "poll {poll:?}, push {push:?}"
    );
}
