//! The rights of the operator and of people, as one table.
//!
//! A test of the real cluster compares the operator's table with the requests in the audit log: no surplus.

use k8s_openapi::api::rbac::v1::PolicyRule;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// The files of the chart that hold rules, and the rules.
pub fn files(all: &[CustomResourceDefinition]) -> Vec<(&'static str, Vec<PolicyRule>)> {
    vec![
        ("rules-operator.yaml", operator()),
        ("rules-operator-own-namespace.yaml", own_namespace()),
        ("rules-router.yaml", router()),
        ("rules-view.yaml", vec![people(all, &["get", "list", "watch"], true)]),
        (
            "rules-edit.yaml",
            vec![people(all, &["create", "update", "patch", "delete", "deletecollection"], false)],
        ),
    ]
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let own = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    PolicyRule {
        api_groups: own(&[group]),
        resources: own(resources),
        verbs: texts(verbs),
        ..PolicyRule::default()
    }
}

fn texts(verbs: &[&str]) -> Vec<String> {
    verbs.iter().map(|verb| (*verb).to_owned()).collect()
}

/// What the operator itself may do in every namespace. What a ConfigRepo applies is applied as its service account.
fn operator() -> Vec<PolicyRule> {
    const WATCH: [&str; 3] = ["get", "list", "watch"];
    const OWN: [&str; 5] = ["list", "watch", "create", "patch", "delete"];
    vec![
        rule(crds::GROUP, &["configrepos"], &["list", "watch", "patch"]),
        rule(crds::GROUP, &["apps"], &["list", "watch"]),
        // They go with their App.
        rule(crds::GROUP, &["environments"], &["list", "watch", "create", "patch"]),
        rule(crds::GROUP, &["releases"], &["list", "watch", "create", "delete"]),
        rule(crds::GROUP, &["runs"], &["list", "watch", "delete"]),
        rule(
            crds::GROUP,
            &["configrepos/status", "apps/status", "environments/status", "releases/status", "runs/status"],
            &["patch"],
        ),
        rule("apps", &["deployments", "statefulsets"], &OWN),
        // A Job never changes, and goes with its Release, Run or CronJob.
        rule("batch", &["jobs"], &["list", "watch", "create"]),
        rule("batch", &["cronjobs"], &OWN),
        rule("policy", &["poddisruptionbudgets"], &OWN),
        rule("", &["services"], &OWN),
        rule("", &["pods"], &["list", "watch", "patch"]),
        rule("", &["pods/log"], &["get"]),
        // Whether the account that a ConfigRepo names is there, before it is acted as.
        rule("", &["serviceaccounts"], &["get"]),
        rule("", &["secrets", "configmaps"], &WATCH),
        rule("", &["nodes"], &["list", "watch"]),
        rule("events.k8s.io", &["events"], &["create", "patch"]),
    ]
}

/// What the operator may do in its own namespace: hold the lease, and make the key of the digests of Secrets once.
fn own_namespace() -> Vec<PolicyRule> {
    vec![
        rule("coordination.k8s.io", &["leases"], &["get", "create", "update"]),
        rule("", &["secrets"], &["create"]),
    ]
}

/// What the router may do: read where hosts lead, and which pods answer.
fn router() -> Vec<PolicyRule> {
    vec![
        rule(crds::GROUP, &["environments"], &["list", "watch"]),
        rule("discovery.k8s.io", &["endpointslices"], &["list", "watch"]),
        // Endpoints that are kept though nobody says any more that they are ready are told of.
        rule("events.k8s.io", &["events"], &["create", "patch"]),
    ]
}

/// What people get through the aggregated roles `view`, `edit` and `admin`.
fn people(all: &[CustomResourceDefinition], verbs: &[&str], everything: bool) -> PolicyRule {
    // Environments and Releases are written by the operator; people read them.
    let written_by_people = |kind: &str| !["Environment", "Release"].contains(&kind);
    let resources: Vec<_> = all
        .iter()
        .filter(|definition| everything || written_by_people(&definition.spec.names.kind))
        .map(|definition| definition.spec.names.plural.as_str())
        .collect();
    rule(crds::GROUP, &resources, verbs)
}
