//! Which pod gets a request, and a connection to it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use crate::balance::choose;
use crate::code::Code;
use crate::endpoint::{Endpoint, Place};
use crate::record::Record;
use crate::route::Protocol;
use crate::sender::Sender;
use crate::table::Live;

/// A connection to a pod of the route, and whether it was used before. The place at the pod is put down in the record.
/// `tried` is a pod that did not answer.
///
/// # Errors
/// The code of what is in the way: H11, H12, H14, H19, H21, or H99 where it is the router itself.
pub async fn connection(
    record: &mut Record,
    protocol: Protocol,
    tried: Option<u64>,
) -> Result<(Sender, bool), Code> {
    if tried.is_some() {
        // Its place at the pod that failed is free for others, and for itself.
        record.leave_pod();
        renew(record);
    }
    // The first try comes right after the header, mostly; the clock is not asked again then.
    let mut now = if tried.is_none() && !record.waited { record.start } else { Instant::now() };
    let place = match enter(record, record.route.as_deref().ok_or(Code::H99)?, tried, now)? {
        Some(place) => place,
        None => {
            let place = Box::pin(queue(record, tried)).await?;
            now = Instant::now();
            place
        }
    };
    let pod = place.endpoint().clone();
    record.at(place);
    // After a failure a new connection is made: others that were kept may be as old as the one that broke. One of HTTP/2 says
    // itself that it is at its end.
    if (tried.is_none() || protocol == Protocol::H2c)
        && let Some(sender) = record.worker.pool.reuse(&pod, protocol, now)
    {
        return Ok((sender, true));
    }
    let limit = record.live().map(|live| live.route.limits).unwrap_or_default().connect;
    // In a box, as all that is seldom: what is awaited in place is a part of every request's size.
    match Box::pin(record.worker.pool.connect(&pod, protocol, limit)).await {
        Ok(sender) => Ok((sender, false)),
        Err(code) => {
            if !matches!(code, Code::H99 | Code::H11) {
                pod.failed(Instant::now());
            }
            Err(code)
        }
    }
}

/// Looks at the newest table, which may have other pods.
fn renew(record: &mut Record) {
    let newest = record.live().and_then(|live| record.worker.tables.load().successor(live).cloned());
    if let Some(newest) = newest {
        record.route = Some(newest);
    }
}

/// A place at a pod where all are busy; waits for it in the route's queue.
async fn queue(record: &mut Record, tried: Option<u64>) -> Result<Place, Code> {
    let live = record.route.clone().ok_or(Code::H99)?;
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
            let mut freed = pin!(live.stats.freed.notified());
            // Listens before it looks, so that a place which becomes free in between is not missed.
            freed.as_mut().enable();
            renew(record);
            let newest = record.route.clone().ok_or(Code::H99)?;
            if let Some(place) = enter(record, &newest, tried, Instant::now())? {
                // Two places may have become free while one was told of; the last who is told finds none, and waits on.
                live.stats.freed.notify_one();
                return Ok(place);
            }
            freed.await;
        }
    };
    tokio::time::timeout(live.route.limits.first_byte, wait).await.unwrap_or(Err(Code::H12))
}

/// A place at the best pod, if one is free there or at any other.
fn enter(record: &Record, live: &Live, tried: Option<u64>, now: Instant) -> Result<Option<Place>, Code> {
    let draw = if live.route.sticky { by_client(record) } else { record.worker.draw() };
    let pods = live.pods_by_weight(draw);
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
    record.client.unwrap_or(record.peer.address).hash(&mut hasher);
    record.live().map(|live| &live.route.name).hash(&mut hasher);
    hasher.finish()
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
