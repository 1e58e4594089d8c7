//! HTTP requests of writes, built from steps. Pure, so that every header and parameter is tested without a server.

use std::time::Duration;

use crds::Reason;
use http::{Method, Request};
use plan::{ObjectKey, Refusal};
use serde_json::{Value, json};

use crate::apply::identity::Identity;
use crate::apply::kinds::Resource;

/// The content types of writes.
const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json";

/// What is to be sent.
#[derive(Clone, Debug)]
pub(crate) enum Body<'a> {
    /// Server-side apply.
    Apply { object: &'a Value, manager: &'a str, force: bool, dry_run: bool },
    /// Create.
    Create { object: &'a Value, manager: &'a str },
    /// Merge patch.
    Merge { patch: &'a Value, manager: &'a str },
    /// Delete of exactly this object.
    Delete { uid: &'a str, resource_version: &'a str },
    /// Read.
    Get,
}

impl Body<'_> {
    /// Whether nothing is changed although it reads like a write.
    pub(crate) fn is_dry_run(&self) -> bool {
        match self {
            Self::Apply { dry_run, .. } => *dry_run,
            Self::Create { .. } | Self::Merge { .. } | Self::Delete { .. } | Self::Get => false,
        }
    }
}

/// Where it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) key: &'a ObjectKey,
    pub(crate) resource: &'a Resource,
    pub(crate) subresource: Option<&'static str>,
}

impl Target<'_> {
    fn path(&self, named: bool) -> String {
        let mut path = match self.key.group() {
            "" => format!("/api/{}", self.key.version()),
            group => format!("/apis/{group}/{}", self.key.version()),
        };
        if let (true, Some(namespace)) = (self.resource.namespaced, &self.key.namespace) {
            path.push_str(&format!("/namespaces/{namespace}"));
        }
        path.push('/');
        path.push_str(&self.resource.plural);
        if named {
            path.push('/');
            path.push_str(&self.key.name);
        }
        if let Some(subresource) = self.subresource {
            path.push('/');
            path.push_str(subresource);
        }
        path
    }
}

/// Builds the request. `timeout` is told to the API server too, so that it does not finish a write that nobody waits for.
///
/// # Errors
/// A name or version that could change the path: they come from files that others wrote.
pub(crate) fn build(
    target: Target<'_>,
    body: &Body<'_>,
    identity: &Identity,
    timeout: Duration,
) -> Result<Request<Vec<u8>>, Refusal> {
    let Target { key, .. } = target;
    let segments = [key.group(), key.version(), key.namespace.as_deref().unwrap_or_default(), &key.name];
    if !segments.into_iter().all(is_segment) || key.name.is_empty() {
        return Err(misnamed(key));
    }
    let seconds = timeout.as_secs().max(1);
    let (method, named, content, query, payload) = match body {
        Body::Apply { object, manager, force, dry_run } => {
            let dry = if *dry_run { "&dryRun=All" } else { "" };
            let query = format!("fieldManager={manager}&force={force}&fieldValidation=Strict{dry}");
            (Method::PATCH, true, APPLY, query, object.to_string())
        }
        Body::Create { object, manager } => {
            let query = format!("fieldManager={manager}&fieldValidation=Strict");
            (Method::POST, false, JSON, query, object.to_string())
        }
        Body::Merge { patch, manager } => {
            (Method::PATCH, true, MERGE, format!("fieldManager={manager}"), patch.to_string())
        }
        Body::Delete { uid, resource_version } => {
            let options = delete_options(uid, resource_version);
            (Method::DELETE, true, JSON, String::new(), options.to_string())
        }
        Body::Get => (Method::GET, true, JSON, String::new(), String::new()),
    };
    let joint = if query.is_empty() { "" } else { "&" };
    let uri = format!("{}?{query}{joint}timeout={seconds}s", target.path(named));
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header(http::header::ACCEPT, JSON)
        .header(http::header::CONTENT_TYPE, content);
    if let Some(user) = identity.user() {
        request = request.header("Impersonate-User", user);
    }
    request.body(payload.into_bytes()).map_err(|_| misnamed(key))
}

/// Whether a text is one segment of a path, of the characters that names of Kubernetes have.
fn is_segment(text: &str) -> bool {
    !matches!(text, "." | "..")
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'_' | b'@' | b'$'))
}

fn misnamed(key: &ObjectKey) -> Refusal {
    Refusal::needs_user(
        Reason::InvalidManifest,
        format!(
            "{key:?} cannot be named so; use letters, digits, '-' and '.' in apiVersion, namespace and name"
        ),
    )
}

fn delete_options(uid: &str, resource_version: &str) -> Value {
    #[cfg(feature = "seeded-bugs")]
    if crate::apply::seeded::Bug::planted() == Some(crate::apply::seeded::Bug::DeleteWithoutUid) {
        return json!({ "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background" });
    }
    json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
        "preconditions": { "uid": uid, "resourceVersion": resource_version },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ObjectKey {
        ObjectKey {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: Some("team".into()),
            name: "shop".into(),
        }
    }

    fn request(body: &Body<'_>, identity: &Identity, subresource: Option<&'static str>) -> Request<Vec<u8>> {
        let resource = Resource { plural: "deployments".into(), namespaced: true };
        let target = Target { key: &key(), resource: &resource, subresource };
        build(target, body, identity, Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn an_apply_is_strict_and_names_its_manager() {
        let object = json!({"a": 1});
        let body = Body::Apply { object: &object, manager: "keelway", force: true, dry_run: true };
        let request = request(&body, &Identity::OPERATOR, Some("status"));
        assert_eq!(request.method(), Method::PATCH);
        assert_eq!(
            request.uri().to_string(),
            "/apis/apps/v1/namespaces/team/deployments/shop/status?fieldManager=keelway&force=true&fieldValidation=Strict&dryRun=All&timeout=10s"
        );
        assert!(!request.headers().contains_key("Impersonate-User"));
    }

    #[test]
    fn a_delete_carries_uid_and_resource_version() {
        let request = request(&Body::Delete { uid: "u-1", resource_version: "7" }, &Identity::OPERATOR, None);
        let options: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(options["preconditions"], json!({"uid": "u-1", "resourceVersion": "7"}));
        assert_eq!(options["propagationPolicy"], "Background");
    }

    #[test]
    fn a_name_cannot_change_the_path() {
        let resource = Resource { plural: "secrets".into(), namespaced: true };
        for name in ["../x", "..", "a/b", "a?b", "a#b", "a%2fb", "a b", "", "a\nb"] {
            let key = ObjectKey { name: name.into(), ..key() };
            let target = Target { key: &key, resource: &resource, subresource: None };
            assert!(
                build(target, &Body::Get, &Identity::OPERATOR, Duration::from_secs(1)).is_err(),
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_service_account_is_impersonated_without_groups() {
        let identity = Identity::service_account("team", "deployer").unwrap();
        let request = request(&Body::Get, &identity, None);
        assert_eq!(request.headers()["Impersonate-User"], "system:serviceaccount:team:deployer");
        assert!(!request.headers().contains_key("Impersonate-Group"));
        assert_eq!(request.uri().path(), "/apis/apps/v1/namespaces/team/deployments/shop");
    }
}
