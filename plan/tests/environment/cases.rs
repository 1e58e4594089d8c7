//! Worlds in YAML, and snapshots of what is planned for them. A case gives only what differs from a plain one.

use std::path::Path;

use plan::{Applied, app, environment, run};
use serde_json::{Value, json};

const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn plain_environment() -> Value {
    let image = format!("registry.example.com/acme/shop@{DIGEST}");
    json!({
        "apiVersion": "keelway.dev/v1alpha1", "kind": "Environment",
        "metadata": {"name": "shop-production", "namespace": "team", "uid": "env-uid", "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"app": "shop", "stage": "production", "image": {"requested": image, "resolved": image},
            "config": {"processes": [{"name": "web"}]}},
    })
}

fn plain_app() -> Value {
    json!({
        "apiVersion": "keelway.dev/v1alpha1", "kind": "App",
        "metadata": {"name": "shop", "namespace": "team", "uid": "app-uid", "generation": 1},
        "spec": {"image": "registry.example.com/acme/shop:1.4"},
    })
}

fn plain_release() -> Value {
    let environment = plain_environment();
    json!({
        "apiVersion": "keelway.dev/v1alpha1", "kind": "Release",
        "metadata": {"name": "shop-production-v1", "namespace": "team", "uid": "release-uid", "resourceVersion": "9",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [{"apiVersion": "keelway.dev/v1alpha1", "kind": "Environment", "name": "shop-production",
                "uid": "env-uid", "controller": true}]},
        "spec": {"environment": "shop-production", "number": 1, "summary": "v1 (aaaaaaa)", "content": "c1",
            "references": "", "why": "the first release", "image": environment["spec"]["image"],
            "config": environment["spec"]["config"]},
    })
}

fn plain_run() -> Value {
    json!({
        "apiVersion": "keelway.dev/v1alpha1", "kind": "Run",
        "metadata": {"name": "console", "namespace": "team", "uid": "run-uid", "resourceVersion": "5", "generation": 1},
        "spec": {"environmentRef": {"name": "shop-production"}, "command": ["./console"]},
    })
}

/// The case over the plain one: maps are merged, everything else is replaced.
fn over(plain: Value, case: &Value) -> Value {
    match (plain, case) {
        (Value::Object(mut plain), Value::Object(case)) => {
            for (name, value) in case {
                let below = plain.remove(name).unwrap_or(Value::Null);
                plain.insert(name.clone(), over(below, value));
            }
            Value::Object(plain)
        }
        (plain, Value::Null) => plain,
        (_, case) => case.clone(),
    }
}

fn world(case: &Value, plain: Value, kind: &str) -> Value {
    let mut world = case["world"].clone();
    world["now"] = case["now"].as_str().unwrap_or("2026-01-01T00:00:05Z").into();
    world[kind] = over(plain, &world[kind]);
    if let Some(releases) = world.get_mut("releases").and_then(Value::as_array_mut) {
        releases.iter_mut().for_each(|release| *release = over(plain_release(), release));
    }
    if kind == "run" && !world["environment"].is_null() {
        world["environment"] = over(plain_environment(), &world["environment"]);
    }
    if kind == "run" && !world["release"].is_null() {
        world["release"] = over(plain_release(), &world["release"]);
    }
    world
}

/// A release whose content is `asked` is one of just what the Environment asks for.
fn as_asked(world: &mut environment::World) {
    let content = environment::content_asked(world).unwrap_or_default();
    let config = world.sizes.resolve(&world.environment.spec.config);
    for release in world.releases.iter_mut().filter(|release| release.spec.content == "asked") {
        release.spec.content.clone_from(&content);
        release.spec.config = config.clone().unwrap();
    }
}

fn outcome(case: &Value) -> Value {
    let nothing = Applied::default();
    match case["kind"].as_str() {
        Some("app") => {
            let world: app::World = serde_json::from_value(world(case, plain_app(), "app")).unwrap();
            let (plan, refusal) = app::plan(&world);
            let status = app::status(&world, refusal.as_ref(), &nothing);
            json!({"plan": plan, "refusal": refusal, "status": status})
        }
        Some("run") => {
            let world: run::World = serde_json::from_value(world(case, plain_run(), "run")).unwrap();
            let (plan, refusal) = run::plan(&world);
            let status = run::status(&world, refusal.as_ref(), &nothing);
            json!({"plan": plan, "refusal": refusal, "status": status})
        }
        _ => {
            let mut world: environment::World =
                serde_json::from_value(world(case, plain_environment(), "environment")).unwrap();
            as_asked(&mut world);
            let planned = environment::plan(&world);
            json!({"plan": planned.plan, "status": planned.status(&world, &nothing)})
        }
    }
}

#[test]
fn what_is_planned_for_each_world_is_as_it_was_reviewed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/environment/cases");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    assert!(files.len() >= 25, "only {} cases", files.len());
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let case: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        insta::with_settings!({ description => case["says"].as_str().unwrap_or_default(), omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_yaml_snapshot!(name, outcome(&case));
        });
    }
}
