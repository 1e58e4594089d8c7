//! Which path of the API a kind has. What enters is apiVersion and kind, what leaves is plural and scope; the API
//! server is asked once per API version.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crds::Reason;
use kube::Client;
use plan::{ObjectKey, Refusal};

use crate::apply::error::{Attempt, refusal};

/// Where objects of one kind are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The plural, as it stands in a path: `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

type Version = HashMap<String, Resource>;

/// The kinds that the API server knows, remembered.
#[derive(Clone)]
pub struct Kinds {
    client: Client,
    known: Arc<RwLock<HashMap<String, Version>>>,
}

impl Kinds {
    /// Knows nothing yet.
    pub fn new(client: Client) -> Self {
        Self { client, known: Arc::default() }
    }

    /// Forgets everything, because a CustomResourceDefinition changed.
    pub fn forget(&self) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Where objects of this kind are found.
    ///
    /// # Errors
    /// A kind that the API server does not know, or no answer from it.
    pub async fn resource(&self, key: &ObjectKey) -> Result<Resource, Refusal> {
        if let Some(found) = self.remembered(key) {
            return Ok(found);
        }
        let version = self.ask(key).await?;
        let found = version.get(&key.kind).cloned();
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(key.api_version.clone(), version);
        found.ok_or_else(|| unknown(key))
    }

    fn remembered(&self, key: &ObjectKey) -> Option<Resource> {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key.api_version)?
            .get(&key.kind)
            .cloned()
    }

    async fn ask(&self, key: &ObjectKey) -> Result<Version, Refusal> {
        let listed = match key.group() {
            "" => self.client.list_core_api_resources(key.version()).await,
            _ => self.client.list_api_group_resources(&key.api_version).await,
        };
        let listed = match listed {
            Ok(listed) => listed,
            Err(kube::Error::Api(status)) if status.code == 404 => return Err(unknown(key)),
            Err(error) => return Err(refusal(&error, &Attempt::get(key))),
        };
        // Subresources are listed too, as `deployments/status`.
        Ok(listed
            .resources
            .into_iter()
            .filter(|resource| !resource.name.contains('/'))
            .map(|resource| {
                (resource.kind, Resource { plural: resource.name, namespaced: resource.namespaced })
            })
            .collect())
    }
}

fn unknown(key: &ObjectKey) -> Refusal {
    Refusal::needs_user(
        Reason::Refused,
        format!(
            "the cluster knows no kind {} of {}; install its CustomResourceDefinition, or mend apiVersion and kind",
            key.kind, key.api_version
        ),
    )
}
