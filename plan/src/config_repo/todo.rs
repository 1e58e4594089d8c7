//! What of a set is to be checked by a dry-run and what is to be applied.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::config_repo::document::Planned;
use crate::config_repo::order::is_prerequisite;
use crate::object::ObjectKey;

/// What is to be done with a set.
#[derive(Clone, Debug, Default)]
pub struct Todo {
    /// To be checked by a dry-run before anything is applied.
    pub check: Vec<Arc<Planned>>,
    /// Cannot be checked before the prerequisites are there.
    pub later: Vec<Arc<Planned>>,
    /// To be applied: the cluster does not hold it.
    pub apply: Vec<Arc<Planned>>,
}

/// What is to be done. `passed` tells the digest of an object that passed a dry-run under the present identity and kinds;
/// `holds` tells whether the cluster holds what git says; `known` tells whether the API server knows the kind.
pub fn todo(
    set: &[Arc<Planned>],
    passed: &HashMap<ObjectKey, String>,
    holds: impl Fn(&Planned) -> bool,
    known: impl Fn(&ObjectKey) -> bool,
) -> Todo {
    let mut todo = Todo::default();
    let coming = Coming::of(set, &holds);
    for planned in set {
        let unknown = !known(&planned.key) && coming.kinds.contains(&kind(&planned.key));
        let homeless = planned.key.namespace.as_ref().is_some_and(|name| coming.namespaces.contains(name));
        if passed.get(&planned.key) != Some(&planned.digest) {
            let list = if unknown || homeless { &mut todo.later } else { &mut todo.check };
            list.push(planned.clone());
        }
        if !holds(planned) {
            todo.apply.push(planned.clone());
        }
    }
    todo
}

impl Todo {
    /// Whether an object may be missing a right that the set itself grants: a refusal for lack of rights is then no
    /// verdict yet, and the check is made again once the rights are there.
    pub fn grants_rights(&self) -> bool {
        self.apply.iter().any(|planned| planned.key.group() == "rbac.authorization.k8s.io")
    }

    /// What must be applied before the rest can be checked.
    pub fn prerequisites(&self) -> Vec<Arc<Planned>> {
        self.apply.iter().filter(|p| is_prerequisite(p.key.group(), &p.key.kind)).cloned().collect()
    }
}

/// What the set itself brings and the cluster does not have yet.
struct Coming {
    namespaces: HashSet<String>,
    kinds: HashSet<(String, String)>,
}

impl Coming {
    fn of(set: &[Arc<Planned>], holds: &impl Fn(&Planned) -> bool) -> Self {
        let mut coming = Self { namespaces: HashSet::new(), kinds: HashSet::new() };
        for planned in set {
            match (planned.key.group(), planned.key.kind.as_str()) {
                ("", "Namespace") if !holds(planned) => {
                    coming.namespaces.insert(planned.key.name.clone());
                }
                ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                    let text = |pointer| {
                        let value = planned.manifest.value().pointer(pointer);
                        value.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
                    };
                    coming.kinds.insert((text("/spec/group"), text("/spec/names/kind")));
                }
                _ => {}
            }
        }
        coming
    }
}

fn kind(key: &ObjectKey) -> (String, String) {
    (key.group().to_owned(), key.kind.clone())
}

/// What the definitions of a set say of the kinds that they bring: whether their objects live in namespaces.
pub fn scopes_of<'a>(
    sources: impl IntoIterator<Item = &'a serde_json::Value>,
) -> HashMap<(String, String), crate::config_repo::Scope> {
    use crate::config_repo::Scope;
    let text = |json: &serde_json::Value, pointer: &str| {
        json.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    sources
        .into_iter()
        .filter(|json| text(json, "/kind") == "CustomResourceDefinition")
        .map(|json| {
            let scope =
                if text(json, "/spec/scope") == "Cluster" { Scope::Cluster } else { Scope::Namespaced };
            ((text(json, "/spec/group"), text(json, "/spec/names/kind")), scope)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_repo::document::{Owner, Place, Scope, Source, normalise};
    use serde_json::{Value, json};

    fn planned(json: Value, scope: Scope) -> Arc<Planned> {
        let source = Source { place: Place { path: "a".into(), line: 1 }, json, encrypted: false };
        let owner = Owner { uid: "u".into(), name: "n/r".into(), target_namespace: "n".into() };
        Arc::new(normalise(&source, Some(scope), &owner).unwrap())
    }

    fn map(name: &str, namespace: &str) -> Arc<Planned> {
        planned(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}),
            Scope::Namespaced,
        )
    }

    fn names(list: &[Arc<Planned>]) -> Vec<&str> {
        list.iter().map(|planned| planned.key.name.as_str()).collect()
    }

    #[test]
    fn one_changed_object_is_one_check_and_one_apply() {
        let set = [map("a", "n"), map("b", "n"), map("c", "n")];
        let passed =
            set.iter().filter(|p| p.key.name != "b").map(|p| (p.key.clone(), p.digest.clone())).collect();
        let todo = todo(&set, &passed, |p| p.key.name != "b", |_| true);
        assert_eq!((names(&todo.check), names(&todo.apply), todo.later.len()), (vec!["b"], vec!["b"], 0));
    }

    #[test]
    fn drift_is_applied_without_another_check() {
        let set = [map("a", "n")];
        let passed = set.iter().map(|p| (p.key.clone(), p.digest.clone())).collect();
        let todo = todo(&set, &passed, |_| false, |_| true);
        assert_eq!((todo.check.len(), names(&todo.apply)), (0, vec!["a"]));
    }

    #[test]
    fn what_needs_a_namespace_or_kind_of_the_set_waits_for_it() {
        let space = planned(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}}),
            Scope::Cluster,
        );
        let crd = planned(
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.x.io"},
            "spec": {"group": "x.io", "names": {"kind": "Thing"}}}),
            Scope::Cluster,
        );
        let thing = planned(
            json!({"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "t"}}),
            Scope::Namespaced,
        );
        let set = [space, crd, thing, map("inside", "new"), map("outside", "n")];
        let fresh = todo(&set, &HashMap::new(), |_| false, |key| key.kind != "Thing");
        assert_eq!(names(&fresh.check), ["new", "things.x.io", "outside"]);
        assert_eq!(names(&fresh.later), ["t", "inside"]);
        assert_eq!(names(&fresh.prerequisites()), ["new", "things.x.io"]);
        let settled = todo(&set, &HashMap::new(), |_| true, |_| true);
        assert_eq!((settled.check.len(), settled.later.len(), settled.apply.len()), (5, 0, 0));
    }
}
