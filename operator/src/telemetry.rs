//! Logs: JSON for machines or pretty for people; and traces over OTLP, when an endpoint is given.

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::settings::{LogFormat, Settings};

/// Libraries whose logs may repeat the body of a request or an answer, and so a Secret: they stay silent.
const SILENT: [&str; 6] =
    ["kube_client=off", "kube_runtime=off", "hyper=off", "hyper_util=off", "rustls=off", "opentelemetry=off"];

/// What must happen before the process ends: the last traces are sent.
#[derive(Debug, Default)]
pub struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Sends what is left. Nothing rests on it, so a failure is passed over.
    pub fn finish(self) {
        if let Some(provider) = self.0 {
            let _ = provider.shutdown();
        }
    }
}

/// Starts logging, and tracing where an endpoint is given, for the whole process.
///
/// # Errors
/// A filter or an endpoint that cannot be understood, or logging that was started before.
pub fn init(settings: &Settings) -> anyhow::Result<Telemetry> {
    let logs = match settings.log_format {
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed(),
        LogFormat::Pretty => tracing_subscriber::fmt::layer().compact().boxed(),
    };
    let provider = settings.otlp_endpoint.as_deref().map(exporter).transpose()?;
    let traces = provider
        .as_ref()
        .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("keelway-operator")));
    tracing_subscriber::registry()
        .with(filter(&settings.log)?)
        .with(logs)
        .with(traces)
        .try_init()
        .context("logging was started twice")?;
    Ok(Telemetry(provider))
}

fn filter(directives: &str) -> anyhow::Result<EnvFilter> {
    let mut filter = EnvFilter::try_new(directives).with_context(|| {
        format!("--log {directives:?} is no filter; write it as info or operator=debug,info")
    })?;
    for directive in SILENT {
        filter = filter.add_directive(directive.parse()?);
    }
    Ok(filter)
}

fn exporter(endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let exporter = SpanExporter::builder().with_http().with_endpoint(url).build().with_context(|| {
        format!("--otlp-endpoint {endpoint:?} is not usable; write it as http://collector:4318")
    })?;
    // The exporter speaks HTTP on the runtime of the process, so its batches are sent from there too.
    let processor = BatchSpanProcessor::builder(exporter, Tokio).build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_resource(Resource::builder().with_service_name("keelway-operator").build())
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_that_may_log_bodies_are_silent_whatever_is_asked_for() {
        let shown = filter("trace,kube_client=trace").unwrap().to_string();
        assert!(shown.contains("kube_client=off") && !shown.contains("kube_client=trace"), "{shown}");
        assert!(filter("operator=loud").is_err());
    }
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_collector_gets_the_spans_and_the_name_of_the_service() {
        use opentelemetry::trace::{Span as _, Tracer as _};
        use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
        use prost::Message as _;

        let (told, mut heard) = tokio::sync::mpsc::channel(1);
        let receive = move |body: axum::body::Bytes| async move {
            let _ = told.send(ExportTraceServiceRequest::decode(body)).await;
        };
        let routes = axum::Router::new().route("/v1/traces", axum::routing::post(receive));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await });

        let provider = exporter(&endpoint).unwrap();
        provider.tracer("keelway-operator").start("reconcile").end();
        let telemetry = Telemetry(Some(provider));
        tokio::task::spawn_blocking(|| telemetry.finish()).await.unwrap();
        let request = heard.recv().await.unwrap().unwrap();
        let spans = &request.resource_spans[0];
        assert_eq!(spans.scope_spans[0].spans[0].name, "reconcile");
        let attributes = &spans.resource.as_ref().unwrap().attributes;
        assert!(attributes.iter().any(|attribute| attribute.key == "service.name"), "{attributes:?}");
        server.abort();
    }
}
