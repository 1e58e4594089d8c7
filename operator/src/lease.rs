//! Leader election by a Lease of `coordination.k8s.io/v1`, with a fence.
//!
//! The end of our lease is counted from before a renewal is sent; a standby counts from after it saw one. Between a
//! leader that stopped and its successor there is therefore always a gap, in which the fence is closed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::apply::{Fence, Held};
use crate::metrics::Metrics;

/// The name of the Lease.
pub const NAME: &str = "keelway-operator";

/// Annotation on the Lease: where its holder serves, as `10.0.0.7:8080`.
const ADDRESS: &str = "keelway.dev/address";

/// How many renewals fit into one lease.
const RENEWALS: u32 = 6;

/// The share of a lease that is left for an orderly end; at the very end the kernel ends the process.
const FAREWELL: u32 = 10;

/// Holds the lease, or waits for it.
pub struct Elector {
    leases: Api<Lease>,
    identity: String,
    address: Option<SocketAddr>,
    length: Duration,
    fence: Fence,
    metrics: Metrics,
    seen: Option<Seen>,
}

/// The lease as it was last seen, and since when it has not changed by our own clock: the clocks of other machines
/// are never compared with ours.
struct Seen {
    resource_version: String,
    since: Instant,
}

/// What one attempt came to.
#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    Held,
    Taken,
}

impl Elector {
    /// An elector of this process. `length` is how long a lease lasts without being renewed.
    pub fn new(
        client: Client,
        namespace: &str,
        identity: String,
        length: Duration,
        fence: Fence,
        metrics: Metrics,
    ) -> Self {
        let leases = Api::namespaced(client, namespace);
        Self { leases, identity, address: None, length, fence, metrics, seen: None }
    }

    /// Tells the standbys where this process serves, once it leads.
    #[must_use]
    pub fn serving_at(self, address: Option<SocketAddr>) -> Self {
        Self { address, ..self }
    }

    /// Waits until the lease is held; `false` when `stop` came first.
    pub async fn acquire(&mut self, stop: &CancellationToken) -> bool {
        info!(identity = self.identity, "waits for the lease");
        loop {
            let attempt = stop.run_until_cancelled(self.attempt()).await;
            match attempt {
                None => return false,
                Some(Ok(Attempt::Held)) => {
                    info!(identity = self.identity, "leads");
                    return true;
                }
                Some(Ok(Attempt::Taken)) => {}
                Some(Err(error)) => {
                    warn!(class = class(&error), "the lease could not be read or taken; it is tried again");
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(self.length / RENEWALS)).await.is_none() {
                return false;
            }
        }
    }

    /// Renews the lease until it is lost. Never returns while it is held.
    pub async fn renew(&mut self) {
        loop {
            tokio::time::sleep((self.length / RENEWALS).min(self.left())).await;
            match tokio::time::timeout(self.left(), self.attempt()).await {
                Ok(Ok(Attempt::Held)) => {}
                Ok(Ok(Attempt::Taken)) => {
                    warn!(identity = self.identity, "another process took the lease");
                    break;
                }
                Ok(Err(error)) => {
                    warn!(class = class(&error), "the lease could not be renewed; it is tried again");
                }
                Err(_) => warn!("the lease could not be renewed in time"),
            }
            self.metrics.lease(self.fence.remaining());
            if self.left().is_zero() {
                warn!(identity = self.identity, "the lease runs out and could not be renewed");
                break;
            }
        }
        self.fence.close();
        self.metrics.lease(Duration::ZERO);
    }

    /// How long there is to renew the lease.
    fn left(&self) -> Duration {
        self.fence.remaining().saturating_sub(self.length / FAREWELL)
    }

    /// Gives the lease up, so that a standby need not wait for its end. Call it when no write is under way any more.
    pub async fn release(&mut self) {
        self.fence.hold(None);
        self.metrics.lease(Duration::ZERO);
        let Ok(Some(mut lease)) = self.read().await else { return };
        if !self.is_ours(&lease) {
            return;
        }
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        match self.replace(&lease).await {
            Ok(_) => info!(identity = self.identity, "gave the lease up"),
            Err(error) => warn!(class = class(&error), "the lease could not be given up; it ends by itself"),
        }
    }

    /// Reads the lease and takes or renews it where that is allowed.
    async fn attempt(&mut self) -> Result<Attempt, kube::Error> {
        let before = Held::from_now(self.length);
        let taken = match self.read().await? {
            None => self.create().await?,
            Some(lease) if self.is_ours(&lease) || Self::is_free(&lease) || self.is_over(&lease) => {
                self.replace(&self.claimed(lease)).await?
            }
            Some(_) => return Ok(Attempt::Taken),
        };
        self.remember(&taken);
        self.fence.hold(Some(before));
        self.metrics.lease(self.fence.remaining());
        Ok(Attempt::Held)
    }

    async fn read(&self) -> Result<Option<Lease>, kube::Error> {
        bounded(self.length / RENEWALS, self.leases.get_opt(NAME)).await
    }

    async fn create(&self) -> Result<Lease, kube::Error> {
        let metadata = ObjectMeta { name: Some(NAME.into()), ..ObjectMeta::default() };
        let lease = self.claimed(Lease { metadata, spec: None });
        bounded(self.length / RENEWALS, self.leases.create(&PostParams::default(), &lease)).await
    }

    /// The resourceVersion that was read goes along, so that of two that claim at once only one succeeds.
    async fn replace(&self, lease: &Lease) -> Result<Lease, kube::Error> {
        bounded(self.length / RENEWALS, self.leases.replace(NAME, &PostParams::default(), lease)).await
    }

    fn claimed(&self, mut lease: Lease) -> Lease {
        let now = MicroTime(Timestamp::now());
        let ours = self.is_ours(&lease);
        let old = lease.spec.take().unwrap_or_default();
        let transitions = old.lease_transitions.unwrap_or_default();
        let annotations = lease.metadata.annotations.get_or_insert_default();
        match self.address {
            Some(address) => annotations.insert(ADDRESS.into(), address.to_string()),
            None => annotations.remove(ADDRESS),
        };
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.length.as_secs().max(1)).unwrap_or(i32::MAX)),
            renew_time: Some(now.clone()),
            acquire_time: if ours { old.acquire_time } else { Some(now) },
            lease_transitions: Some(if ours { transitions } else { transitions.saturating_add(1) }),
            ..old
        });
        lease
    }

    fn is_ours(&self, lease: &Lease) -> bool {
        holder(lease) == self.identity
    }

    fn is_free(lease: &Lease) -> bool {
        holder(lease).is_empty()
    }

    /// Whether nobody renewed the lease for its whole length, by our own clock.
    fn is_over(&mut self, lease: &Lease) -> bool {
        let told = lease
            .spec
            .as_ref()
            .and_then(|spec| spec.lease_duration_seconds)
            .and_then(|s| u64::try_from(s).ok());
        let length = told.map_or(self.length, |told| self.length.max(Duration::from_secs(told)));
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        match &self.seen {
            Some(seen) if seen.resource_version == version => seen.since.elapsed() > length,
            _ => {
                self.remember(lease);
                false
            }
        }
    }

    fn remember(&mut self, lease: &Lease) {
        let resource_version = lease.metadata.resource_version.clone().unwrap_or_default();
        self.seen = Some(Seen { resource_version, since: Instant::now() });
    }
}

/// Where the holder of a Lease serves, if it is held and says so.
pub(crate) fn address(lease: &Lease) -> Option<SocketAddr> {
    let told = lease.metadata.annotations.as_ref()?.get(ADDRESS)?.parse().ok();
    told.filter(|_| !holder(lease).is_empty())
}

fn holder(lease: &Lease) -> &str {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
}

/// A renewal that hangs must not outlive the time until the next one.
async fn bounded<T>(
    time: Duration,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, kube::Error> {
    match tokio::time::timeout(time, request).await {
        Ok(result) => result,
        Err(elapsed) => Err(kube::Error::Service(Box::new(elapsed))),
    }
}

fn class(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
        _ => "no answer".into(),
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
