//! Turns Apps into Environments. What enters are the App, its Environment and the registry's answer.

use crds::App;
use jiff::Timestamp;
use kube::ResourceExt as _;
use plan::app::{Lookup, World, environment_name, plan, status, wanted_lookup};
use plan::{Applied, ObjectKey, Refusal};
use serde_json::json;

use crate::apply::Identity;
use crate::context::Context;
use crate::controllers::{Controller, Key};

/// The app controller.
pub struct Apps;

impl Apps {
    async fn look_up(context: &Context, app: &App) -> Option<Lookup> {
        let image = wanted_lookup(app, (context.now)())?;
        let namespace = app.namespace().unwrap_or_default();
        Some(
            context.registries.look_up(context, &namespace, image, &app.spec.config.image_pull_secrets).await,
        )
    }
}

impl Controller for Apps {
    const NAME: &'static str = "app";

    async fn reconcile(&self, context: &Context, key: &Key) -> Result<Option<Timestamp>, Refusal> {
        let Some(app) = context.stores.apps.get(&key.namespace, &key.name) else { return Ok(None) };
        let lookup = Self::look_up(context, &app).await;
        let environment = context.stores.environments.get(&key.namespace, &environment_name(&app));
        let world = World {
            app: app.as_ref().clone(),
            environment: environment.map(|found| found.as_ref().clone()),
            lookup,
            now: (context.now)(),
        };
        let (plan, refusal) = plan(&world);
        let applied = match &refusal {
            None => context.writer.run(&Identity::OPERATOR, plan.steps).await,
            Some(_) => Applied::default(),
        };
        let status = status(&world, refusal.as_ref(), &applied);
        if app.status.clone().unwrap_or_default() != status {
            let (object, uid) = (ObjectKey::of(app.as_ref()), app.uid().unwrap_or_default());
            let seen = app.status.as_ref().map(|status| json!(status));
            context.writer.status(&object, &uid, seen.as_ref(), &json!(status)).await?;
        }
        match applied.refusal().or(refusal.as_ref().filter(|_| plan.wake.is_none())) {
            Some(refusal) => Err(refusal.clone()),
            None => Ok(plan.wake),
        }
    }
}
