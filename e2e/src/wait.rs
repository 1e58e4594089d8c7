//! Waiting for a condition instead of sleeping.

use std::future::Future;
use std::time::{Duration, Instant};

/// Asks until the answer is `Some`, every 50 ms.
///
/// # Errors
/// After `limit`; the message holds `what` and the last error of `ask`.
pub async fn eventually<T, F>(what: &str, limit: Duration, mut ask: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let begun = Instant::now();
    loop {
        let last = match ask().await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if begun.elapsed() > limit {
            let why = last.map(|error| format!(": {error:#}")).unwrap_or_default();
            anyhow::bail!("not within {limit:?}: {what}{why}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
