use std::sync::atomic::{AtomicUsize, Ordering};

use git::{
    CommitInfo, Credentials, Entry, File, GitRef, Limits, Listing, Oid, RemoteRef, RepoPath, Snapshot, Trust,
};

use super::*;

const SHA: &str = "3f9c2ab3f9c2ab3f9c2ab3f9c2ab3f9c2ab3f9c2";

struct Empty(CommitInfo);

impl Snapshot for Empty {
    fn commit(&self) -> &CommitInfo {
        &self.0
    }

    fn entries(&self, _: &[RepoPath]) -> Result<Listing, GitError> {
        Ok(Listing::default())
    }

    fn read(&self, _: &[Entry]) -> Result<Vec<File>, GitError> {
        Ok(Vec::new())
    }
}

/// Answers after some milliseconds and counts.
struct Slow {
    calls: AtomicUsize,
    fails: bool,
}

impl Git for Slow {
    fn fetch(&self, _: &Request) -> Result<Fetched, GitError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(30));
        if self.fails {
            return Err(GitError::RefMissing { reference: "branch main".into() });
        }
        let commit = CommitInfo {
            sha: SHA.parse().unwrap(),
            author: "Ann".into(),
            email: "ann@example.com".into(),
            subject: "s".into(),
            committed_at: Timestamp::UNIX_EPOCH,
        };
        Ok(Fetched { commit: commit.clone(), downloaded: true, snapshot: Arc::new(Empty(commit)) })
    }

    fn list_refs(&self, _: &Request) -> Result<Vec<RemoteRef>, GitError> {
        Ok(Vec::new())
    }

    fn open(&self, _: &Request, _: Oid) -> Result<Option<Arc<dyn Snapshot>>, GitError> {
        Ok(None)
    }
}

fn request() -> Request {
    Request {
        url: "https://git.example.com/a/b.git".parse().unwrap(),
        reference: GitRef::branch("main").unwrap(),
        credentials: Credentials::None,
        trust: Trust::public(),
        limits: Limits::default(),
    }
}

fn fetcher(fails: bool) -> (Arc<Slow>, Fetcher, Queue) {
    let git = Arc::new(Slow { calls: AtomicUsize::new(0), fails });
    let queue = Queue::default();
    let fetcher = Fetcher::new(git.clone(), queue.clone(), Metrics::new(), Timestamp::now);
    (git, fetcher, queue)
}

#[tokio::test]
async fn hints_during_a_fetch_are_one_more_fetch() {
    let (git, fetcher, queue) = fetcher(false);
    let key = Key::new("team", "platform");
    fetcher.fetch(&key, request(), "d".into());
    for _ in 0..50 {
        fetcher.hint(&key);
    }
    assert!(fetcher.look(&key, "d").running);
    assert_eq!(queue.next().await, key);
    while fetcher.look(&key, "d").running {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(git.calls.load(Ordering::SeqCst), 2);
    assert_eq!(fetcher.look(&key, "d").good.unwrap().commit.sha.to_string(), SHA);
}

#[tokio::test]
async fn what_another_request_found_says_nothing() {
    let (_, fetcher, queue) = fetcher(false);
    let key = Key::new("team", "platform");
    fetcher.fetch(&key, request(), "old".into());
    queue.next().await;
    assert!(fetcher.look(&key, "old").good.is_some());
    assert!(fetcher.look(&key, "new").good.is_none());
}

#[tokio::test]
async fn a_failure_says_why_and_when_it_is_tried_again() {
    let (_, fetcher, queue) = fetcher(true);
    let key = Key::new("team", "platform");
    fetcher.fetch(&key, request(), "d".into());
    queue.next().await;
    let look = fetcher.look(&key, "d");
    let error = look.error.clone().unwrap();
    assert_eq!((error.class, error.reason), (plan::Class::NeedsUser, Reason::RefMissing));
    let due = look.due(|_| Timestamp::MAX).unwrap();
    assert_eq!(Duration::try_from(due.duration_since(look.ended.unwrap())).unwrap(), PATIENCE);
}
