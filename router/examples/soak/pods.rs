//! Pods that answer: with what they were sent, late where the path says so, and with an echo to who asks for a WebSocket.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// How long `/slow` takes: long enough to leave before.
const SLOW: Duration = Duration::from_millis(200);

/// So many pods.
pub async fn start(count: usize) -> Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for _ in 0..count {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        addresses.push(listener.local_addr()?);
        tokio::spawn(serve(listener));
    }
    Ok(addresses)
}

async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection.with_upgrades());
    }
}

async fn answer(mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.headers().contains_key(UPGRADE) {
        return switch(&mut request);
    }
    if request.uri().path() == "/slow" {
        tokio::time::sleep(SLOW).await;
    }
    let name = request.uri().path().to_owned();
    let length = request.into_body().collect().await.map(|body| body.to_bytes().len());
    // Who broke off does not read this.
    let length = length.map_or("a part".to_owned(), |length| length.to_string());
    Response::new(Full::new(format!("{name} {length}").into()))
}

/// Gives back what comes.
fn switch(request: &mut Request<Incoming>) -> Response<Full<Bytes>> {
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
        let _ = tokio::io::copy(&mut from, &mut to).await;
    });
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}
