//! What is seen of one ConfigRepo's objects, compared with what git says. Pure: events enter, and what leaves is whether
//! anybody should look.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use plan::ObjectKey;
use plan::config_repo::{Planned, Seen};
use serde_json::Value;
use tokio::time::Instant;

use super::{key_of, version};

/// What an event changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing that matters.
    None,
    /// Whether an object works.
    Health,
    /// The cluster no longer holds what git says.
    Drift,
}

/// What is seen of one ConfigRepo's objects.
#[derive(Default)]
pub(crate) struct Index {
    planned: HashMap<ObjectKey, Arc<Planned>>,
    seen: HashMap<ObjectKey, Seen>,
    /// The digest of our fields right after the last apply, with the stamp that was applied.
    baseline: HashMap<ObjectKey, (String, Option<String>)>,
    /// The resourceVersion of our last write, and when: older events are news of the past.
    written: HashMap<ObjectKey, (u64, Instant)>,
    /// How often an object was set back lately, and since when that is counted.
    repairs: HashMap<ObjectKey, (u32, Instant)>,
    /// Objects whose `spec.replicas` git changed and that were not applied since: git's word then counts again.
    rescaled: HashSet<ObjectKey>,
}

/// So often an object is set back within [`WINDOW`]; somebody who changes it more often is left alone until the next.
const REPAIRS: u32 = 10;
/// The time over which repairs are counted.
const WINDOW: Duration = Duration::from_secs(60);

impl Index {
    /// What git has now.
    pub fn expect(&mut self, set: &[Arc<Planned>]) {
        let same = set.len() == self.planned.len()
            && set.iter().all(|new| self.planned.get(&new.key).is_some_and(|old| Arc::ptr_eq(old, new)));
        if same {
            return;
        }
        let replicas = |planned: &Planned| planned.manifest.value().pointer("/spec/replicas").cloned();
        for new in set {
            if self.planned.get(&new.key).is_some_and(|old| replicas(old) != replicas(new)) {
                self.rescaled.insert(new.key.clone());
            }
        }
        self.planned = set.iter().map(|planned| (planned.key.clone(), planned.clone())).collect();
    }

    /// What git has now is in force: what is known of other objects is forgotten.
    pub fn settle(&mut self) {
        let Self { planned, seen, baseline, written, repairs, rescaled } = self;
        rescaled.retain(|key| planned.contains_key(key));
        repairs.retain(|key, (_, since)| planned.contains_key(key) && since.elapsed() < WINDOW);
        baseline.retain(|key, _| planned.contains_key(key));
        written.retain(|key, _| planned.contains_key(key));
        seen.retain(|key, _| planned.contains_key(key));
    }

    /// Whether just this was applied before by this process.
    pub fn was_applied(&self, planned: &Planned) -> bool {
        self.baseline.get(&planned.key).is_some_and(|(stamp, _)| *stamp == planned.digest)
    }

    /// An object was set back.
    pub fn repaired(&mut self, key: &ObjectKey) {
        let entry = self.repairs.entry(key.clone()).or_insert((0, Instant::now()));
        if entry.1.elapsed() >= WINDOW {
            *entry = (0, Instant::now());
        }
        entry.0 += 1;
    }

    /// Whether somebody changes an object again and again: setting it back each time would only heat the cluster.
    pub fn is_contested(&self, key: &ObjectKey) -> bool {
        self.repairs.get(key).is_some_and(|(count, since)| *count >= REPAIRS && since.elapsed() < WINDOW)
    }

    /// The objects that somebody changes again and again.
    pub fn contested(&self) -> Vec<ObjectKey> {
        let mut keys: Vec<_> = self.repairs.keys().filter(|key| self.is_contested(key)).cloned().collect();
        keys.sort();
        keys
    }

    /// How long until the first of them may be set back again: nothing else would wake anybody then.
    pub fn calm_in(&self) -> Option<Duration> {
        let contested = self.repairs.iter().filter(|(key, _)| self.is_contested(key));
        contested.map(|(_, (_, since))| WINDOW.saturating_sub(since.elapsed())).min()
    }

    /// Whether git changed `spec.replicas` of an object since it was last applied.
    pub fn is_rescaled(&self, key: &ObjectKey) -> bool {
        self.rescaled.contains(key)
    }

    /// Whether git has an object now.
    pub fn has(&self, key: &ObjectKey) -> bool {
        self.planned.contains_key(key)
    }

    /// What is seen of an object.
    pub fn seen(&self, key: &ObjectKey) -> Option<&Seen> {
        self.seen.get(key)
    }

    /// Whether the cluster holds what git says of an object.
    pub fn holds(&self, planned: &Planned) -> bool {
        self.seen.get(&planned.key).is_some_and(|seen| seen.holds(planned, self.baseline(planned)))
    }

    fn baseline(&self, planned: &Planned) -> Option<&str> {
        let (stamp, own) = self.baseline.get(&planned.key)?;
        if *stamp == planned.digest { own.as_deref() } else { None }
    }

    /// The API server answered an apply.
    pub fn applied(&mut self, planned: &Planned, live: &Value) {
        let seen = Seen::of(live, Some(planned));
        self.rescaled.remove(&planned.key);
        self.baseline.insert(planned.key.clone(), (planned.digest.clone(), seen.own.clone()));
        self.written.insert(planned.key.clone(), (version(&seen), Instant::now()));
        self.seen.insert(planned.key.clone(), seen);
    }

    /// A watch showed an object.
    pub fn shown(&mut self, live: &Value) -> Change {
        let Some(key) = key_of(live) else { return Change::None };
        // An object of a version that git does not use, or that git no longer has, decides nothing.
        let Some(planned) = self.planned.get(&key).cloned() else { return Change::None };
        let seen = Seen::of(live, Some(&planned));
        if self.written.get(&key).is_some_and(|(written, _)| version(&seen) < *written) {
            return Change::None;
        }
        let held = self.holds(&planned);
        let health = self.seen.get(&key).map(|seen| seen.health.clone());
        let change = health.as_ref() != Some(&seen.health);
        self.seen.insert(key, seen);
        match (held, self.holds(&planned)) {
            (true, false) => Change::Drift,
            // Found by a watch that began late: nothing is to be done, but somebody may wait for it.
            _ if change => Change::Health,
            _ => Change::None,
        }
    }

    /// A watch no longer shows an object: it was deleted, or lost our label.
    pub fn gone(&mut self, live: &Value) -> Change {
        let Some(key) = key_of(live) else { return Change::None };
        let last = Seen::of(live, None);
        if self.written.get(&key).is_some_and(|(written, _)| version(&last) < *written) {
            return Change::None;
        }
        self.remove(&key)
    }

    /// A list ended: what it did not name and was not written since it began is gone.
    pub fn listed(
        &mut self,
        is_topic: impl Fn(&ObjectKey) -> bool,
        names: &HashSet<ObjectKey>,
        began: Instant,
    ) -> Change {
        let since = |key: &ObjectKey| self.written.get(key).is_some_and(|(_, at)| *at >= began);
        let lost: Vec<_> = self
            .seen
            .keys()
            .filter(|key| is_topic(key) && !names.contains(key) && !since(key))
            .cloned()
            .collect();
        let changes =
            lost.iter().map(|key| self.remove(key)).filter(|change| *change == Change::Drift).count();
        if changes > 0 { Change::Drift } else { Change::None }
    }

    fn remove(&mut self, key: &ObjectKey) -> Change {
        let known = self.seen.remove(key).is_some();
        if known && self.planned.contains_key(key) { Change::Drift } else { Change::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::config_repo::{Owner, Place, Scope, Source, normalise};
    use serde_json::json;

    fn planned(data: &str) -> Arc<Planned> {
        let json =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": data}});
        let source = Source { place: Place { path: "a.yaml".into(), line: 1 }, json, encrypted: false };
        let owner = Owner { uid: "u".into(), name: "n/r".into(), target_namespace: "n".into() };
        Arc::new(normalise(&source, Some(Scope::Namespaced), &owner).unwrap())
    }

    fn live(planned: &Planned, version: &str, owned: &[&str]) -> Value {
        let mut live = planned.manifest.value().clone();
        live["metadata"]["uid"] = "x".into();
        live["metadata"]["resourceVersion"] = version.into();
        let fields: serde_json::Map<String, Value> =
            owned.iter().map(|field| (format!("f:{field}"), json!({}))).collect();
        live["metadata"]["managedFields"] =
            json!([{"manager": "keelway-config", "operation": "Apply", "fieldsV1": {"f:data": fields}}]);
        live
    }

    fn settled() -> (Index, Arc<Planned>) {
        let planned = planned("1");
        let mut index = Index::default();
        index.expect(std::slice::from_ref(&planned));
        index.applied(&planned, &live(&planned, "10", &["a"]));
        (index, planned)
    }

    #[test]
    fn a_field_that_somebody_takes_is_drift_once() {
        let (mut index, planned) = settled();
        assert!(index.holds(&planned));
        assert_eq!(index.shown(&live(&planned, "11", &["a"])), Change::None);
        assert_eq!(index.shown(&live(&planned, "12", &[])), Change::Drift);
        assert_eq!(index.shown(&live(&planned, "13", &[])), Change::None);
        assert!(!index.holds(&planned));
    }

    #[tokio::test(start_paused = true)]
    async fn who_changes_an_object_again_and_again_is_left_alone_for_a_while() {
        let (mut index, planned) = settled();
        for _ in 0..REPAIRS {
            assert!(!index.is_contested(&planned.key));
            index.repaired(&planned.key);
        }
        assert_eq!(index.contested(), std::slice::from_ref(&planned.key));
        tokio::time::advance(WINDOW / 2).await;
        assert_eq!(index.calm_in(), Some(WINDOW / 2), "then it must be looked at again");
        tokio::time::advance(WINDOW / 2).await;
        assert!(index.contested().is_empty() && index.calm_in().is_none());
    }

    #[test]
    fn news_of_the_past_are_no_news() {
        let (mut index, planned) = settled();
        assert_eq!(index.shown(&live(&planned, "9", &[])), Change::None);
        assert_eq!(index.gone(&live(&planned, "9", &[])), Change::None);
        assert!(index.holds(&planned));
    }

    #[test]
    fn a_deletion_is_drift_also_when_only_a_list_shows_it() {
        let (mut index, planned) = settled();
        assert_eq!(index.gone(&live(&planned, "11", &[])), Change::Drift);
        let (mut index, _) = settled();
        let before = Instant::now().checked_sub(std::time::Duration::from_secs(1)).unwrap();
        assert_eq!(
            index.listed(|_| true, &HashSet::new(), before),
            Change::None,
            "written since the list began"
        );
        assert_eq!(
            index.listed(|_| false, &HashSet::new(), Instant::now()),
            Change::None,
            "of another topic"
        );
        assert_eq!(index.listed(|_| true, &HashSet::new(), Instant::now()), Change::Drift);
    }

    #[test]
    fn a_new_commit_is_not_held_before_it_is_applied() {
        let (mut index, old) = settled();
        let new = planned("2");
        index.expect(std::slice::from_ref(&new));
        assert!(index.holds(&old) && !index.holds(&new));
        index.expect(&[]);
        assert!(index.seen(&old.key).is_some());
        index.settle();
        assert!(index.seen(&old.key).is_none() && !index.has(&old.key));
    }
}
