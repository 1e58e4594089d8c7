//! Which keys are to be looked at, and when. One key is never handed out twice at a time; a key that is woken while
//! it is out comes back once.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::api::ObjectMeta;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Namespace and name of an object; the namespace is empty for kinds without.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    /// A key of these.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object.
    pub fn of(meta: &ObjectMeta) -> Self {
        Self::new(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The queues of all controllers, so that one can wake another.
#[derive(Clone, Default)]
pub struct Queues {
    /// ConfigRepos.
    pub config_repos: Queue,
    /// Apps.
    pub apps: Queue,
    /// Environments.
    pub environments: Queue,
    /// Runs.
    pub runs: Queue,
}

/// How long a woken key waits for more of its kind: changes come in bursts.
const DEBOUNCE: Duration = Duration::from_millis(4);

/// Keys to look at; a cheap handle.
#[derive(Clone, Default)]
pub struct Queue {
    inner: Arc<Mutex<Inner>>,
    news: Arc<Notify>,
}

#[derive(Default)]
struct Inner {
    /// Keys that are due, oldest first, and the same as a set.
    due: VecDeque<Key>,
    waiting: HashSet<Key>,
    /// Keys that are due later, in order of time; a key has one time.
    later: BTreeSet<(Instant, Key)>,
    times: HashMap<Key, Instant>,
    /// Keys that are out; `true` when woken since.
    out: HashMap<Key, bool>,
}

impl Queue {
    /// Looks at a key soon. For a key that is out: once more after that.
    pub fn wake(&self, key: Key) {
        self.wake_at(key, Instant::now() + DEBOUNCE);
    }

    /// Looks at a key at this time, or earlier when something wakes it before.
    pub fn wake_at(&self, key: Key, at: Instant) {
        let mut inner = self.lock();
        if inner.waiting.contains(&key) {
            return;
        }
        match inner.times.get(&key) {
            Some(known) if *known <= at => return,
            Some(known) => {
                let known = (*known, key.clone());
                inner.later.remove(&known);
            }
            None => {}
        }
        inner.times.insert(key.clone(), at);
        inner.later.insert((at, key));
        drop(inner);
        self.news.notify_one();
    }

    /// How many keys are due or out.
    pub fn depth(&self) -> usize {
        let inner = self.lock();
        inner.due.len() + inner.out.len()
    }

    /// Waits for the next key that is due. The key must be given back by [`Queue::done`].
    pub async fn next(&self) -> Key {
        loop {
            let news = self.news.notified();
            let wait = match self.take(Instant::now()) {
                Ok(key) => return key,
                Err(wait) => wait,
            };
            match wait {
                Some(at) => {
                    tokio::select! { () = news => {}, () = tokio::time::sleep_until(at) => {} }
                }
                None => news.await,
            }
        }
    }

    /// Gives a key back.
    pub fn done(&self, key: &Key) {
        let mut inner = self.lock();
        if inner.out.remove(key) == Some(true) && inner.waiting.insert(key.clone()) {
            inner.due.push_back(key.clone());
        }
        drop(inner);
        self.news.notify_one();
    }

    /// A key that is due, or when the next one will be.
    fn take(&self, now: Instant) -> Result<Key, Option<Instant>> {
        let mut inner = self.lock();
        while inner.later.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = inner.later.pop_first() else { break };
            inner.times.remove(&key);
            match inner.out.get_mut(&key) {
                Some(again) => *again = true,
                None => {
                    if inner.waiting.insert(key.clone()) {
                        inner.due.push_back(key);
                    }
                }
            }
        }
        match inner.due.pop_front() {
            Some(key) => {
                inner.waiting.remove(&key);
                inner.out.insert(key.clone(), false);
                Ok(key)
            }
            None => Err(inner.later.first().map(|(at, _)| *at)),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("n", name)
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_wakes_is_one_look() {
        let queue = Queue::default();
        for _ in 0..100 {
            queue.wake(key("a"));
        }
        assert_eq!(queue.next().await, key("a"));
        queue.done(&key("a"));
        let second = tokio::time::timeout(Duration::from_hours(1), queue.next()).await;
        assert!(second.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_woken_while_it_is_out_comes_back_once_it_is_given_back() {
        let queue = Queue::default();
        queue.wake(key("a"));
        assert_eq!(queue.next().await, key("a"));
        queue.wake(key("a"));
        assert!(tokio::time::timeout(Duration::from_secs(1), queue.next()).await.is_err());
        queue.done(&key("a"));
        assert_eq!(queue.next().await, key("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_time_wins_over_a_later_one() {
        let queue = Queue::default();
        let start = Instant::now();
        queue.wake_at(key("a"), start + Duration::from_secs(600));
        queue.wake_at(key("a"), start + Duration::from_secs(2));
        queue.wake_at(key("a"), start + Duration::from_secs(60));
        assert_eq!(queue.next().await, key("a"));
        assert_eq!(start.elapsed().as_secs(), 2);
        queue.done(&key("a"));
        assert!(tokio::time::timeout(Duration::from_hours(1), queue.next()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn many_keys_come_in_the_order_in_which_they_were_woken() {
        let queue = Queue::default();
        queue.wake(key("b"));
        tokio::time::advance(Duration::from_millis(1)).await;
        queue.wake(key("a"));
        assert_eq!(queue.next().await, key("b"));
        assert_eq!(queue.next().await, key("a"));
        assert_eq!(queue.depth(), 2);
    }
}
