//! The client of the writer. Its connections ask the fence before every piece of bytes that leaves.
//!
//! The writer asks the fence before it sends, but a process may be paused between that and the moment when the bytes
//! are handed to the kernel, and wake up long after its lease ended. Here the question stands directly before the
//! system call, below TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt as _};
use kube::{Client, Config};
use tower::{Service, ServiceBuilder};

use crate::apply::fence::Fence;

/// A client for writes: nothing leaves it unless the lease outlasts `timeout`, and it repeats no request by itself.
///
/// # Errors
/// A configuration without usable credentials or certificates.
pub fn write_client(config: &Config, fence: Fence, timeout: Duration) -> Result<Client, kube::Error> {
    let mut plain = HttpConnector::new();
    plain.enforce_http(false);
    plain.set_nodelay(true);
    plain.set_connect_timeout(Some(timeout));
    let connector =
        config.rustls_https_connector_with_connector(FencedConnector { plain, fence, timeout })?;
    let http = hyper_util::client::legacy::Builder::new(TokioExecutor::new()).build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(tower::BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace.clone()))
}

/// Opens connections that ask the fence.
#[derive(Clone)]
struct FencedConnector {
    plain: HttpConnector,
    fence: Fence,
    timeout: Duration,
}

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, tower::BoxError>> + Send>>;

impl Service<Uri> for FencedConnector {
    type Response = Fenced<<HttpConnector as Service<Uri>>::Response>;
    type Error = tower::BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.plain.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, fence, timeout) = (self.plain.call(uri), self.fence.clone(), self.timeout);
        Box::pin(async move { Ok(Fenced { inner: connecting.await?, fence, timeout }) })
    }
}

/// A connection that fails rather than write behind a closed fence; the request that was under way is lost with it.
struct Fenced<T> {
    inner: T,
    fence: Fence,
    timeout: Duration,
}

impl<T> Fenced<T> {
    fn pass(&self) -> io::Result<()> {
        self.fence.pass(self.timeout).map_err(|refusal| io::Error::other(refusal.message))
    }
}

impl<T: Read + Unpin> Read for Fenced<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, into)
    }
}

impl<T: Write + Unpin> Write for Fenced<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pass()?;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pass()?;
        Pin::new(&mut self.inner).poll_write_vectored(context, pieces)
    }
}

impl<T: Connection> Connection for Fenced<T> {
    fn connected(&self) -> Connected {
        self.inner.connected()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::apply::fence::Held;

    /// What a server receives of a request that is sent under this fence.
    async fn received(fence: Fence) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = write_client(&Config::new(url.parse().unwrap()), fence, Duration::from_secs(5)).unwrap();
        let request = http::Request::get("/version").body(Vec::new()).unwrap();
        let sending = tokio::spawn(async move { client.request_text(request).await.is_ok() });
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 1024];
        let count = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut bytes)).await.unwrap();
        sending.abort();
        count.unwrap_or(0)
    }

    #[tokio::test]
    async fn no_byte_leaves_behind_a_closed_fence() {
        let open = Fence::closed();
        open.hold(Some(Held::from_now(Duration::from_secs(60))));
        assert!(received(open).await > 0);

        let too_short = Fence::closed();
        too_short.hold(Some(Held::from_now(Duration::from_secs(4))));
        assert_eq!(received(too_short).await, 0);
        assert_eq!(received(Fence::closed()).await, 0);
    }
}
