//! One change at a time: a push of one App, and what somebody changes in the cluster.

use std::time::{Duration, Instant};

use e2e::eventually;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::fleet::{Fleet, MAPS, app};
use crate::{PATIENCE, since};

/// Pushes one changed App after another; seconds from each push to the changed Deployment.
pub(crate) async fn pushes(fleet: &Fleet, count: usize) -> anyhow::Result<Vec<f64>> {
    let api = fleet.space.api::<Deployment>();
    let mut took = Vec::with_capacity(count);
    for number in 0..count {
        let name = format!("app-{}", number % fleet.apps);
        let text = format!("push-{number}");
        fleet.repo.write(&format!("apps/{name}.yaml"), Some(&app(&name, &text)))?;
        fleet.repo.push(&text).await?;
        let begun = Instant::now();
        let deployment = format!("{name}-production-web");
        eventually("the Deployment has the new text", PATIENCE, || async {
            let found = serde_json::to_string(&api.get(&deployment).await?)?;
            Ok(found.contains(&text).then_some(()))
        })
        .await?;
        took.push(since(begun));
    }
    Ok(took)
}

/// Changes something by hand, of four sorts in turn; seconds until it is back.
pub(crate) async fn drift(fleet: &Fleet, count: usize) -> anyhow::Result<Vec<f64>> {
    let mut took = Vec::with_capacity(count);
    for number in 0..count {
        let app = format!("app-{}-production-web", number % fleet.apps);
        took.push(match number % 4 {
            0 => {
                let patch = json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 5}}}});
                changed::<Deployment>(fleet, &app, patch, "/spec/template/spec/terminationGracePeriodSeconds")
                    .await?
            }
            1 => {
                let map = format!("map-{}", number / 4 % MAPS);
                changed::<ConfigMap>(fleet, &map, json!({"data": {"key": "drifted"}}), "/data/key").await?
            }
            2 => {
                let patch = json!({"metadata": {"labels": {"app.kubernetes.io/part-of": "drifted"}}});
                changed::<Deployment>(fleet, &app, patch, "/metadata/labels/app.kubernetes.io~1part-of")
                    .await?
            }
            _ => deleted(fleet, &app).await?,
        });
    }
    Ok(took)
}

async fn changed<K>(fleet: &Fleet, name: &str, patch: Value, field: &str) -> anyhow::Result<f64>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + serde::de::DeserializeOwned + serde::Serialize + std::fmt::Debug,
{
    let api = fleet.space.api::<K>();
    let read = |object: &K| serde_json::to_value(object).ok().and_then(|value| value.pointer(field).cloned());
    let before = read(&api.get(name).await?);
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    let begun = Instant::now();
    eventually("the field is back", PATIENCE, || async {
        Ok((read(&api.get(name).await?) == before).then_some(()))
    })
    .await?;
    Ok(since(begun))
}

async fn deleted(fleet: &Fleet, name: &str) -> anyhow::Result<f64> {
    let api = fleet.space.api::<Deployment>();
    let uid = api.get(name).await?.metadata.uid;
    api.delete(name, &DeleteParams::background()).await?;
    let begun = Instant::now();
    eventually("the Deployment is back", Duration::from_secs(60), || async {
        let found = api.get_opt(name).await?;
        Ok(found.filter(|found| found.metadata.uid != uid).map(|_| ()))
    })
    .await?;
    Ok(since(begun))
}
