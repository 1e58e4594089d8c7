//! Work that several sessions share: a queue of items and one session per worker in, the items' results out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;

use crate::conn::Session;
use crate::error::{Error, Result};

/// Does `work` on every item, first come first served. The first failure ends the others.
///
/// # Errors
/// The first item's that fails.
pub(crate) async fn share<T, R, F, Fut>(sessions: Vec<Session>, items: Vec<T>, work: F) -> Result<Vec<R>>
where
    T: Send + 'static,
    R: Send + 'static,
    F: Fn(Arc<Session>, T) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<R>> + Send,
{
    let queue = Arc::new(Mutex::new(VecDeque::from(items)));
    let mut workers = JoinSet::new();
    for session in sessions {
        let (queue, work, session) = (Arc::clone(&queue), work.clone(), Arc::new(session));
        workers.spawn(async move {
            let mut results = Vec::new();
            while let Some(item) = queue.lock().ok().and_then(|mut queue| queue.pop_front()) {
                results.push(work(Arc::clone(&session), item).await?);
            }
            Ok::<_, Error>(results)
        });
    }
    let mut results = Vec::new();
    while let Some(done) = workers.join_next().await {
        results.extend(done.map_err(|error| Error::Local(format!("a worker ended: {error}")))??);
    }
    Ok(results)
}
