//! Defaults of the API server are not in the pure model. So the objects that are planned for all cases are applied to a real
//! one, twice: nothing may change the second time, and what is there must count as what was wanted.

use std::path::Path;

use e2e::Space;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use plan::{Manifest, matching};
use serde_json::Value;

/// The kinds that Kubernetes itself has; Keelway's own are applied with owners that do not exist here.
const KINDS: [&str; 6] = ["Deployment", "StatefulSet", "Service", "PodDisruptionBudget", "CronJob", "Job"];

/// Every object that a snapshot applies or creates, with the case's name.
fn planned() -> anyhow::Result<Vec<(String, Value)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plan/tests/environment/snapshots");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        // A snapshot is two documents: how it was made, and what it is.
        let body = text.splitn(3, "---\n").nth(2).unwrap_or_default();
        let snapshot: Value = serde_saphyr::from_str(body)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for step in snapshot.pointer("/plan/steps").and_then(Value::as_array).into_iter().flatten() {
            let object = step.get("apply").or_else(|| step.get("make")).or_else(|| step.get("create"));
            let kind = object.and_then(|object| object["kind"].as_str()).unwrap_or_default();
            if let (Some(object), true) = (object, KINDS.contains(&kind)) {
                found.push((name.clone(), object.clone()));
            }
        }
    }
    Ok(found)
}

/// As it is applied here: in this namespace, without owners, which would have it collected, and without pods.
fn placed(mut object: Value, space: &Space, at: usize) -> Value {
    let name = format!("{}-{at}", object["metadata"]["name"].as_str().unwrap_or_default());
    object["metadata"]["name"] = name[name.len().saturating_sub(52)..].trim_start_matches('-').into();
    object["metadata"]["namespace"] = space.name.as_str().into();
    object["metadata"].as_object_mut().map(|meta| meta.remove("ownerReferences"));
    match object["kind"].as_str() {
        Some("Deployment" | "StatefulSet") => object["spec"]["replicas"] = 0.into(),
        Some("Job" | "CronJob") => object["spec"]["suspend"] = true.into(),
        _ => {}
    }
    object
}

#[tokio::test]
async fn what_is_planned_is_stable_on_a_real_api_server() -> anyhow::Result<()> {
    let space = Space::new("honesty").await?;
    let planned = planned()?;
    assert!(planned.len() >= 35, "only {} objects", planned.len());
    let params = PatchParams::apply("keelway").force();
    for (at, (case, object)) in planned.into_iter().enumerate() {
        let object = placed(object, &space, at);
        let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
        let (group, version) = text("apiVersion").split_once('/').map_or_else(
            || (String::new(), text("apiVersion")),
            |(group, version)| (group.to_owned(), version.to_owned()),
        );
        let resource = ApiResource::from_gvk(&GroupVersionKind { group, version, kind: text("kind") });
        let api: Api<DynamicObject> = Api::namespaced_with(space.client.clone(), &space.name, &resource);
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let first = api.patch(&name, &params, &Patch::Apply(&object)).await;
        let first = first.map_err(|error| anyhow::anyhow!("{case}: {name}: {error}"))?;
        let second = api.patch(&name, &params, &Patch::Apply(&object)).await?;
        let spec = |object: &DynamicObject| object.data.get("spec").cloned();
        assert_eq!(spec(&first), spec(&second), "{case}: {name}");
        // Its controller may write the status in between; what is not controlled must not move at all.
        if !["Deployment", "StatefulSet", "PodDisruptionBudget", "Job"].contains(&resource.kind.as_str()) {
            assert_eq!(first.resource_version(), second.resource_version(), "{case}: {name}");
        }
        assert_eq!(first.metadata.generation, second.metadata.generation, "{case}: {name}");
        let wanted = Manifest::new(object).ok_or_else(|| anyhow::anyhow!("{case}: no manifest"))?;
        let live = serde_json::to_value(&second)?;
        assert!(
            matching::holds(&live, &wanted),
            "{case}: {name} does not count as what was wanted: {live:#}"
        );
    }
    space.done().await
}
