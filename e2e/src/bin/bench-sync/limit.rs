//! The limit: a bare loop that server-side-applies the same objects and statuses with the same concurrency.

use std::time::{Duration, Instant};

use crds::{App, Environment, Release};
use e2e::{Space, eventually, kubectl::kubectl};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::Resource;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::fleet::Fleet;

/// As many writes at once as the operator sends.
const CONCURRENCY: usize = 16;

/// The objects that a fleet ended with, to be applied again elsewhere.
pub(crate) struct Limit {
    objects: Vec<(ApiResource, Value)>,
    deployments: usize,
}

impl Limit {
    /// Reads what the operator made of a fleet.
    pub(crate) async fn of(fleet: &Fleet) -> anyhow::Result<Self> {
        let mut objects = Vec::new();
        collect::<App>(&fleet.space, &mut objects).await?;
        collect::<Environment>(&fleet.space, &mut objects).await?;
        collect::<Release>(&fleet.space, &mut objects).await?;
        collect::<Service>(&fleet.space, &mut objects).await?;
        collect::<Deployment>(&fleet.space, &mut objects).await?;
        anyhow::ensure!(objects.len() >= 4 * fleet.apps, "only {} objects were found", objects.len());
        Ok(Self { objects, deployments: fleet.apps })
    }

    /// Applies them into a namespace of its own, with the operator stopped, until every Deployment is observed; seconds.
    pub(crate) async fn run(&self) -> anyhow::Result<f64> {
        scale_operator(0).await?;
        let space = crate::space().await?;
        let begun = Instant::now();
        stream::iter(&self.objects)
            .map(|(resource, object)| apply(&space, resource, object))
            .buffer_unordered(CONCURRENCY)
            .try_collect::<Vec<()>>()
            .await?;
        let api = space.api::<Deployment>();
        eventually("every Deployment is observed", Duration::from_secs(300), || async {
            let all = api.list(&ListParams::default()).await?;
            let seen = |d: &&Deployment| {
                d.status.as_ref().is_some_and(|status| status.observed_generation.is_some())
            };
            let count = all.items.iter().filter(seen).count();
            anyhow::ensure!(count == self.deployments, "{count} of {}", self.deployments);
            Ok(Some(()))
        })
        .await?;
        let took = crate::since(begun);
        // The operator must not find the copies: their end would be counted as its work.
        space.gone().await?;
        scale_operator(1).await?;
        Ok(took)
    }
}

async fn collect<K>(space: &Space, into: &mut Vec<(ApiResource, Value)>) -> anyhow::Result<()>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Serialize
        + std::fmt::Debug,
{
    let resource = ApiResource::erase::<K>(&());
    for object in space.api::<K>().list(&ListParams::default()).await? {
        let mut value = serde_json::to_value(&object)?;
        value["apiVersion"] = K::api_version(&()).into();
        value["kind"] = K::kind(&()).into();
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.retain(|key, _| ["name", "labels", "annotations"].contains(&key.as_str()));
        }
        if let Some(spec) = value["spec"].as_object_mut() {
            spec.retain(|key, _| !["clusterIP", "clusterIPs"].contains(&key.as_str()));
        }
        into.push((resource.clone(), value));
    }
    Ok(())
}

/// One object, and its status where a controller of ours writes it.
async fn apply(space: &Space, resource: &ApiResource, object: &Value) -> anyhow::Result<()> {
    let api: Api<DynamicObject> = Api::namespaced_with(space.client.clone(), &space.name, resource);
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let parameters = PatchParams::apply("bench").force();
    let mut whole = object.clone();
    let status = whole.as_object_mut().and_then(|map| map.remove("status"));
    api.patch(name, &parameters, &Patch::Apply(&whole)).await?;
    if let Some(status) = status.filter(|_| resource.group == crds::GROUP) {
        let answer =
            serde_json::json!({"apiVersion": resource.api_version, "kind": resource.kind, "status": status});
        api.patch_status(name, &parameters, &Patch::Apply(&answer)).await?;
    }
    Ok(())
}

async fn scale_operator(replicas: u32) -> anyhow::Result<()> {
    let number = format!("--replicas={replicas}");
    let operator = ["deployment/keelway", "-n", "keelway-system"];
    kubectl(&["scale", operator[0], operator[1], operator[2], &number]).await?;
    kubectl(&["rollout", "status", operator[0], operator[1], operator[2], "--timeout=120s"]).await?;
    if replicas == 0 {
        let pods =
            ["wait", "--for=delete", "pod", "-l", "app.kubernetes.io/component=operator", "--timeout=120s"];
        kubectl(&[&pods[..], &operator[1..]].concat()).await?;
    }
    Ok(())
}
