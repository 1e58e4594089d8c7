//! Registries as facts: which digest a tag has now. One small request of the distribution API, over connections that
//! are checked as those to git hosts are: an image's name is set by a tenant.

mod auth;
mod http;
mod reference;

use std::sync::Arc;

use ::http::{Method, StatusCode, header};
use base64::Engine as _;
use crds::env::LocalRef;
use crds::text::{Digest, Image};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use plan::app::Lookup;
use sha2::{Digest as _, Sha256};

use crate::context::Context;
use crate::settings::Settings;
use auth::{Challenge, Credentials};
use http::{Answer, Ask, Failure, Http};
use reference::Reference;

/// The kinds of manifests that an image may have.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// Looks tags up; a cheap handle.
#[derive(Clone)]
pub struct Registries {
    http: Arc<Http>,
}

/// Why a look-up told nothing, and whether a person must act.
enum Trouble {
    Refused(String),
    Failed(String),
}

impl Registries {
    /// Speaks without TLS only to the registries that the settings name.
    ///
    /// # Errors
    /// When the settings hold no proper address ranges, or the system has no TLS roots.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self { http: Arc::new(Http::new(settings)?) })
    }

    /// The digest that the image's tag has now.
    pub async fn look_up(
        &self,
        context: &Context,
        namespace: &str,
        image: &Image,
        secrets: &[LocalRef],
    ) -> Lookup {
        let reference = Reference::parse(image);
        let looked = async {
            let credentials = credentials(context, namespace, secrets, &reference).await?;
            self.digest(&reference, credentials.as_ref()).await
        };
        let bound = context.settings.request_timeout;
        match tokio::time::timeout(bound, looked).await {
            Ok(Ok(digest)) => Lookup::Found(digest),
            Ok(Err(Trouble::Refused(words))) => Lookup::Refused(words),
            Ok(Err(Trouble::Failed(words))) => Lookup::Failed(words),
            Err(_) => {
                Lookup::Failed(format!("the registry {} did not answer within {bound:?}", reference.registry))
            }
        }
    }

    async fn digest(
        &self,
        reference: &Reference,
        credentials: Option<&Credentials>,
    ) -> Result<Digest, Trouble> {
        let registry = &reference.registry;
        let path = format!("/v2/{}/manifests/{}", reference.repository, reference.tag);
        let mut ask = Ask { method: Method::HEAD, accept: MANIFESTS, authorization: None };
        let failed = |failure: Failure| {
            Trouble::Failed(format!("the registry {registry} could not be asked: {failure}"))
        };
        let mut answer = self.http.send(&reference.host, &path, &ask).await.map_err(failed)?;
        if answer.status == StatusCode::UNAUTHORIZED {
            ask.authorization = self.authorize(reference, &answer, credentials).await?;
            answer = self.http.send(&reference.host, &path, &ask).await.map_err(failed)?;
        }
        let Reference { repository, tag, .. } = reference;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                return Err(Trouble::Refused(format!(
                    "the registry {registry} has no tag `{tag}` of the repository `{repository}`; push it, or correct spec.image"
                )));
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let whom = if credentials.is_some() {
                    "with the credentials of spec.imagePullSecrets"
                } else {
                    "without credentials"
                };
                return Err(Trouble::Refused(format!(
                    "the registry {registry} does not let `{repository}:{tag}` be read {whom}; name a Secret of type \
                     kubernetes.io/dockerconfigjson that may in spec.imagePullSecrets, or correct spec.image"
                )));
            }
            other => {
                return Err(Trouble::Failed(format!("the registry {registry} answered {}", other.as_u16())));
            }
        }
        let named = answer.header("docker-content-digest").and_then(|digest| Digest::new(digest).ok());
        match named {
            Some(digest) => Ok(digest),
            None => self.hashed(reference, &path, Ask { method: Method::GET, ..ask }).await,
        }
    }

    /// A registry that names no digest: the digest is that of the manifest.
    async fn hashed(&self, reference: &Reference, path: &str, ask: Ask<'_>) -> Result<Digest, Trouble> {
        let registry = &reference.registry;
        let answer = self.http.send(&reference.host, path, &ask).await;
        let answer = answer.map_err(|failure| {
            Trouble::Failed(format!("the registry {registry} could not be asked: {failure}"))
        })?;
        let hex: String = Sha256::digest(&answer.body).iter().map(|byte| format!("{byte:02x}")).collect();
        Digest::new(format!("sha256:{hex}")).map_err(|invalid| Trouble::Failed(invalid.to_string()))
    }

    /// What the registry's challenge asks for.
    async fn authorize(
        &self,
        reference: &Reference,
        answer: &Answer,
        credentials: Option<&Credentials>,
    ) -> Result<Option<String>, Trouble> {
        let challenge = answer.header(header::WWW_AUTHENTICATE.as_str()).and_then(Challenge::parse);
        let registry = &reference.registry;
        match challenge {
            Some(Challenge::Basic) => Ok(credentials.map(Credentials::basic)),
            Some(Challenge::Bearer(bearer)) => {
                let (host, path) = bearer.target(&reference.repository).ok_or_else(|| {
                    Trouble::Failed(format!(
                        "the registry {registry} names no address for tokens that is understood"
                    ))
                })?;
                let ask = Ask {
                    method: Method::GET,
                    accept: "application/json",
                    authorization: credentials.map(Credentials::basic),
                };
                let answer = self.http.send(&host, &path, &ask).await.map_err(|failure| {
                    Trouble::Failed(format!("the token service of {registry} could not be asked: {failure}"))
                })?;
                Ok(auth::token(&answer.body).map(|token| format!("Bearer {token}")))
            }
            None => Ok(None),
        }
    }
}

/// The credentials for this registry in the first of the Secrets that has some.
async fn credentials(
    context: &Context,
    namespace: &str,
    secrets: &[LocalRef],
    reference: &Reference,
) -> Result<Option<Credentials>, Trouble> {
    let api = Api::<Secret>::namespaced(context.client.clone(), namespace);
    for named in secrets {
        let name = named.name.as_str();
        let found = api.get_opt(name).await;
        let found = found.map_err(|_| Trouble::Failed(format!("Secret `{name}` could not be read")))?;
        let Some(secret) = found else {
            return Err(Trouble::Refused(format!(
                "Secret `{name}` is missing; create it, or drop it from spec.imagePullSecrets"
            )));
        };
        let file = secret.data.unwrap_or_default().remove(".dockerconfigjson");
        if let Some(found) = file.and_then(|file| Credentials::find(&file.0, &reference.registry)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Base64 as HTTP has it.
fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}
