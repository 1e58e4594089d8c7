//! A span of each request, over OTLP, where an endpoint is given. The trace context of W3C (`traceparent`) is continued:
//! the pod's spans hang below the router's, and the router's below the client's.

use std::time::SystemTime;

use anyhow::Context as _;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{
    SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};

use crate::code::Code;
use crate::record::Record;

/// Makes spans.
#[derive(Clone, Debug)]
pub struct Spans {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// The span of a request that is under way.
pub struct Span(Context);

impl Spans {
    /// Sends them to this endpoint, as `http://collector:4318`; of requests that begin a trace this share, of others those
    /// whose client says so. To be called in the runtime that sends them.
    ///
    /// # Errors
    /// When the endpoint is none.
    pub fn to(endpoint: &str, share: f64) -> anyhow::Result<Self> {
        let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let exporter = SpanExporter::builder().with_http().with_endpoint(url).build().with_context(|| {
            format!("--otlp-endpoint {endpoint:?} is not usable; write it as http://collector:4318")
        })?;
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter, Tokio).build())
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
            .with_resource(Resource::builder().with_service_name("keelway-router").build())
            .build();
        let tracer = provider.tracer("keelway-router");
        Ok(Self { provider, tracer })
    }

    /// Begins the span of a request, and tells the pod of it.
    pub fn begin(&self, headers: &mut HeaderMap, method: &str) -> Span {
        let propagator = TraceContextPropagator::new();
        let parent = propagator.extract_with_context(&Context::new(), &Headers(headers));
        let span = SpanBuilder::from_name(method.to_owned())
            .with_kind(SpanKind::Server)
            .with_start_time(SystemTime::now());
        let context = parent.with_span(self.tracer.build_with_context(span, &parent));
        propagator.inject_context(&context, &mut HeadersMut(headers));
        Span(context)
    }

    /// Sends what is left. Nothing rests on it, so a failure is passed over. Waits for the runtime that sends.
    pub fn finish(&self) {
        let _ = self.provider.shutdown();
    }
}

impl Span {
    /// It ends as the record says. The query is left out: it may hold what nobody else should read.
    pub fn end(&self, record: &Record, code: Option<Code>) {
        let span = self.0.span();
        span.set_attribute(KeyValue::new("http.request.method", record.method.to_string()));
        span.set_attribute(KeyValue::new("url.path", record.path.path().to_owned()));
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(record.status.as_u16())));
        span.set_attribute(KeyValue::new(
            "server.address",
            record.host.to_str().unwrap_or_default().to_owned(),
        ));
        if let Some(live) = record.live() {
            span.set_attribute(KeyValue::new("keelway.environment", live.route.name.clone()));
        }
        if let Some(code) = code {
            span.set_attribute(KeyValue::new("keelway.code", code.as_str()));
            span.set_status(Status::error(code.words()));
        }
        span.end();
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}
