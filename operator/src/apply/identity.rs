//! As whom a write is made. It cannot be empty: an empty name would silently mean the operator itself.

use std::fmt;

use crds::names::{MANAGER, MANAGER_CONFIG};
use crds::text::{Label, ObjectName};

/// As whom a write is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Operator,
    ServiceAccount { namespace: Label, name: ObjectName },
}

/// A service account without a proper namespace or name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{namespace:?}/{name:?} is no service account; set spec.serviceAccountName to the name of an existing one"
)]
pub struct EmptyIdentity {
    namespace: String,
    name: String,
}

impl Identity {
    /// The operator itself, for the objects that it alone makes.
    pub const OPERATOR: Self = Self(Kind::Operator);

    /// A service account, which the operator impersonates.
    ///
    /// # Errors
    /// [`EmptyIdentity`] where the namespace or the name is empty or no name of Kubernetes.
    pub fn service_account(namespace: &str, name: &str) -> Result<Self, EmptyIdentity> {
        let whole = Label::new(namespace).ok().zip(ObjectName::new(name).ok());
        whole.map(|(namespace, name)| Self(Kind::ServiceAccount { namespace, name })).ok_or_else(|| {
            EmptyIdentity {
                namespace: namespace.chars().take(80).collect(),
                name: name.chars().take(80).collect(),
            }
        })
    }

    /// The value of the header `Impersonate-User`; none for the operator itself. The API server adds the groups of a
    /// service account by itself, so that no right to impersonate groups is needed.
    pub(crate) fn user(&self) -> Option<String> {
        match &self.0 {
            Kind::Operator => None,
            Kind::ServiceAccount { namespace, name } => {
                Some(format!("system:serviceaccount:{namespace}:{name}"))
            }
        }
    }

    /// Namespace and name of the service account; none for the operator itself.
    pub fn account(&self) -> Option<(&str, &str)> {
        match &self.0 {
            Kind::Operator => None,
            Kind::ServiceAccount { namespace, name } => Some((namespace.as_str(), name.as_str())),
        }
    }

    /// The field manager of what is applied under this identity: what git says is applied as a service account.
    pub fn manager(&self) -> &'static str {
        match &self.0 {
            Kind::Operator => MANAGER,
            Kind::ServiceAccount { .. } => MANAGER_CONFIG,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Operator => f.write_str("the operator"),
            Kind::ServiceAccount { namespace, name } => write!(f, "service account {namespace}/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_never_empty() {
        for (namespace, name) in
            [("", "a"), ("a", ""), ("", ""), (" ", "a"), ("a", "\n"), ("a", "a:b"), ("A", "a")]
        {
            assert!(Identity::service_account(namespace, name).is_err(), "{namespace:?} {name:?}");
        }
        let identity = Identity::service_account("team", "deployer").unwrap();
        assert_eq!(identity.user().unwrap(), "system:serviceaccount:team:deployer");
        assert_eq!(Identity::OPERATOR.user(), None);
    }
}
