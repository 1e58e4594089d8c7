//! A limit on bytes per second, shared by all readers.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// A token bucket that holds a quarter of a second's bytes.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: f64,
    state: Mutex<(f64, Instant)>,
}

impl Rate {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        #[allow(clippy::cast_precision_loss)]
        let per_second = (bytes_per_second.max(1)) as f64;
        Self { per_second, state: Mutex::new((per_second / 4.0, Instant::now())) }
    }

    /// Waits until `bytes` may pass. The lock is held meanwhile, so that readers take turns.
    pub(crate) async fn pass(&self, bytes: usize) {
        let mut state = self.state.lock().await;
        let (tokens, last) = *state;
        let now = Instant::now();
        let filled =
            (tokens + now.duration_since(last).as_secs_f64() * self.per_second).min(self.per_second / 4.0);
        #[allow(clippy::cast_precision_loss)]
        let left = filled - bytes as f64;
        *state = (left, now);
        if left < 0.0 {
            tokio::time::sleep(Duration::from_secs_f64(-left / self.per_second)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_megabyte_at_a_megabyte_per_second_takes_about_a_second() {
        let rate = Rate::new(1 << 20);
        let start = Instant::now();
        for _ in 0..16 {
            rate.pass(1 << 16).await;
        }
        let elapsed = start.elapsed().as_secs_f64();
        assert!((0.6..1.6).contains(&elapsed), "{elapsed}");
    }
}
