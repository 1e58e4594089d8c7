//! The writer: carries steps out in order, each only while the lease outlasts the request, and stops at the first
//! failure. No write is repeated blindly; a failed step leads to a new look at the cluster and a new plan.

use std::sync::Arc;
use std::time::Duration;

use crds::names::{MANAGER, MANAGER_SCALE};
use kube::Client;
use plan::{Answer, Applied, Delete, Event, Manifest, ObjectKey, Outcome, Refusal, Step};
use serde_json::{Value, json};

use crate::apply::error::{Attempt, Failure, conflicting_managers, refusal, taken};
use crate::apply::events::Recorder;
use crate::apply::fence::Fence;
use crate::apply::identity::Identity;
use crate::apply::kinds::Kinds;
use crate::apply::patch::{named, pinned};
use crate::apply::request::{Body, Target, build};
use crate::metrics::Metrics;

/// Hears of every object as the API server answered it, so that no reconcile acts on an older one.
pub trait Observer: Send + Sync + 'static {
    /// The object as the cluster holds it after a write.
    fn written(&self, key: &ObjectKey, object: &Value);
    /// The object of this uid is gone.
    fn gone(&self, key: &ObjectKey, uid: &str);
}

/// The only writer to the cluster.
#[derive(Clone)]
pub struct Writer {
    reads: Client,
    writes: Client,
    fence: Fence,
    kinds: Kinds,
    metrics: Metrics,
    events: Recorder,
    observer: Arc<dyn Observer>,
    timeout: Duration,
}

impl Writer {
    /// Reads through `reads` and writes through `writes`, which must come from [`crate::apply::write_client`] with the
    /// same fence. `timeout` bounds each request.
    pub fn new(
        reads: Client,
        writes: Client,
        fence: Fence,
        metrics: Metrics,
        observer: Arc<dyn Observer>,
        reporter: &str,
        timeout: Duration,
    ) -> Self {
        let kinds = Kinds::new(reads.clone());
        let events = Recorder::new(writes.clone(), reporter);
        Self { reads, writes, fence, kinds, metrics, events, observer, timeout }
    }

    /// The kinds that the API server knows.
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// Whether this process may write now: it leads, and its lease outlasts a request.
    pub fn may_write(&self) -> bool {
        self.fence.pass(self.timeout).is_ok()
    }

    /// Carries the steps out in order and stops at the first that fails.
    pub async fn run(&self, identity: &Identity, steps: Vec<Step>) -> Applied {
        #[cfg(feature = "seeded-bugs")]
        let steps = match crate::apply::seeded::Bug::planted() {
            Some(bug) => bug.spoil(steps),
            None => steps,
        };
        let mut applied = Applied::default();
        for step in steps {
            let key = step.key();
            let outcome = self.step(identity, step).await;
            let failed = outcome.is_err();
            applied.answers.push(Answer { key, outcome });
            if failed {
                break;
            }
        }
        applied
    }

    /// Writes the whole status as `keelway`, unless it equals what was last seen. Returns whether it was written.
    ///
    /// # Errors
    /// The answer of the API server, as a refusal; another object of that name has another uid, which is transient.
    pub async fn status(
        &self,
        key: &ObjectKey,
        uid: &str,
        seen: Option<&Value>,
        wanted: &Value,
    ) -> Result<bool, Refusal> {
        if seen.unwrap_or(&Value::Null) == wanted {
            return Ok(false);
        }
        self.write_status(&Identity::OPERATOR, key, uid, wanted).await.map(|_| true)
    }

    /// Says something about an object, once. A failure is logged and nothing more: no decision rests on an event.
    pub async fn event(&self, object: &ObjectKey, uid: &str, event: &Event) {
        if self.fence.pass(self.timeout).is_ok() {
            self.events.publish(object, uid, event).await;
        }
    }

    /// What the object would be after a server-side apply under this identity. Nothing is changed.
    ///
    /// # Errors
    /// Why the API server would refuse it.
    pub async fn dry_run(&self, identity: &Identity, manifest: &Manifest) -> Result<Value, Refusal> {
        let key = manifest.key();
        let body =
            Body::Apply { object: manifest.value(), manager: identity.manager(), force: true, dry_run: true };
        self.send("patch", identity, &key, None, &body).await.map_err(Failure::into_refusal)
    }

    /// The object as the API server holds it now; none if it is not there.
    ///
    /// # Errors
    /// The answer of the API server, as a refusal.
    pub async fn get(&self, identity: &Identity, key: &ObjectKey) -> Result<Option<Value>, Refusal> {
        match self.send("get", identity, key, None, &Body::Get).await {
            Ok(object) => Ok(Some(object)),
            Err(failure) if failure.is_missing() => Ok(None),
            Err(failure) => Err(failure.into_refusal()),
        }
    }

    async fn step(&self, identity: &Identity, step: Step) -> Result<Outcome, Refusal> {
        match step {
            Step::Apply(manifest) => self.apply(identity, &manifest).await,
            Step::Make(manifest) => self.make(identity, &manifest).await,
            Step::Create(manifest) => {
                let body = Body::Create { object: manifest.value(), manager: identity.manager() };
                self.write("create", identity, &manifest.key(), None, &body).await
            }
            Step::Scale { object, replicas } => self.scale(identity, &object, replicas).await,
            Step::Label { object, uid, resource_version, patch } => {
                let patch = pinned(patch, &uid, resource_version.as_deref());
                let body = Body::Merge { patch: &patch, manager: identity.manager() };
                self.write("patch", identity, &object, None, &body).await
            }
            Step::Status { object, uid, status } => self.write_status(identity, &object, &uid, &status).await,
            Step::Delete(delete) => self.delete(identity, &delete).await,
        }
    }

    async fn apply(&self, identity: &Identity, manifest: &Manifest) -> Result<Outcome, Refusal> {
        let body = Body::Apply {
            object: manifest.value(),
            manager: identity.manager(),
            force: true,
            dry_run: false,
        };
        self.write("patch", identity, &manifest.key(), None, &body).await
    }

    /// Not forced: fields that somebody else set mean that the name is taken.
    async fn make(&self, identity: &Identity, manifest: &Manifest) -> Result<Outcome, Refusal> {
        let key = manifest.key();
        let object = manifest.value();
        let body = Body::Apply { object, manager: identity.manager(), force: false, dry_run: false };
        match self.send("patch", identity, &key, None, &body).await {
            Ok(object) => {
                self.observer.written(&key, &object);
                Ok(Outcome::Object(object))
            }
            Err(Failure { managers, .. }) if managers.iter().any(|manager| manager != MANAGER_SCALE) => {
                Err(taken(&key, &managers))
            }
            // Ours after all: it lost the label by which it is watched.
            Err(Failure { managers, .. }) if !managers.is_empty() => self.apply(identity, manifest).await,
            Err(failure) => Err(failure.into_refusal()),
        }
    }

    async fn scale(&self, identity: &Identity, key: &ObjectKey, replicas: i32) -> Result<Outcome, Refusal> {
        let object = named(key, &json!({ "spec": { "replicas": replicas } }));
        let body = Body::Apply { object: &object, manager: MANAGER_SCALE, force: false, dry_run: false };
        match self.send("patch", identity, key, None, &body).await {
            Ok(object) => {
                self.observer.written(key, &object);
                Ok(Outcome::Object(object))
            }
            Err(Failure { managers, .. }) if !managers.is_empty() => {
                Ok(Outcome::Conflict(managers.join(", ")))
            }
            Err(failure) => Err(failure.into_refusal()),
        }
    }

    async fn write_status(
        &self,
        identity: &Identity,
        key: &ObjectKey,
        uid: &str,
        status: &Value,
    ) -> Result<Outcome, Refusal> {
        let object = pinned(named(key, &json!({ "status": status })), uid, None);
        let body = Body::Apply { object: &object, manager: MANAGER, force: true, dry_run: false };
        self.write("patch", identity, key, Some("status"), &body).await
    }

    async fn delete(&self, identity: &Identity, delete: &Delete) -> Result<Outcome, Refusal> {
        let Delete { object, uid, resource_version } = delete;
        let body = Body::Delete { uid, resource_version };
        match self.send("delete", identity, object, None, &body).await {
            // An object with finalizers stays for a while and comes back with a deletionTimestamp.
            Ok(answer) if answer.pointer("/metadata/deletionTimestamp").is_some() => {
                self.observer.written(object, &answer);
                Ok(Outcome::Object(answer))
            }
            Ok(_) => {
                self.observer.gone(object, uid);
                Ok(Outcome::Gone)
            }
            Err(failure) if failure.is_missing() => {
                self.observer.gone(object, uid);
                Ok(Outcome::Gone)
            }
            Err(failure) => Err(failure.into_refusal()),
        }
    }

    async fn write(
        &self,
        verb: &'static str,
        identity: &Identity,
        key: &ObjectKey,
        subresource: Option<&'static str>,
        body: &Body<'_>,
    ) -> Result<Outcome, Refusal> {
        let object =
            self.send(verb, identity, key, subresource, body).await.map_err(Failure::into_refusal)?;
        self.observer.written(key, &object);
        Ok(Outcome::Object(object))
    }

    /// Sends one request and reads the answer. The fence is asked last, directly before the bytes leave.
    async fn send(
        &self,
        verb: &'static str,
        identity: &Identity,
        key: &ObjectKey,
        subresource: Option<&'static str>,
        body: &Body<'_>,
    ) -> Result<Value, Failure> {
        let resource = self.kinds.resource(key).await?;
        let target = Target { key, resource: &resource, subresource };
        let request = build(target, body, identity, self.timeout)?;
        let client = match body {
            Body::Get => &self.reads,
            Body::Apply { .. } | Body::Create { .. } | Body::Merge { .. } | Body::Delete { .. } => {
                self.fence.pass(self.timeout)?;
                &self.writes
            }
        };
        let sent = tokio::time::timeout(self.timeout, client.request_text(request)).await;
        let result = match sent {
            Err(_) => Err(Failure::from(Refusal::transient(format!(
                "{key}: no answer within {} s; it is looked at again",
                self.timeout.as_secs()
            )))),
            Ok(Err(error)) => Err(Failure {
                missing: matches!(&error, kube::Error::Api(status) if status.code == 404),
                managers: conflicting_managers(&error),
                refusal: refusal(&error, &Attempt::new(verb, key, identity)),
            }),
            // The text is never shown: it may be a Secret.
            Ok(Ok(text)) => serde_json::from_str(&text).map_err(|_| {
                Failure::from(Refusal::transient(format!("{key}: the answer of the API server is no JSON")))
            }),
        };
        if verb != "get" {
            self.metrics.write(verb, &key.kind, subresource, body.is_dry_run(), result.is_ok());
        }
        result
    }
}
