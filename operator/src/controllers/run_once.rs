//! Starts one-off runs and keeps their outcome.

use jiff::Timestamp;
use kube::ResourceExt as _;
use plan::environment::names::{RUN, run_job};
use plan::run::{World, plan, status, wanted_log};
use plan::{Applied, ObjectKey, Refusal};
use serde_json::json;

use crate::apply::Identity;
use crate::context::Context;
use crate::controllers::{Controller, Key};
use crate::sources::Logs;

/// The run controller.
#[derive(Default)]
pub struct Runs {
    logs: Logs,
}

impl Controller for Runs {
    const NAME: &'static str = "run";

    async fn reconcile(&self, context: &Context, key: &Key) -> Result<Option<Timestamp>, Refusal> {
        let Some(run) = context.stores.runs.get(&key.namespace, &key.name) else { return Ok(None) };
        let mut world = gather(context, &run, key);
        self.quote(context, &mut world).await;
        let (plan, refusal) = plan(&world);
        let applied = match &refusal {
            None => context.writer.run(&Identity::OPERATOR, plan.steps).await,
            Some(_) => Applied::default(),
        };
        let status = status(&world, refusal.as_ref(), &applied);
        if run.status.clone().unwrap_or_default() != status {
            let (object, uid) = (ObjectKey::of(run.as_ref()), run.uid().unwrap_or_default());
            let seen = run.status.as_ref().map(|status| json!(status));
            context.writer.status(&object, &uid, seen.as_ref(), &json!(status)).await?;
        }
        match applied.refusal().or(refusal.as_ref()) {
            Some(refusal) => Err(refusal.clone()),
            None => Ok(plan.wake.or_else(|| status_wake(&world, &status))),
        }
    }
}

/// A Run that just ended is looked at again when its time is over.
fn status_wake(world: &World, status: &crds::RunStatus) -> Option<Timestamp> {
    let ttl = jiff::SignedDuration::try_from(world.run.spec.ttl.get()).ok()?;
    status.finished.as_ref()?.0.checked_add(ttl).ok()
}

fn gather(context: &Context, run: &crds::Run, Key { namespace, name }: &Key) -> World {
    let stores = &context.stores;
    let of = run.spec.environment_ref.name.as_str();
    let environment = stores.environments.get(namespace, of);
    let live = environment.as_ref().and_then(|found| found.status.as_ref()?.live_release);
    let release =
        stores.releases.indexed(namespace, of).into_iter().find(|release| Some(release.spec.number) == live);
    let job = run_job(name);
    let pods = stores.pods.indexed(namespace, of);
    let pods = pods.iter().filter(|pod| pod.labels().get(RUN) == Some(&job));
    World {
        run: run.clone(),
        environment: environment.map(|found| found.as_ref().clone()),
        release: release.map(|found| found.as_ref().clone()),
        job: stores.jobs.get(namespace, &job).map(|found| found.as_ref().clone()),
        pods: pods.map(|pod| pod.as_ref().clone()).collect(),
        log: None,
        sizes: context.sizes.as_ref().clone(),
        now: (context.now)(),
    }
}

impl Runs {
    async fn quote(&self, context: &Context, world: &mut World) {
        let Some(key) = wanted_log(world) else { return };
        let Some(pod) = world.pods.iter().find(|pod| pod.name_any() == key.pod) else { return };
        let configs: Vec<_> = world.release.iter().map(|release| &release.spec.config).collect();
        world.log = self.logs.end(context, pod, &key, &configs).await;
    }
}
