//! Spans reach a collector, and the trace goes on from the client to the pod.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use router::serve::Speaks;
use router::spans::Spans;
use support::{Router, echo, route};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_span_hangs_below_the_clients_and_above_the_pods() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let told = told.clone();
            let receive = service_fn(move |request: Request<Incoming>| {
                let told = told.clone();
                async move {
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    let _ = told.send(ExportTraceServiceRequest::decode(body).unwrap()).await;
                    Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), receive),
            );
        }
    });
    let spans = Spans::to(&endpoint, 0.0).unwrap();
    let given = spans.clone();
    let router = Router::with(&route("a", echo("a"), ""), &[], Speaks::Clear { h2c: false }, |common| {
        common.spans = Some(given);
    });
    let seen = tokio::task::block_in_place(|| {
        // One whose client does not ask for it is not sent.
        router.get("a", "/unsampled");
        let ask = format!(
            "GET /x?secret=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTraceparent: 00-{TRACE}-{CLIENT}-01\r\n\r\n"
        );
        let answer = router.send(&ask);
        router.join();
        answer.body().to_lowercase()
    });
    tokio::task::spawn_blocking(move || spans.finish()).await.unwrap();
    let request = heard.recv().await.unwrap();
    let all = &request.resource_spans[0].scope_spans[0].spans;
    assert_eq!(all.len(), 1, "{all:?}");
    let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |text, b| text + &format!("{b:02x}"));
    assert_eq!((hex(&all[0].trace_id), hex(&all[0].parent_span_id)), (TRACE.to_owned(), CLIENT.to_owned()));
    assert!(seen.contains(&format!("traceparent: 00-{TRACE}-{}-01", hex(&all[0].span_id))), "{seen}");
    let attributes = format!("{:?}", all[0].attributes);
    assert!(attributes.contains("url.path") && !attributes.contains("secret"), "{attributes}");
}
