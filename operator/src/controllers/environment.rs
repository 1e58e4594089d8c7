//! Makes Environments run. What enters are its children as watched; what leaves are writes and a status.

use std::sync::Arc;

use crds::Environment;
use jiff::Timestamp;
use kube::ResourceExt as _;
use plan::environment::hosts::taken;
use plan::environment::{World, plan, wanted_logs};
use plan::{ObjectKey, Refusal};
use serde_json::json;

use crate::apply::Identity;
use crate::context::Context;
use crate::controllers::{Controller, Key, owned};
use crate::sources::{Logs, Reader};

/// The environment controller.
#[derive(Default)]
pub struct Environments {
    references: Reader,
    logs: Logs,
}

impl Controller for Environments {
    const NAME: &'static str = "environment";

    async fn reconcile(&self, context: &Context, key: &Key) -> Result<Option<Timestamp>, Refusal> {
        let Some(environment) = context.stores.environments.get(&key.namespace, &key.name) else {
            return Ok(None);
        };
        let mut world = self.gather(context, &environment, key).await?;
        self.quote(context, &mut world).await;
        let planned = plan(&world);
        let applied = context.writer.run(&Identity::OPERATOR, planned.plan.steps.clone()).await;
        let status = planned.status(&world, &applied);
        let object = ObjectKey::of(environment.as_ref());
        let uid = environment.uid().unwrap_or_default();
        if environment.status.clone().unwrap_or_default() != status {
            let seen = environment.status.as_ref().map(|status| json!(status));
            context.writer.status(&object, &uid, seen.as_ref(), &json!(status)).await?;
        }
        if let Some(refusal) = applied.refusal() {
            return Err(refusal.clone());
        }
        for event in &planned.plan.events {
            context.writer.event(&object, &uid, event).await;
        }
        Ok(planned.plan.wake)
    }
}

impl Environments {
    async fn gather(
        &self,
        context: &Context,
        environment: &Arc<Environment>,
        Key { namespace, name }: &Key,
    ) -> Result<World, Refusal> {
        let stores = &context.stores;
        let others = stores.environments.all();
        Ok(World {
            environment: environment.as_ref().clone(),
            releases: owned(stores.releases.indexed(namespace, name)),
            deployments: owned(stores.deployments.indexed(namespace, name)),
            stateful_sets: owned(stores.stateful_sets.indexed(namespace, name)),
            services: owned(stores.services.indexed(namespace, name)),
            disruption_budgets: owned(stores.budgets.indexed(namespace, name)),
            cron_jobs: owned(stores.cron_jobs.indexed(namespace, name)),
            jobs: owned(stores.jobs.indexed(namespace, name)),
            pods: owned(stores.pods.indexed(namespace, name)),
            references: self.references.read(context, environment).await?,
            logs: std::collections::BTreeMap::new(),
            nodes: stores.node_readiness(),
            sizes: context.sizes.as_ref().clone(),
            taken_hosts: taken(environment, others.iter().map(AsRef::as_ref), context.public.as_ref()),
            public: context.public.clone(),
            now: (context.now)(),
        })
    }

    /// Fetches the ends of the logs that the decision may quote.
    async fn quote(&self, context: &Context, world: &mut World) {
        for key in wanted_logs(world) {
            let Some(pod) = world.pods.iter().find(|pod| pod.name_any() == key.pod) else { continue };
            let mut configs = vec![&world.environment.spec.config];
            configs.extend(world.releases.iter().map(|release| &release.spec.config));
            if let Some(end) = self.logs.end(context, pod, &key, &configs).await {
                world.logs.insert(key.to_string(), end);
            }
        }
    }
}
