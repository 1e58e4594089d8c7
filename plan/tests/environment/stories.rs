//! What happens to an App over time, on the simulated cluster.

use jiff::ToSpan as _;
use plan::environment::references::{Kind, Missing};
use serde_json::{Value, json};

use super::sim::{Behaviour, Sim, by_name, image, key};

fn web(word: &str) -> Value {
    json!({"image": image(word), "processes": [{"name": "web", "replicas": 2}]})
}

fn begun(spec: &Value) -> Sim {
    let mut sim = Sim::new();
    sim.user_applies(spec);
    assert!(sim.settle());
    sim
}

fn deployment(sim: &Sim) -> Value {
    sim.objects[&key("apps/v1", "Deployment", "shop-production-web")].clone()
}

fn runs(sim: &Sim) -> Vec<String> {
    let pods = sim.list::<Value>("Pod");
    let running = pods.iter().filter(|pod| pod["status"]["phase"] == "Running");
    running
        .map(|pod| {
            pod["spec"]["containers"][0]["image"].as_str().unwrap().split('@').next().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn a_new_app_takes_few_writes() {
    let mut spec = web("good");
    spec["processes"][0]["replicas"] = 0.into();
    let sim = begun(&spec);
    assert!(sim.ready().starts_with("True Running v1"), "{}", sim.ready());
    // Environment, Release, Deployment, Service, and the statuses of Release (a step and a status), Environment, App.
    assert!(sim.writes <= 9, "{} writes", sim.writes);
}

#[test]
fn a_release_that_does_not_come_up_is_rolled_back_and_held() {
    let mut sim = begun(&web("good-a"));
    sim.user_applies(&web("crash"));
    assert!(sim.settle());
    assert_eq!(sim.phases(), ["v1 Superseded", "v2 Failed", "v3 Live"]);
    assert_eq!(runs(&sim), ["registry.example.com/good-a"; 2]);
    assert!(sim.ready().starts_with("False RolledBack v2 is held: v3"), "{}", sim.ready());
    assert!(sim.ready().contains("exit code 3"), "{}", sim.ready());
    let releases = sim.releases();
    assert_eq!(releases[2].spec.rollback_of, Some(1));
    assert_eq!(releases[2].spec.content, releases[0].spec.content);

    // Asked again by annotation it is tried once more.
    sim.user_annotates("keelway.dev/retry-at", "now");
    assert!(sim.settle());
    assert_eq!(sim.phases()[3..], ["v4 Failed", "v5 Live"]);

    // The commit that mends it is not held.
    sim.user_applies(&web("good-b"));
    assert!(sim.settle());
    assert!(sim.ready().starts_with("True Running v6"), "{}", sim.ready());
    assert_eq!(runs(&sim), ["registry.example.com/good-b"; 2]);
}

#[test]
fn a_rollback_brings_the_very_same_pods_back() {
    let mut sim = begun(&web("good-a"));
    let before = deployment(&sim)["spec"]["template"].clone();
    sim.user_applies(&web("hang"));
    assert!(sim.settle());
    assert_eq!(deployment(&sim)["spec"]["template"], before);
}

#[test]
fn git_going_back_to_what_runs_ends_the_hold() {
    let mut sim = begun(&web("good-a"));
    sim.user_applies(&web("crash"));
    assert!(sim.settle());
    sim.user_applies(&web("good-a"));
    assert!(sim.settle());
    assert!(sim.ready().starts_with("True Running v3"), "{}", sim.ready());
    assert_eq!(sim.releases().len(), 3);
}

#[test]
fn a_failed_release_command_leaves_the_old_release_and_makes_no_rollback() {
    let mut spec = web("good-a");
    spec["release"] = json!({"command": ["./migrate"]});
    let mut sim = begun(&spec);
    spec["image"] = image("badcmd").into();
    sim.user_applies(&spec);
    assert!(sim.settle());
    assert_eq!(sim.phases(), ["v1 Live", "v2 Failed"]);
    assert!(sim.ready().starts_with("False ReleaseCommandFailed"), "{}", sim.ready());
    assert_eq!(runs(&sim), ["registry.example.com/good-a"; 2]);
}

#[test]
fn a_rollback_runs_no_release_command() {
    let mut spec = web("good-a");
    spec["release"] = json!({"command": ["./migrate"]});
    let mut sim = begun(&spec);
    spec["image"] = image("crash").into();
    sim.user_applies(&spec);
    assert!(sim.settle());
    assert_eq!(sim.phases(), ["v1 Superseded", "v2 Failed", "v3 Live"]);
    let jobs: Vec<String> =
        sim.objects.keys().filter(|key| key.kind == "Job").map(|key| key.name.clone()).collect();
    assert_eq!(jobs, ["shop-production-v1-release", "shop-production-v2-release"]);
}

#[test]
fn a_changed_secret_rolls_the_pods_and_says_so() {
    let mut sim = begun(&web("good-a"));
    sim.references.fingerprint = "other".into();
    assert!(sim.settle());
    let releases = sim.releases();
    assert_eq!(releases[1].spec.why, "a Secret or ConfigMap that it reads changed");
    assert!(sim.ready().starts_with("True Running v2"), "{}", sim.ready());
}

#[test]
fn a_missing_secret_changes_nothing_that_runs() {
    let mut sim = begun(&web("good-a"));
    sim.references.missing =
        vec![Missing { kind: Kind::Secret, name: "s".into(), key: None, variable: Some("A".into()) }];
    sim.user_applies(&web("good-b"));
    assert!(sim.settle());
    assert!(
        sim.ready().starts_with("False SecretMissing Secret `s` is missing; create it"),
        "{}",
        sim.ready()
    );
    assert_eq!(runs(&sim), ["registry.example.com/good-a"; 2]);
}

#[test]
fn scaling_in_git_makes_no_release_and_restarts_nothing() {
    let mut sim = begun(&web("good-a"));
    let template = deployment(&sim)["spec"]["template"].clone();
    let mut spec = web("good-a");
    spec["processes"][0]["replicas"] = 3.into();
    sim.user_applies(&spec);
    assert!(sim.settle());
    assert_eq!((sim.releases().len(), runs(&sim).len()), (1, 3));
    assert_eq!(deployment(&sim)["spec"]["template"], template);
}

#[test]
fn a_number_set_by_hand_survives_releases_until_git_changes_it() {
    let mut sim = begun(&web("good-a"));
    sim.scale_by_hand(&key("apps/v1", "Deployment", "shop-production-web"), 4);
    assert!(sim.settle());
    sim.user_applies(&web("good-b"));
    assert!(sim.settle());
    assert_eq!(runs(&sim), ["registry.example.com/good-b"; 4]);
    let status = sim.environment().unwrap().status.unwrap();
    assert!(status.processes[0].scaled_by_hand);

    let mut spec = web("good-b");
    spec["processes"][0]["replicas"] = 1.into();
    sim.user_applies(&spec);
    assert!(sim.settle());
    assert_eq!(runs(&sim).len(), 1);
}

#[test]
fn a_process_that_becomes_a_singleton_waits_until_its_old_pods_are_gone() {
    let mut sim = begun(&json!({"image": image("good-a"), "processes": [{"name": "worker", "replicas": 2}]}));
    sim.user_applies(
        &json!({"image": image("good-a"), "processes": [{"name": "worker", "singleton": true}]}),
    );
    for _ in 0..40 {
        sim.reconcile_app(usize::MAX);
        sim.reconcile_environment(usize::MAX);
        let set = sim.objects.keys().any(|key| key.kind == "StatefulSet");
        let pods = sim.list::<Value>("Pod");
        let old =
            pods.iter().filter(|pod| pod["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet").count();
        assert!(!set || old == 0, "the singleton was made while {old} old pods were there");
        sim.kubernetes();
    }
    assert!(sim.settle());
    assert!(sim.ready().starts_with("True Running v2"), "{}", sim.ready());
    assert_eq!(runs(&sim).len(), 1);
}

#[test]
fn a_singleton_that_waits_for_its_old_pod_is_not_failed_for_it() {
    let singleton =
        |word: &str| json!({"image": image(word), "processes": [{"name": "worker", "singleton": true}]});
    let mut sim = begun(&singleton("good-a"));
    // The old pod's node does not answer: the pod is asked to go and stays, for hours.
    sim.behaviour = |image| if image.contains("good-a") { Behaviour::Lost } else { by_name(image) };
    sim.user_applies(&singleton("good-b"));
    for _ in 0..200 {
        sim.now += 60.seconds();
        sim.reconcile_app(usize::MAX);
        sim.reconcile_environment(usize::MAX);
        sim.kubernetes();
    }
    assert_eq!(sim.phases(), ["v1 Live", "v2 RollingOut"]);
    // The node is back just before the next look, and the new pod starts late: it has its time.
    sim.behaviour = by_name;
    sim.now += 100.seconds();
    assert!(sim.settle());
    assert_eq!(sim.phases(), ["v1 Superseded", "v2 Live"]);
    assert_eq!(runs(&sim), ["registry.example.com/good-b"]);
}

#[test]
fn a_broken_singleton_is_rolled_back() {
    let singleton =
        |word: &str| json!({"image": image(word), "processes": [{"name": "worker", "singleton": true}]});
    let mut sim = begun(&singleton("good-a"));
    sim.user_applies(&singleton("crash"));
    assert!(sim.settle());
    assert_eq!(sim.phases(), ["v1 Superseded", "v2 Failed", "v3 Live"]);
    assert_eq!(runs(&sim), ["registry.example.com/good-a"]);
}

#[test]
fn an_object_of_somebody_else_is_left_alone_and_told_of() {
    let mut sim = Sim::new();
    let theirs = key("apps/v1", "Deployment", "shop-production-web");
    let foreign = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "shop-production-web", "namespace": theirs.namespace}, "spec": {"replicas": 3}});
    sim.insert(theirs.clone(), foreign);
    let decided = |sim: &Sim| {
        (sim.objects[&theirs]["spec"].clone(), sim.objects[&theirs]["metadata"]["labels"].clone())
    };
    let before = decided(&sim);
    sim.user_applies(&web("good-a"));
    assert!(sim.settle());
    assert_eq!(decided(&sim), before);
    assert!(sim.ready().contains("OwnedByAnother"), "{}", sim.ready());

    sim.objects.remove(&theirs);
    assert!(sim.settle());
    assert!(sim.ready().starts_with("True Running v1"), "{}", sim.ready());
}

#[test]
fn the_newest_releases_are_kept_and_the_live_one_always() {
    let mut sim = begun(&web("good-0"));
    for number in 1..=14 {
        sim.user_applies(&web(&format!("good-{number}")));
        assert!(sim.settle());
    }
    let numbers: Vec<i64> = sim.releases().iter().map(|release| release.spec.number).collect();
    assert_eq!(numbers, (6..=15).collect::<Vec<_>>());
}

#[test]
fn what_git_no_longer_names_goes_when_the_new_release_is_live() {
    let mut sim =
        begun(&json!({"image": image("good-a"), "processes": [{"name": "web"}, {"name": "worker"}],
        "jobs": [{"name": "report", "schedule": "@daily", "command": ["x"]}]}));
    sim.user_applies(&json!({"image": image("crash"), "processes": [{"name": "web"}]}));
    assert!(sim.settle());
    let kinds = |sim: &Sim| -> Vec<String> {
        let children =
            sim.objects.keys().filter(|key| ["Deployment", "CronJob"].contains(&key.kind.as_str()));
        children.map(|key| key.name.clone()).collect()
    };
    assert_eq!(kinds(&sim).len(), 3, "a failed release must not take the worker away");
    sim.user_applies(&json!({"image": image("good-b"), "processes": [{"name": "web"}]}));
    assert!(sim.settle());
    assert_eq!(kinds(&sim), ["shop-production-web"]);
}
