//! Which pod gets a request, and a connection to it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use crate::code::Code;
use crate::endpoint::{Endpoint, Place, choose};
use crate::record::Record;
use crate::table::Live;
use crate::worker::Sender;

/// A connection to a pod of the route, and whether it was used before. The place at the pod is put down in the record.
/// `tried` is a pod that did not answer.
///
/// # Errors
/// The code of what is in the way: H11, H12, H14, H19 or H21.
pub async fn connection(
    record: &mut Record,
    live: &Live,
    tried: Option<u64>,
) -> Result<(Sender, bool), Code> {
    let place = place(record, live, tried).await?;
    let pod = place.endpoint().clone();
    if let Some(work) = &mut record.work {
        work.at(place);
    }
    // After a failure a new connection is made: others that were kept may be as old as the one that broke.
    if tried.is_none()
        && let Some(sender) = record.worker.reuse(&pod).await
    {
        return Ok((sender, true));
    }
    match record.worker.connect(&pod, live.route.limits.connect).await {
        Ok(sender) => Ok((sender, false)),
        Err(code) => {
            pod.failed(Instant::now());
            Err(code)
        }
    }
}

/// A place at a pod; waits in the route's queue where all are busy.
async fn place(record: &Record, live: &Live, tried: Option<u64>) -> Result<Place, Code> {
    if let Some(place) = enter(record, live, tried)? {
        return Ok(place);
    }
    let busy = live.stats.busy();
    let before = busy.waiting.fetch_add(1, Relaxed);
    let _out = OnDrop(|| {
        busy.waiting.fetch_sub(1, Relaxed);
    });
    if before >= live.route.limits.queue {
        return Err(Code::H11);
    }
    let wait = async {
        loop {
            // Listens before it looks, so that a place which becomes free in between is not missed.
            let freed = live.stats.freed.notified();
            if let Some(place) = enter(record, live, tried)? {
                return Ok(place);
            }
            freed.await;
        }
    };
    tokio::time::timeout(live.route.limits.first_byte, wait).await.unwrap_or(Err(Code::H12))
}

/// A place at the best pod, if one is free there or at any other.
fn enter(record: &Record, live: &Live, tried: Option<u64>) -> Result<Option<Place>, Code> {
    let draw = if live.route.sticky { by_client(record) } else { record.worker.draw() };
    let pods = live.pods_by_weight(draw);
    let now = Instant::now();
    let Some(best) = choose(pods, tried, now, || record.worker.draw()) else { return Err(Code::H14) };
    let limit = live.route.limits.per_endpoint;
    let freed = || limit.map(|_| live.stats.clone());
    let found = best.enter(limit, freed());
    Ok(found.or_else(|| {
        let others = pods.iter().filter(|pod| tried != Some(pod.id) && !pod.is_away(now));
        others.into_iter().find_map(|pod: &Arc<Endpoint>| pod.enter(limit, freed()))
    }))
}

/// The same number for the same client and route, in every router.
fn by_client(record: &Record) -> u64 {
    let mut hasher = DefaultHasher::new();
    record.peer.address.hash(&mut hasher);
    record.live().map(|live| &live.route.name).hash(&mut hasher);
    hasher.finish()
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
