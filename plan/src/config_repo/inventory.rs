//! The inventory: every object that a ConfigRepo may have applied. It is written as old and new together before the first
//! object is applied, and as new alone after pruning, so a crash at any point forgets none.

use std::collections::BTreeMap;

use crds::config_repo::ObjectRef;

use crate::config_repo::document::Planned;
use crate::object::ObjectKey;

type Identity = (String, String, String, String);

/// What makes two references the same object: all but the version.
pub fn identity(reference: &ObjectRef) -> Identity {
    let ObjectRef { group, version: _, kind, namespace, name } = reference;
    (group.clone(), kind.clone(), namespace.clone(), name.clone())
}

/// The reference of an object.
pub fn reference(key: &ObjectKey) -> ObjectRef {
    ObjectRef {
        group: key.group().to_owned(),
        version: key.version().to_owned(),
        kind: key.kind.clone(),
        namespace: key.namespace.clone().unwrap_or_default(),
        name: key.name.clone(),
    }
}

/// The object of a reference.
pub fn key(reference: &ObjectRef) -> ObjectKey {
    let ObjectRef { group, version, kind, namespace, name } = reference;
    ObjectKey {
        api_version: if group.is_empty() { version.clone() } else { format!("{group}/{version}") },
        kind: kind.clone(),
        namespace: (!namespace.is_empty()).then(|| namespace.clone()),
        name: name.clone(),
    }
}

/// The references of a set, in the order of the inventory.
pub fn of<'a>(set: impl IntoIterator<Item = &'a Planned>) -> Vec<ObjectRef> {
    union(&[], set.into_iter().map(|planned| reference(&planned.key)))
}

/// Old and new together; where both have an object, the new version counts.
pub fn union(old: &[ObjectRef], new: impl IntoIterator<Item = ObjectRef>) -> Vec<ObjectRef> {
    let mut all: BTreeMap<Identity, ObjectRef> =
        old.iter().map(|reference| (identity(reference), reference.clone())).collect();
    all.extend(new.into_iter().map(|reference| (identity(&reference), reference)));
    all.into_values().collect()
}

/// What `old` has and `new` has not.
pub fn difference(old: &[ObjectRef], new: &[ObjectRef]) -> Vec<ObjectRef> {
    let kept: std::collections::BTreeSet<_> = new.iter().map(identity).collect();
    old.iter().filter(|reference| !kept.contains(&identity(reference))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config_map(version: &str, name: &str) -> ObjectRef {
        ObjectRef {
            version: version.into(),
            kind: "ConfigMap".into(),
            name: name.into(),
            ..ObjectRef::default()
        }
    }

    #[test]
    fn two_versions_of_one_object_are_one() {
        let all = union(&[config_map("v1", "a"), config_map("v1", "b")], [config_map("v2", "a")]);
        assert_eq!(all, [config_map("v2", "a"), config_map("v1", "b")]);
        assert_eq!(difference(&[config_map("v1", "a")], &[config_map("v2", "a")]), []);
        assert_eq!(difference(&all, &[config_map("v1", "b")]), [config_map("v2", "a")]);
    }

    #[test]
    fn a_reference_and_its_key_are_the_same_object() {
        let reference_ = ObjectRef { group: "apps".into(), namespace: "n".into(), ..config_map("v1", "a") };
        assert_eq!(reference(&key(&reference_)), reference_);
        assert_eq!(key(&config_map("v1", "a")).api_version, "v1");
    }
}
