//! Who may enter, and how often: basic authentication and the limit of requests per time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

/// Somebody who may enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password's bcrypt hash.
    pub hash: String,
}

/// Whether somebody may enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Yes.
    Open,
    /// Not without a name and its password.
    Refused,
    /// Too many knock at once to tell.
    Busy,
}

/// Passwords that are looked at at a time: a look costs a processor some 50 ms, and anybody may knock.
const LOOKS: usize = 1;
/// For so long one waits for a look.
const PATIENCE: Duration = Duration::from_secs(5);
/// Passwords that are remembered as right.
const KNOWN: usize = 10_000;

static LOOKING: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(LOOKS)));
/// Digests of credentials that were right, with the hash that they are right for: a changed password is looked at anew.
static RIGHT: LazyLock<Mutex<HashSet<[u8; 32]>>> = LazyLock::new(Mutex::default);

/// Looks at the credentials of a request.
pub async fn enter(users: &[User], headers: &HeaderMap) -> Entry {
    if users.is_empty() {
        return Entry::Open;
    }
    let Some((name, password)) = credentials(headers) else { return Entry::Refused };
    let Some(user) = users.iter().find(|user| user.name == name) else { return Entry::Refused };
    let digest = digest(user, &password);
    if right().contains(&digest) {
        return Entry::Open;
    }
    let look = tokio::time::timeout(PATIENCE, LOOKING.clone().acquire_owned());
    let Ok(Ok(look)) = look.await else { return Entry::Busy };
    let hash = user.hash.clone();
    let is_right = tokio::task::spawn_blocking(move || {
        let is_right = bcrypt::verify(password, &hash).unwrap_or(false);
        // Not before: the client may have left meanwhile, and the look goes on.
        drop(look);
        is_right
    })
    .await;
    if !is_right.unwrap_or(false) {
        return Entry::Refused;
    }
    let mut right = right();
    if right.len() >= KNOWN {
        right.clear();
    }
    right.insert(digest);
    Entry::Open
}

fn right() -> std::sync::MutexGuard<'static, HashSet<[u8; 32]>> {
    RIGHT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let text = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(rest.trim()).ok()).flatten()?;
    let text = String::from_utf8(text).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

fn digest(user: &User, password: &str) -> [u8; 32] {
    Sha256::new().chain_update(&user.hash).chain_update([0]).chain_update(password).finalize().into()
}

/// So many requests in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests, which may also come all at once.
    pub requests: u32,
    /// The time.
    pub per: Duration,
}

/// What was used of a rate: the generic cell rate algorithm (ITU-T I.371), which needs one number. It is kept when the
/// table changes.
#[derive(Debug, Default)]
pub struct Used {
    /// Nanoseconds after [`BEGIN`] at which nothing would be used any more.
    empty_at: AtomicU64,
}

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Used {
    /// Takes a place for one request; else how long it is until there is one.
    ///
    /// # Errors
    /// The time until the next place.
    pub fn take(&self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let now = nanos(now.saturating_duration_since(*BEGIN));
        let (all, requests) = (nanos(rate.per), u64::from(rate.requests.max(1)));
        let one = all / requests;
        let take = |empty_at: u64| {
            // What a slower rate before left to wait for does not count.
            let next = empty_at.clamp(now, now.saturating_add(all)) + one;
            (next <= now.saturating_add(all)).then_some(next)
        };
        match self.empty_at.fetch_update(Relaxed, Relaxed, take) {
            Ok(_) => Ok(()),
            Err(empty_at) => {
                let until = empty_at.min(now.saturating_add(all)) + one;
                Err(Duration::from_nanos(until.saturating_sub(now.saturating_add(all))))
            }
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The same for many threads.
pub type Users = Arc<[User]>;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(credentials: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(credentials));
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    /// There is one look at a time in the process, so the tests that look take turns.
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    #[tokio::test]
    async fn a_name_and_its_password_open_and_nothing_else() {
        let _alone = ALONE.lock().await;
        let users = [User { name: "team".into(), hash: bcrypt::hash("secret", 4).unwrap() }];
        assert_eq!(enter(&users, &headers("team:secret")).await, Entry::Open);
        assert_eq!(enter(&users, &headers("team:secret")).await, Entry::Open, "it is remembered");
        for wrong in ["team:Secret", "team:", "team", "other:secret", "", "team:secret:"] {
            assert_eq!(enter(&users, &headers(wrong)).await, Entry::Refused, "{wrong}");
        }
        assert_eq!(enter(&users, &HeaderMap::new()).await, Entry::Refused);
        assert_eq!(enter(&[], &HeaderMap::new()).await, Entry::Open);
        let changed = [User { name: "team".into(), hash: bcrypt::hash("new", 4).unwrap() }];
        assert_eq!(enter(&changed, &headers("team:secret")).await, Entry::Refused, "what was right before");
    }

    #[tokio::test]
    async fn a_look_that_nobody_waits_for_any_more_is_still_one() {
        let _alone = ALONE.lock().await;
        let users = [User { name: "team".into(), hash: bcrypt::hash("secret", 10).unwrap() }];
        let headers = headers("team:wrong");
        tokio::select! {
            biased;
            _ = enter(&users, &headers) => panic!("it should take longer"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(LOOKING.available_permits(), 0, "the client has left, and the processor is still used");
        assert!(LOOKING.acquire().await.is_ok());
    }

    #[test]
    fn a_rate_allows_a_burst_and_then_its_pace() {
        let (used, rate) = (Used::default(), Rate { requests: 10, per: Duration::from_secs(1) });
        let start = *BEGIN + Duration::from_secs(5);
        let taken = |at: Duration| (0..100).filter(|_| used.take(rate, start + at).is_ok()).count();
        assert_eq!(taken(Duration::ZERO), 10);
        assert_eq!(used.take(rate, start), Err(Duration::from_millis(100)));
        assert_eq!(taken(Duration::from_millis(100)), 1);
        assert_eq!(taken(Duration::from_millis(600)), 5);
        assert_eq!(taken(Duration::from_secs(60)), 10, "silence earns no more than one burst");
        let slow = Rate { requests: 1, per: Duration::from_hours(24) };
        let later = start + Duration::from_secs(120);
        assert!(used.take(slow, later).is_ok() && used.take(slow, later).is_err());
        assert_eq!(used.take(rate, later), Err(Duration::from_millis(100)), "a faster rate counts at once");
    }
}
