//! The table of routes from Kubernetes: Environments say which hosts lead where, EndpointSlices which pods answer.
//!
//! Data flows one way: watches fill [`known`], [`damping`] keeps endpoints that flicker calm, [`routes`] turns both into
//! routes; the table is exchanged at most every 100 ms. While the API server is away the last table stays in force.

pub mod damping;
mod flips;
pub mod known;
pub mod routes;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use crds::Environment;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::core::DeserializeGuard;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::reload::{exchange, tell};
use crate::table::Table;
use damping::{Damping, News};
use known::Known;

/// A table is made so long after the last one, so that one roll-out is one table and not fifty.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// And so long after a change: what belongs together mostly comes together.
const TOGETHER: Duration = Duration::from_millis(10);

/// What one watch saw.
#[allow(clippy::large_enum_variant, reason = "one at a time is under way")]
enum Change {
    Environment(watcher::Event<DeserializeGuard<Environment>>),
    Slice(watcher::Event<EndpointSlice>),
}

/// How the watches are doing, for metrics.
#[derive(Debug, Default)]
pub struct Watching {
    /// Times that a watch failed.
    pub errors: AtomicU64,
    /// When it last did, in seconds since 1970.
    pub last_error: AtomicI64,
    /// Endpoints that are only kept; see [`damping`].
    pub held: AtomicU64,
    /// Times that endpoints began to be kept.
    pub holds: AtomicU64,
}

impl Watching {
    /// Whether the API server is away, as far as one can tell: a watch is tried again at least every half minute, and
    /// nothing is heard of one that goes on.
    pub fn is_away(&self) -> bool {
        jiff::Timestamp::now().as_second() - self.last_error.load(Relaxed) < 60
    }
}

/// What follows the cluster.
pub struct Follower {
    /// The API server.
    pub client: Client,
    /// The domain below which every Environment has a host.
    pub domain: Option<String>,
    /// This router's name, in events.
    pub router: String,
    /// The table that is made.
    pub tables: Arc<ArcSwap<Table>>,
    /// Becomes true with the first whole table.
    pub synced: watch::Sender<bool>,
    /// How the watches are doing.
    pub watching: Arc<Watching>,
}

impl Follower {
    /// Follows the cluster until the router stops. A watch that fails is begun again, later each time; what went wrong is
    /// told, and the table stays as it is.
    pub async fn follow(self, mut stop: watch::Receiver<bool>) {
        let mut known = Known::new(self.domain.clone());
        let mut damping = Damping::default();
        let mut changes = changes(self.client.clone()).boxed();
        let (mut due, mut again, mut last) = (None, None, None);
        loop {
            let table_is_due = async {
                match [due, again].into_iter().flatten().min() {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = table_is_due => {
                    (due, last) = (None, Some(Instant::now()));
                    again = self.make(&known, &mut damping);
                    self.synced.send_replace(true);
                }
                change = changes.next() => match change {
                    Some(Ok(change)) => {
                        let is_news = known.take(change);
                        if is_news && known.is_whole() {
                            let after = last.map(|last: Instant| last + DEBOUNCE);
                            due.get_or_insert((Instant::now() + TOGETHER).max(after.unwrap_or_else(Instant::now)));
                        }
                    }
                    Some(Err(error)) => {
                        self.watching.errors.fetch_add(1, Relaxed);
                        self.watching.last_error.store(jiff::Timestamp::now().as_second(), Relaxed);
                        tell(&format!("the routes before stay in force: {error}"));
                    }
                    None => return,
                }
            }
        }
    }

    /// Makes the table; when to make it again though nothing changes.
    fn make(&self, known: &Known, damping: &mut Damping) -> Option<Instant> {
        let look = damping.look(known.services(), std::time::Instant::now());
        let held: usize = look.services.values().map(|calm| calm.held.len()).sum();
        self.watching.held.store(held as u64, Relaxed);
        exchange(routes::all(known, &look.services), &self.tables);
        for news in &look.news {
            self.watching.holds.fetch_add(1, Relaxed);
            tell(&format!("{}/{}: {}", news.service.0, news.service.1, news.words));
            self.event(known, news);
        }
        // Once in a moment is enough also where many times to look again are close to each other.
        look.again.map(|at| Instant::from_std(at) + DEBOUNCE)
    }

    /// Tells of it at the Environment, as far as the API server listens.
    fn event(&self, known: &Known, news: &News) {
        let Some((key, facts)) = known.environments().find(|(key, _)| routes::service(key) == news.service)
        else {
            return;
        };
        let about = ObjectReference {
            api_version: Some(format!("{}/{}", crds::GROUP, crds::VERSION)),
            kind: Some("Environment".into()),
            namespace: Some(key.0.clone()),
            name: Some(key.1.clone()),
            uid: Some(facts.uid.clone()),
            ..ObjectReference::default()
        };
        let event = Event {
            type_: EventType::Warning,
            reason: "EndpointsHeld".into(),
            note: Some(news.words.clone()),
            action: "Route".into(),
            secondary: None,
        };
        let reporter = Reporter { controller: "keelway-router".into(), instance: Some(self.router.clone()) };
        let recorder = Recorder::new(self.client.clone(), reporter);
        tokio::spawn(async move {
            if let Err(error) = recorder.publish(&event, &about).await {
                tell(&format!("an event could not be written: {error}"));
            }
        });
    }
}

fn changes(client: Client) -> impl Stream<Item = Result<Change, watcher::Error>> {
    let ours = watcher::Config::default().labels("app.kubernetes.io/managed-by=keelway");
    let environments =
        watcher(Api::<DeserializeGuard<Environment>>::all(client.clone()), watcher::Config::default())
            .default_backoff()
            .map_ok(Change::Environment);
    // A slice has the labels of its Service.
    let slices = watcher(Api::<EndpointSlice>::all(client), ours).default_backoff().map_ok(Change::Slice);
    futures::stream::select(environments, slices)
}
