//! A namespace for one test.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use crate::kubectl::kubectl;
use crate::wait::eventually;

/// A namespace of one test, in which Keelway may act as the service account `deployer`.
pub struct Space {
    /// A client with all rights.
    pub client: Client,
    /// The namespace's name.
    pub name: String,
}

impl Space {
    /// Makes a namespace whose name begins with `test`, with a service account `deployer` (cluster role `admin`) as
    /// which the operator may act.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn new(test: &str) -> anyhow::Result<Self> {
        let client = Client::try_default().await?;
        let name = format!("{test}-{:x}", jiff::Timestamp::now().as_microsecond() % 0xff_ffff_ffff);
        let meta = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata: meta, ..Namespace::default() };
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await?;
        let space = Self { client, name };
        space.allow("deployer", "admin").await?;
        Ok(space)
    }

    /// Makes a service account with a cluster role in this namespace, as which the operator may act.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn allow(&self, account: &str, role: &str) -> anyhow::Result<()> {
        let meta = ObjectMeta { name: Some(account.to_owned()), ..ObjectMeta::default() };
        let object = ServiceAccount { metadata: meta, ..ServiceAccount::default() };
        self.api::<ServiceAccount>().create(&PostParams::default(), &object).await?;
        let name = &self.name;
        let subject = format!("--serviceaccount={name}:{account}");
        kubectl(&["create", "rolebinding", account, &format!("--clusterrole={role}"), &subject, "-n", name])
            .await?;
        let binding = format!("keelway-{account}");
        let operator = "--serviceaccount=keelway-system:keelway";
        kubectl(&[
            "create",
            "rolebinding",
            &binding,
            "--clusterrole=keelway-impersonator",
            operator,
            "-n",
            name,
        ])
        .await?;
        Ok(())
    }

    /// Objects of one kind in this namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Applies YAML as a user does.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn apply(&self, yaml: &str) -> anyhow::Result<String> {
        crate::kubectl::apply(&self.name, yaml).await
    }

    /// Merges a patch into an object.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn patch<K>(&self, name: &str, patch: serde_json::Value) -> anyhow::Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
    {
        Ok(self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?)
    }

    /// Waits until an object is there and `check` says `Some`.
    ///
    /// # Errors
    /// After `seconds`; the message holds `what` and the object as it was last seen.
    pub async fn until<K, T>(
        &self,
        what: &str,
        name: &str,
        seconds: u64,
        check: impl Fn(&K) -> Option<T>,
    ) -> anyhow::Result<T>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
        K: serde::Serialize,
    {
        let api = self.api::<K>();
        eventually(what, Duration::from_secs(seconds), || async {
            let Some(object) = api.get_opt(name).await? else { anyhow::bail!("{name} is not there") };
            if let Some(found) = check(&object) {
                return Ok(Some(found));
            }
            let value = serde_json::to_value(&object)?;
            let status = value.get("status").or_else(|| value.get("spec")).cloned();
            anyhow::bail!("it says {}", status.unwrap_or_default())
        })
        .await
    }

    /// Waits until an object is gone.
    ///
    /// # Errors
    /// After `seconds`.
    pub async fn until_gone<K>(&self, name: &str, seconds: u64) -> anyhow::Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
    {
        let api = self.api::<K>();
        let what = format!("{} {name} is gone", K::kind(&()));
        eventually(&what, Duration::from_secs(seconds), || async {
            Ok(api.get_metadata_opt(name).await?.is_none().then_some(()))
        })
        .await
    }

    /// Takes the namespace away; called at the end of a test that succeeded.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn done(self) -> anyhow::Result<()> {
        Api::<Namespace>::all(self.client.clone()).delete(&self.name, &DeleteParams::background()).await?;
        Ok(())
    }

    /// Takes the namespace away and waits until all that was in it is gone.
    ///
    /// # Errors
    /// When the cluster refuses, or after ten minutes.
    pub async fn gone(self) -> anyhow::Result<()> {
        let api = Api::<Namespace>::all(self.client.clone());
        api.delete(&self.name, &DeleteParams::background()).await?;
        eventually("the namespace is gone", Duration::from_mins(10), || async {
            Ok(api.get_metadata_opt(&self.name).await?.is_none().then_some(()))
        })
        .await
    }
}
