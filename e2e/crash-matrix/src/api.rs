//! The few requests that a scenario makes itself, as plain JSON.

use http::{Method, Request};
use kube::Client;
use serde_json::Value;

/// Reads an object or a list; none if it is not there.
///
/// # Errors
/// Any other answer than the object or 404.
pub async fn get(client: &Client, path: &str) -> anyhow::Result<Option<Value>> {
    match send(client, Method::GET, path, "application/json", None).await {
        Ok(value) => Ok(Some(value)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Creates an object below the path of its kind.
///
/// # Errors
/// The API server's refusal.
pub async fn create(client: &Client, path: &str, object: &Value) -> anyhow::Result<Value> {
    Ok(send(client, Method::POST, path, "application/json", Some(object)).await?)
}

/// Changes an object by a merge patch.
///
/// # Errors
/// The API server's refusal.
pub async fn merge(client: &Client, path: &str, patch: &Value) -> anyhow::Result<Value> {
    Ok(send(client, Method::PATCH, path, "application/merge-patch+json", Some(patch)).await?)
}

/// Deletes an object; one that is gone is fine.
///
/// # Errors
/// The API server's refusal.
pub async fn delete(client: &Client, path: &str) -> anyhow::Result<()> {
    match send(client, Method::DELETE, path, "application/json", None).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn send(
    client: &Client,
    method: Method,
    path: &str,
    content: &str,
    body: Option<&Value>,
) -> Result<Value, kube::Error> {
    let body = body.map(ToString::to_string).unwrap_or_default().into_bytes();
    let request =
        Request::builder().method(method).uri(path).header(http::header::CONTENT_TYPE, content).body(body);
    client.request(request.map_err(kube::Error::HttpError)?).await
}
