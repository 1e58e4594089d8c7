//! The table of routes from Kubernetes: Environments say which hosts lead where, EndpointSlices which pods answer.
//!
//! Data flows one way: watches fill [`known`], which [`routes`] turns into routes; the table is exchanged at most every
//! 100 ms. While the API server is away the last table stays in force.

pub mod known;
pub mod routes;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use crds::Environment;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::{WatchStreamExt as _, watcher, watcher::Event};
use kube::{Api, Client};
use tokio::sync::watch;

use crate::reload::{exchange, tell};
use crate::table::Table;
use known::Known;

/// So long after the first change the table is made, so that one roll-out is one table and not fifty.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// What one watch saw.
#[allow(clippy::large_enum_variant, reason = "one at a time is under way")]
enum Change {
    Environment(Event<Environment>),
    Slice(Event<EndpointSlice>),
}

/// Follows the cluster until the router stops. `synced` becomes true with the first whole table.
/// A watch that fails is begun again, later each time; what went wrong is told.
pub async fn follow(
    client: Client,
    domain: Option<String>,
    tables: Arc<ArcSwap<Table>>,
    synced: watch::Sender<bool>,
    mut stop: watch::Receiver<bool>,
) {
    let mut known = Known::new(domain);
    let mut changes = changes(client).boxed();
    let mut due = None;
    loop {
        let table_is_due = async {
            match due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = table_is_due => {
                due = None;
                exchange(routes::all(&known), &tables);
                synced.send_replace(true);
            }
            change = changes.next() => match change {
                Some(Ok(change)) => {
                    let is_news = known.take(change);
                    if is_news && known.is_whole() {
                        due.get_or_insert_with(|| tokio::time::Instant::now() + DEBOUNCE);
                    }
                }
                Some(Err(error)) => tell(&format!("the routes before stay in force: {error}")),
                None => return,
            }
        }
    }
}

fn changes(client: Client) -> impl Stream<Item = Result<Change, watcher::Error>> {
    let ours = watcher::Config::default().labels("app.kubernetes.io/managed-by=keelway");
    let environments = watcher(Api::<Environment>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .map_ok(Change::Environment);
    // A slice has the labels of its Service.
    let slices = watcher(Api::<EndpointSlice>::all(client), ours).default_backoff().map_ok(Change::Slice);
    futures::stream::select(environments, slices)
}
