//! What git no longer has. An object goes only on positive evidence: the commit was read whole, the object was looked up
//! and is ours, and the deletion names exactly what was seen.

use crds::config_repo::ObjectRef;
use crds::names::PRUNE;
use serde_json::Value;

use crate::config_repo::inventory;
use crate::config_repo::order::leaving;
use crate::config_repo::owner::owner_uid;
use crate::object::ObjectKey;
use crate::step::Delete;

/// So many objects go without a confirmation, whatever their share: one is no mass.
pub const FREE: usize = 1;

/// Whether what goes may go now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Open,
    /// More than a third goes at once; a person confirms with this token.
    Waits {
        /// The value that the annotation `keelway.dev/confirm-prune` must have.
        token: String,
    },
}

/// What the inventory has and the set has not, in the order in which it goes.
pub fn candidates(inventory: &[ObjectRef], set: &[ObjectRef]) -> Vec<ObjectRef> {
    let mut gone = inventory::difference(inventory, set);
    gone.sort_by_key(|reference| {
        (leaving(&reference.group, &reference.kind), inventory::identity(reference))
    });
    gone
}

/// Whether the candidates may go, of so many objects that the commit in force has. What a new commit adds does not count:
/// it makes the loss of the old ones no smaller. The token is of these candidates: more of them need another confirmation.
pub fn gate(candidates: &[ObjectRef], in_force: usize, confirmed: Option<&str>) -> Gate {
    if candidates.len() <= FREE || candidates.len().saturating_mul(3) <= in_force {
        return Gate::Open;
    }
    let token = token(candidates);
    if confirmed == Some(token.as_str()) { Gate::Open } else { Gate::Waits { token } }
}

fn token(candidates: &[ObjectRef]) -> String {
    let mut names: Vec<_> = candidates.iter().map(inventory::identity).collect();
    names.sort();
    let value = serde_json::to_value(names).unwrap_or_default();
    crate::matching::short_digest(&value).chars().take(12).collect()
}

/// What becomes of one object that git no longer has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is gone already.
    Gone,
    /// It belongs to somebody else by now, or to nobody; it stays.
    NotOurs,
    /// `keelway.dev/prune: disabled` keeps it.
    Kept,
    /// It is on its way out.
    Leaving,
    /// It goes.
    Delete(Delete),
}

/// What becomes of an object, by what a look at it just showed.
pub fn fate(object: &ObjectKey, live: Option<&Value>, us: &str) -> Fate {
    let Some(live) = live else { return Fate::Gone };
    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    if owner_uid(live) != Some(us) {
        return Fate::NotOurs;
    }
    if live.pointer("/metadata/annotations").and_then(|a| a.get(PRUNE)).and_then(Value::as_str)
        == Some("disabled")
    {
        return Fate::Kept;
    }
    if text("/metadata/deletionTimestamp").is_some() {
        return Fate::Leaving;
    }
    match (text("/metadata/uid"), text("/metadata/resourceVersion")) {
        (Some(uid), Some(resource_version)) => {
            Fate::Delete(Delete { object: object.clone(), uid, resource_version })
        }
        _ => Fate::NotOurs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refs(range: std::ops::Range<usize>) -> Vec<ObjectRef> {
        range
            .map(|index| ObjectRef {
                version: "v1".into(),
                kind: "ConfigMap".into(),
                name: format!("m{index}"),
                ..ObjectRef::default()
            })
            .collect()
    }

    #[test]
    fn more_than_a_third_at_once_waits_for_its_own_token() {
        assert_eq!(gate(&refs(0..1), 1, None), Gate::Open);
        assert!(matches!(gate(&refs(0..3), 4, None), Gate::Waits { .. }));
        assert_eq!(gate(&refs(0..4), 12, None), Gate::Open);
        let Gate::Waits { token } = gate(&refs(0..5), 12, None) else { panic!("it must wait") };
        assert_eq!(gate(&refs(0..5), 12, Some(&token)), Gate::Open);
        assert!(matches!(gate(&refs(0..6), 12, Some(&token)), Gate::Waits { .. }));
        assert!(matches!(gate(&refs(0..5), 12, Some("yes")), Gate::Waits { .. }));
    }

    #[test]
    fn what_the_set_has_is_never_a_candidate_and_accounts_go_last() {
        let mut inventory = refs(0..3);
        inventory.insert(
            0,
            ObjectRef {
                version: "v1".into(),
                kind: "ServiceAccount".into(),
                name: "a".into(),
                ..ObjectRef::default()
            },
        );
        let gone = candidates(&inventory, &refs(1..2));
        let names: Vec<_> = gone.iter().map(|reference| reference.name.as_str()).collect();
        assert_eq!(names, ["m0", "m2", "a"]);
    }

    #[test]
    fn only_what_is_ours_goes_and_as_it_was_seen() {
        let key = ObjectKey {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: Some("n".into()),
            name: "a".into(),
        };
        let mut live = json!({"metadata": {"uid": "x", "resourceVersion": "7", "labels": {"keelway.dev/config-repo-uid": "u-1"}}});
        let delete = Delete { object: key.clone(), uid: "x".into(), resource_version: "7".into() };
        assert_eq!(fate(&key, Some(&live), "u-1"), Fate::Delete(delete));
        assert_eq!(fate(&key, Some(&live), "u-2"), Fate::NotOurs);
        assert_eq!(fate(&key, None, "u-1"), Fate::Gone);
        live["metadata"]["annotations"] = json!({"keelway.dev/prune": "disabled"});
        assert_eq!(fate(&key, Some(&live), "u-1"), Fate::Kept);
        live["metadata"]["annotations"] = json!({});
        live["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(fate(&key, Some(&live), "u-1"), Fate::Leaving);
    }
}
