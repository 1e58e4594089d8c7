//! The inventory and pruning against crashes: whatever the moment at which the operator dies, the next run ends with
//! exactly the objects of git, forgets none, and deletes nothing that git has or that is not ours.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use std::collections::BTreeMap;

use crds::config_repo::ObjectRef;
use plan::config_repo::inventory;
use plan::config_repo::prune::{Fate, Gate, candidates, fate, gate};
use proptest::prelude::*;
use serde_json::{Value, json};

const US: &str = "u-1";

/// The cluster as far as it matters here: objects by reference, and the inventory in status.
#[derive(Clone, Debug, Default)]
struct Cluster {
    objects: BTreeMap<ObjectRef, Value>,
    inventory: Vec<ObjectRef>,
    deleted: Vec<ObjectRef>,
    version: u64,
}

fn object(name: u8) -> ObjectRef {
    ObjectRef {
        version: "v1".into(),
        kind: "ConfigMap".into(),
        namespace: "team".into(),
        name: format!("m{name}"),
        ..ObjectRef::default()
    }
}

fn live(owner: &str, version: u64, annotations: &Value) -> Value {
    json!({"metadata": {"uid": format!("x{version}"), "resourceVersion": version.to_string(),
        "labels": {"keelway.dev/config-repo-uid": owner}, "annotations": annotations}})
}

impl Cluster {
    fn apply(&mut self, reference: &ObjectRef) {
        self.version += 1;
        let value = live(US, self.version, &json!({}));
        self.objects.entry(reference.clone()).or_insert(value);
    }

    /// As the controller does it; `left` writes are made, then the process dies. `true` when it came to its end.
    fn sync(&mut self, set: &[ObjectRef], left: &mut usize) -> bool {
        let mut write = || {
            let alive = *left > 0;
            *left = left.saturating_sub(1);
            alive
        };
        let both = inventory::union(&self.inventory, set.iter().cloned());
        if both != self.inventory {
            if !write() {
                return false;
            }
            self.inventory = both;
        }
        for reference in set {
            if !self.objects.contains_key(reference) {
                if !write() {
                    return false;
                }
                self.apply(reference);
            }
        }
        let gone = candidates(&self.inventory, set);
        let Gate::Waits { token } = gate(&gone, self.inventory.len(), None) else {
            return self.prune(&gone, set, write);
        };
        assert_eq!(gate(&gone, self.inventory.len(), Some(&token)), Gate::Open);
        self.prune(&gone, set, write)
    }

    fn prune(&mut self, gone: &[ObjectRef], set: &[ObjectRef], mut write: impl FnMut() -> bool) -> bool {
        for reference in gone {
            let key = inventory::key(reference);
            if let Fate::Delete(delete) = fate(&key, self.objects.get(reference), US) {
                if !write() {
                    return false;
                }
                let seen = &self.objects[reference]["metadata"];
                assert_eq!(
                    (seen["uid"].as_str(), seen["resourceVersion"].as_str()),
                    (Some(&*delete.uid), Some(&*delete.resource_version))
                );
                self.objects.remove(reference);
                self.deleted.push(reference.clone());
            }
        }
        if !gone.is_empty() {
            if !write() {
                return false;
            }
            self.inventory = set.to_vec();
        }
        true
    }

    /// Every object of ours is in the inventory: none is forgotten.
    fn forgets_none(&self) -> bool {
        let ours = self
            .objects
            .iter()
            .filter(|(_, live)| live["metadata"]["labels"]["keelway.dev/config-repo-uid"] == US);
        ours.map(|(reference, _)| reference).all(|reference| self.inventory.contains(reference))
    }
}

fn commit() -> impl Strategy<Value = Vec<ObjectRef>> {
    proptest::collection::btree_set(0_u8..12, 1..10).prop_map(|names| {
        let names: Vec<_> = names.into_iter().map(object).collect();
        inventory::union(&[], names)
    })
}

proptest! {
    /// Commits come one after the other, the process dies after any number of writes of each, and at last one run ends.
    #[test]
    fn a_crash_between_any_two_writes_forgets_nothing_and_deletes_nothing_that_git_has(
        commits in proptest::collection::vec((commit(), 0_usize..14), 1..8),
    ) {
        let mut cluster = Cluster::default();
        for (set, mut left) in commits.clone() {
            cluster.deleted.clear();
            cluster.sync(&set, &mut left);
            prop_assert!(cluster.forgets_none());
            prop_assert!(cluster.deleted.iter().all(|reference| !set.contains(reference)));
        }
        let (last, _) = commits.last().unwrap();
        prop_assert!(cluster.sync(last, &mut usize::MAX.clone()));
        let objects: Vec<_> = cluster.objects.keys().cloned().collect();
        prop_assert_eq!(&objects, last);
        prop_assert_eq!(&cluster.inventory, last);
        let before = cluster.version;
        prop_assert!(cluster.sync(last, &mut 0), "a second run writes nothing");
        prop_assert_eq!(cluster.version, before);
    }

    /// What others own, or what is kept by its annotation, outlives any commit.
    #[test]
    fn what_is_not_ours_or_kept_is_never_deleted(first in commit(), second in commit(), other in 0_u8..12, kept in 0_u8..12) {
        prop_assume!(other != kept);
        let mut cluster = Cluster::default();
        cluster.sync(&first, &mut usize::MAX.clone());
        cluster.objects.insert(object(other), live("u-2", 900, &json!({})));
        cluster.objects.insert(object(kept), live(US, 901, &json!({"keelway.dev/prune": "disabled"})));
        cluster.sync(&second, &mut usize::MAX.clone());
        prop_assert!(cluster.objects.contains_key(&object(other)));
        prop_assert!(cluster.objects.contains_key(&object(kept)));
    }
}
