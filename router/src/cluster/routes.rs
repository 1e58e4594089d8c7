//! From what is known of the cluster to routes.

use std::collections::HashMap;

use super::damping::Calm;
use super::known::{Facts, Key, Known};
use crate::route::{Backend, Route, State};
use crate::settings;

/// The stage that search engines may index.
const PRODUCTION: &str = "production";

/// The routes of every Environment that has a host, to these endpoints.
pub fn all(known: &Known, services: &HashMap<Key, Calm>) -> Vec<Route> {
    let of = |(key, facts): (&Key, &Facts)| {
        let pods = services.get(&service(key)).cloned().unwrap_or_default();
        route(key, facts, pods)
    };
    known.environments().filter_map(of).collect()
}

/// The Service of an Environment's process `web`.
pub fn service((namespace, name): &Key) -> Key {
    (namespace.clone(), format!("{name}-web"))
}

/// The route of one Environment; none where it has no host.
fn route((namespace, name): &Key, facts: &Facts, pods: Calm) -> Option<Route> {
    if facts.hosts.is_empty() {
        return None;
    }
    let state = match (facts.is_live, pods.endpoints.is_empty(), &facts.cause) {
        (false, true, _) => State::Empty,
        (true, true, Some(_)) => State::Crashed,
        _ => State::Serving,
    };
    let mut route = Route {
        name: format!("{namespace}/{name}"),
        hosts: facts.hosts.clone(),
        backends: vec![Backend { weight: 1, endpoints: pods.endpoints, held: pods.held }],
        state,
        cause: facts.cause.clone(),
        noindex: facts.stage != PRODUCTION,
        since: facts.since,
        ..Route::default()
    };
    settings::apply(&facts.routing, &mut route);
    Some(route)
}

#[cfg(test)]
mod tests {
    use crds::Environment;
    use kube::core::DeserializeGuard;
    use kube::runtime::watcher::Event;
    use serde_json::{Value, json};

    use super::super::Change;
    use super::super::damping::Damping;
    use super::*;

    fn environment(name: &str, status: Value) -> Environment {
        serde_json::from_value(json!({
            "apiVersion": "keelway.dev/v1alpha1", "kind": "Environment",
            "metadata": {"namespace": "shop", "name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"app": "shop", "stage": "production", "image": {"requested": "a:1", "resolved": "a:1"},
                "config": {"processes": [{"name": "web"}]}},
            "status": status,
        }))
        .unwrap()
    }

    fn slice(name: &str, endpoints: &Value) -> k8s_openapi::api::discovery::v1::EndpointSlice {
        serde_json::from_value(json!({
            "metadata": {"namespace": "shop", "name": name,
                "labels": {"kubernetes.io/service-name": "shop-production-web"}},
            "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": endpoints,
        }))
        .unwrap()
    }

    fn known(
        domain: Option<&str>,
        environments: Vec<Environment>,
        slices: Vec<k8s_openapi::api::discovery::v1::EndpointSlice>,
    ) -> Known {
        let mut known = Known::new(domain.map(str::to_owned));
        known.take(Change::Environment(Event::Init));
        for e in environments {
            known.take(Change::Environment(Event::InitApply(DeserializeGuard(Ok(e)))));
        }
        assert!(known.take(Change::Environment(Event::InitDone)) && !known.is_whole());
        known.take(Change::Slice(Event::Init));
        for s in slices {
            known.take(Change::Slice(Event::InitApply(s)));
        }
        assert!(known.take(Change::Slice(Event::InitDone)) && known.is_whole());
        known
    }

    fn all(known: &Known) -> Vec<Route> {
        let look = Damping::default().look(known.services(), std::time::Instant::now());
        super::all(known, &look.services)
    }

    fn addresses(route: &Route) -> Vec<String> {
        route.backends[0].endpoints.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ready_pods_answer_and_those_that_leave_only_where_none_is_ready() {
        let ready = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": true}});
        let leaves = json!({"addresses": ["10.0.0.2"],
            "conditions": {"ready": false, "serving": true, "terminating": true}});
        let gone = json!({"addresses": ["10.0.0.3"],
            "conditions": {"ready": false, "serving": false, "terminating": true}});
        let live = || environment("shop-production", json!({"liveRelease": 3}));
        let slices = vec![slice("a", &json!([leaves, gone])), slice("b", &json!([ready]))];
        let routes = all(&known(Some("apps.example.com"), vec![live()], slices));
        assert_eq!(routes[0].hosts, ["shop.apps.example.com"]);
        assert_eq!((addresses(&routes[0]), routes[0].state), (vec!["10.0.0.1:8080".into()], State::Serving));
        let last = known(Some("d"), vec![live()], vec![slice("a", &json!([leaves, gone]))]);
        assert_eq!(addresses(&all(&last)[0]), ["10.0.0.2:8080"]);
        assert!(
            all(&known(None, vec![live()], vec![])).is_empty(),
            "no domain and no name of its own: no host"
        );
    }

    #[test]
    fn without_pods_the_state_and_its_cause_are_told() {
        let failing = json!([{"type": "Ready", "status": "False", "reason": "RollingOut", "observedGeneration": 1,
            "message": "v3: web: ImagePullBackOff", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
        let new = environment("shop-production", json!({"conditions": failing}));
        let routes = all(&known(Some("d"), vec![new], vec![]));
        assert_eq!(routes[0].state, State::Empty);
        assert_eq!(routes[0].cause.as_deref(), Some("v3: web: ImagePullBackOff"));
        let crashed = environment("shop-production", json!({"conditions": failing, "liveRelease": 2}));
        assert_eq!(all(&known(Some("d"), vec![crashed], vec![]))[0].state, State::Crashed);
    }

    #[test]
    fn only_what_changes_routes_is_news() {
        let e = environment("shop-production", json!({"liveRelease": 3}));
        let mut known = known(Some("d"), vec![e.clone()], vec![]);
        assert!(!known.take(Change::Environment(Event::Apply(DeserializeGuard(Ok(e.clone()))))));
        let mut counted = e.clone();
        counted.metadata.resource_version = Some("9".into());
        assert!(!known.take(Change::Environment(Event::Apply(DeserializeGuard(Ok(counted))))));
        assert!(known.take(Change::Environment(Event::Delete(DeserializeGuard(Ok(e))))));
        assert!(all(&known).is_empty());
    }
}
