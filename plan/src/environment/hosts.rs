//! Hosts that several Environments ask for: the router gives each to the oldest, and the others are told.

use std::collections::BTreeMap;

use crds::domain::PublicUrl;
use crds::{ConditionStatus, ConditionType, Environment, Reason};
use kube::ResourceExt as _;

use super::world::World;
use crate::condition::Conditions;

/// Of an Environment's hosts those that an older one has, with that one's namespace and name. The order is the router's:
/// by age in seconds, then by namespace and name.
pub fn taken<'a>(
    environment: &Environment,
    others: impl Iterator<Item = &'a Environment>,
    public: Option<&PublicUrl>,
) -> BTreeMap<String, String> {
    let domain = public.map(PublicUrl::domain);
    let hosts = environment.spec.hosts(domain);
    let mut taken: BTreeMap<String, (i64, String)> = BTreeMap::new();
    let own = age(environment);
    for other in others {
        for host in hosts.iter().filter(|host| other.spec.answers_at(host, domain)) {
            let winner = age(other);
            if winner < own && taken.get(host).is_none_or(|best| winner < *best) {
                taken.insert(host.clone(), winner);
            }
        }
    }
    taken.into_iter().map(|(host, (_, winner))| (host, winner)).collect()
}

fn age(environment: &Environment) -> (i64, String) {
    let since = environment.creation_timestamp().map_or(0, |time| time.0.as_second());
    (since, format!("{}/{}", environment.namespace().unwrap_or_default(), environment.name_any()))
}

/// Says which hosts lead elsewhere, and how to have them. What is in another namespace is not named.
pub(super) fn tell(world: &World, conditions: &mut Conditions) {
    if world.taken_hosts.is_empty() {
        conditions.clear(ConditionType::HostTaken);
        return;
    }
    let namespace = world.environment.namespace().unwrap_or_default();
    let told = world.taken_hosts.iter().map(|(host, winner)| match winner.split_once('/') {
        Some((its, name)) if its == namespace => format!("{host} leads to the older Environment {name}"),
        _ => format!("{host} leads to an older Environment of another namespace"),
    });
    let words = format!(
        "{}; name another host in the App's domains, or take it from the other one",
        told.collect::<Vec<_>>().join(", ")
    );
    conditions.set(ConditionType::HostTaken, ConditionStatus::True, Reason::HostTaken, words);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn environment(namespace: &str, name: &str, made: &str, domains: &[&str]) -> Environment {
        let domains: Vec<_> = domains.iter().map(|name| json!({ "name": name })).collect();
        serde_json::from_value(json!({
            "apiVersion": "keelway.dev/v1alpha1", "kind": "Environment",
            "metadata": {"namespace": namespace, "name": name, "creationTimestamp": made},
            "spec": {"app": name, "stage": "production", "image": {"requested": "a:1", "resolved": "a:1"},
                "config": {"processes": [{"name": "web"}]}, "domains": domains},
        }))
        .unwrap()
    }

    #[test]
    fn the_oldest_has_a_host_and_names_decide_between_twins() {
        let (old, new) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        let all = [
            environment("b", "shop", new, &["shop.example.com", "b.example.com"]),
            environment("a", "site", old, &["shop.example.com"]),
            environment("a", "twin", old, &["shop.example.com"]),
        ];
        let of = |i: usize| taken(&all[i], all.iter(), None);
        assert_eq!(of(0), BTreeMap::from([("shop.example.com".to_owned(), "a/site".to_owned())]));
        assert!(of(1).is_empty());
        assert_eq!(of(2)["shop.example.com"], "a/site");
        let public = "http://apps.localhost".parse().unwrap();
        let same = [environment("a", "shop", old, &[]), environment("b", "shop", new, &[])];
        assert_eq!(
            taken(&same[1], same.iter(), Some(&public)),
            BTreeMap::from([("shop.apps.localhost".to_owned(), "a/shop".to_owned())]),
            "the host below the router's domain is asked for too"
        );
    }
}
