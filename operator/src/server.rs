//! What is served over HTTP: health, metrics, and whatever routes others bring (the webhook receiver).

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::sources::Sync;

/// What the probes look at.
#[derive(Clone)]
pub struct Health {
    /// Whether the caches are full. A standby is ready too: it answers webhooks and could lead at once.
    pub sync: Sync,
    /// What `/metrics` shows.
    pub metrics: Metrics,
}

/// The routes of health and metrics.
pub fn routes(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    if health.sync.is_done() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the watches have not shown everything yet\n")
    }
}

async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    const CONTENT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match health.metrics.encode() {
        Ok(text) => Ok(([(header::CONTENT_TYPE, CONTENT)], text)),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Serves until `stop`.
///
/// # Errors
/// Only when listening fails.
pub async fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) -> std::io::Result<()> {
    axum::serve(listener, routes.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn status(path: &str) -> StatusCode {
        let routes = routes(Health { sync: Sync::default(), metrics: Metrics::new() });
        routes.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap().status()
    }

    #[tokio::test]
    async fn health_readiness_and_metrics_answer() {
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(status(path).await, StatusCode::OK, "{path}");
        }
        assert_eq!(status("/elsewhere").await, StatusCode::NOT_FOUND);
    }
}
