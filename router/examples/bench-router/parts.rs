//! The backend, and the least proxy that can be made of the same library.

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

fn on_one_thread(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work)
}

/// Answers each request with a small text; changes the protocol if asked and then says nothing.
pub fn backend(address: SocketAddr) -> Result<()> {
    on_one_thread(async move {
        let listener = TcpListener::bind(address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = service_fn(|mut request: Request<Incoming>| async move {
                let mut response = Response::new(Full::new(Bytes::from_static(b"hello, world")));
                if request.headers().contains_key("upgrade") {
                    *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
                    response.headers_mut().insert("connection", http::HeaderValue::from_static("upgrade"));
                    response.headers_mut().insert("upgrade", http::HeaderValue::from_static("websocket"));
                    let upgraded = hyper::upgrade::on(&mut request);
                    tokio::task::spawn_local(async move {
                        let Ok(upgraded) = upgraded.await else { return };
                        let mut stream = TokioIo::new(upgraded);
                        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                    });
                }
                Ok::<_, Infallible>(response)
            });
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::task::spawn_local(connection.with_upgrades());
        }
    })
}

type Pool = Rc<RefCell<Vec<SendRequest<Incoming>>>>;

/// Passes each request on, over connections that are kept.
pub fn bare(address: SocketAddr, backend: SocketAddr) -> Result<()> {
    on_one_thread(async move {
        let listener = TcpListener::bind(address).await?;
        let pool = Pool::default();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let pool = pool.clone();
            let service = service_fn(move |request| pass(pool.clone(), backend, request));
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::task::spawn_local(connection);
        }
    })
}

async fn pass(pool: Pool, backend: SocketAddr, mut request: Request<Incoming>) -> Result<Response<Incoming>> {
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
    let kept = pool.borrow_mut().pop();
    let mut sender = match kept {
        Some(sender) => sender,
        None => {
            let stream = TcpStream::connect(backend).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::task::spawn_local(connection);
            sender
        }
    };
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    pool.borrow_mut().push(sender);
    Ok(response)
}
