//! In which order objects are applied, and, turned round, pruned.

use crds::config_repo::ObjectRef;
use serde::Serialize;

/// A group of objects that are applied together, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Wave {
    /// Where and by whom others live: namespaces, definitions of kinds, accounts and their rights, classes, quotas.
    Ground,
    /// What workloads read or need: configuration, volumes, network rules.
    Needs,
    /// Everything else.
    Work,
    /// What acts on requests for others; applied last, so that it cannot stand in the way of what it needs itself.
    Gates,
}

impl Wave {
    /// The wave of a kind.
    pub fn of(group: &str, kind: &str) -> Self {
        match (group, kind) {
            ("", "Namespace" | "ServiceAccount" | "ResourceQuota" | "LimitRange" | "PersistentVolume")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
            | ("rbac.authorization.k8s.io" | "scheduling.k8s.io" | "storage.k8s.io", _) => Self::Ground,
            ("", "ConfigMap" | "Secret" | "PersistentVolumeClaim" | "Service")
            | ("networking.k8s.io", "NetworkPolicy" | "IngressClass") => Self::Needs,
            ("admissionregistration.k8s.io", _) | ("apiregistration.k8s.io", "APIService") => Self::Gates,
            _ => Self::Work,
        }
    }
}

/// Whether others of the set may need it before they can even be checked: a namespace, a kind, a right.
pub fn is_prerequisite(group: &str, kind: &str) -> bool {
    matches!(
        (group, kind),
        ("", "Namespace" | "ServiceAccount")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
            | ("rbac.authorization.k8s.io", _)
    )
}

/// From this rank on objects are such as the deletion itself may need.
const NEEDED: u8 = 3;

/// What goes first, and what goes only when all of that is gone.
pub fn in_two(gone: Vec<ObjectRef>) -> (Vec<ObjectRef>, Vec<ObjectRef>) {
    gone.into_iter().partition(|reference| leaving(&reference.group, &reference.kind) < NEEDED)
}

/// The rank in which an object goes: workloads first, what they stand on later, and last of all what the deletion itself
/// needs: namespaces as long as there are rights to delete them, then the account, then the rights.
pub fn leaving(group: &str, kind: &str) -> u8 {
    match (group, kind) {
        ("rbac.authorization.k8s.io", _) => 5,
        ("", "ServiceAccount") => 4,
        ("", "Namespace") => NEEDED,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => 2,
        _ => match Wave::of(group, kind) {
            Wave::Gates | Wave::Work => 0,
            Wave::Needs | Wave::Ground => 1,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ground_comes_first_and_gates_last() {
        let kinds = [
            ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
            ("keelway.dev", "App"),
            ("", "Secret"),
            ("", "Namespace"),
            ("rbac.authorization.k8s.io", "RoleBinding"),
            ("apps", "Deployment"),
        ];
        let mut sorted = kinds;
        sorted.sort_by_key(|(group, kind)| Wave::of(group, kind));
        let names: Vec<_> = sorted.iter().map(|(_, kind)| *kind).collect();
        assert_eq!(
            names,
            ["Namespace", "RoleBinding", "Secret", "App", "Deployment", "ValidatingWebhookConfiguration"]
        );
    }

    #[test]
    fn accounts_bindings_and_namespaces_go_last() {
        let ranks = [
            leaving("apiextensions.k8s.io", "CustomResourceDefinition"),
            leaving("", "Namespace"),
            leaving("", "ServiceAccount"),
            leaving("rbac.authorization.k8s.io", "Role"),
        ];
        assert!(ranks.is_sorted() && ranks[0] < NEEDED && ranks[1] == NEEDED);
        assert!(leaving("apps", "Deployment") < leaving("", "ConfigMap"));
        assert!(leaving("keelway.dev", "App") < leaving("apiextensions.k8s.io", "CustomResourceDefinition"));
    }
}
