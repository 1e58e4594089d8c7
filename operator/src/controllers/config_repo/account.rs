//! As whom a ConfigRepo acts.

use crds::Reason;
use plan::{ObjectKey, Refusal};

use super::pass::Pass;
use crate::apply::Identity;

impl Pass<'_> {
    /// As whom everything is applied.
    pub fn identity(&self) -> Result<Identity, Refusal> {
        let named = self.repo.spec.service_account_name.as_ref().map(|name| name.as_str().to_owned());
        let name = named.or_else(|| self.context.settings.default_service_account.clone()).ok_or_else(|| {
            Refusal::needs_user(
                Reason::AccountMissing,
                "spec.serviceAccountName is missing; name a service account of this namespace: what it may do is what may be applied",
            )
        })?;
        Identity::service_account(&self.key.namespace, &name)
            .map_err(|error| Refusal::needs_user(Reason::AccountMissing, error.to_string()))
    }

    /// That the account exists. Kubernetes itself lets a name without an account be impersonated.
    pub async fn account(&self, identity: &Identity) -> Result<(), Refusal> {
        let Some((namespace, name)) = identity.account() else { return Ok(()) };
        let key = ObjectKey {
            api_version: "v1".into(),
            kind: "ServiceAccount".into(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        };
        match self.context.writer.get(&Identity::OPERATOR, &key).await? {
            Some(_) => Ok(()),
            None => Err(Refusal::needs_user(
                Reason::AccountMissing,
                format!(
                    "the service account {namespace}/{name} does not exist; create it, or name another in spec.serviceAccountName"
                ),
            )),
        }
    }
}
