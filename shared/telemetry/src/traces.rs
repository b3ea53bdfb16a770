//! Traces of calls: spans that go to a collector over OTLP.
//!
//! Where they go, how, and how many are kept is said by the standard variables `OTEL_…`; the option tree only
//! switches traces on. Without `OTEL_EXPORTER_OTLP_PROTOCOL` they go over HTTP. A call whose caller sends a W3C `traceparent`
//! becomes part of the caller's trace.

mod http_client;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{FutureExt, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

/// Name of the service, unless a variable says another.
const SERVICE_NAME: &str = "gyre";

/// Longest wait for a collector at the end of the process. Two seconds: spans are not worth more.
const FLUSH_WAIT: Duration = Duration::from_secs(2);

const GRPC: &str = "grpc";

const HTTP: &str = "http/protobuf";

/// Which protocol spans are sent by, for them alone.
const TRACES_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL";

/// The same for everything that is sent.
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A variable `OTEL_EXPORTER_OTLP_…` is not what it must be.
    #[error("traces cannot be sent: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The protocol is none of ours.
    #[error("traces cannot be sent: {variable} is {given:?}, expected grpc or http/protobuf")]
    Protocol {
        /// Which variable says so.
        variable: &'static str,
        /// What it says.
        given: String,
    },
    /// TLS cannot be spoken.
    #[error("traces cannot be sent: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP client cannot be made.
    #[error("traces cannot be sent: {0}")]
    Client(#[from] reqwest::Error),
}

/// Makes spans and sends them. Cheap to clone.
#[derive(Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    propagator: Arc<TraceContextPropagator>,
    under_way: Arc<AtomicUsize>,
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").finish_non_exhaustive()
    }
}

/// A call, as its transport knows it before it is answered.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// What is called: a route, or a method with its service. No part of it is of the caller's making.
    pub name: String,
    /// What else there is to say.
    pub attributes: Vec<(&'static str, String)>,
}

impl Traces {
    /// Opens the way to the collector, which need not be there. Has to be called within a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// [`Error`], if a variable `OTEL_EXPORTER_OTLP_…` is not what it must be.
    pub fn open(instance: &str, version: &str) -> Result<Self, Error> {
        let exporter = exporter()?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource(instance, version))
            .build();
        Ok(Self {
            tracer: provider.tracer("gyre"),
            provider,
            propagator: Arc::new(TraceContextPropagator::new()),
            under_way: Arc::default(),
        })
    }

    /// Runs a call within a span of its own, which the functions of this module then speak of.
    /// `finish` tells what is known of the answer.
    ///
    /// # Cancel safety
    ///
    /// A dropped future ends the span.
    pub async fn around<T>(
        &self,
        headers: &HeaderMap,
        call: Call,
        handled: impl Future<Output = T>,
        finish: impl FnOnce(&T) -> Vec<(&'static str, i64)>,
    ) -> T {
        let _under_way = UnderWay::new(&self.under_way);
        let parent = self.propagator.extract(&Headers(headers));
        let attributes = call.attributes.into_iter();
        let attributes = attributes.map(|(name, value)| KeyValue::new(name, value));
        let builder = self
            .tracer
            .span_builder(call.name)
            .with_kind(SpanKind::Server)
            .with_attributes(attributes.collect::<Vec<_>>());
        let span = self.tracer.build_with_context(builder, &parent);
        let context = parent.with_span(span);
        let answer = handled.with_context(context.clone()).await;
        let span = context.span();
        for (name, value) in finish(&answer) {
            span.set_attribute(KeyValue::new(name, value));
        }
        span.end();
        answer
    }

    /// Runs a call of ours within a span that belongs to the trace of `parent`, or else to that of the
    /// present call. `call` is given the headers that tell whom it calls. `failure` tells what went
    /// wrong.
    ///
    /// # Cancel safety
    ///
    /// A dropped future ends the span.
    pub async fn toward<T, F>(
        &self,
        parent: &HeaderMap,
        call: Call,
        make: impl FnOnce(HeaderMap) -> F,
        failure: impl FnOnce(&T) -> Option<&'static str>,
    ) -> T
    where
        F: Future<Output = T>,
    {
        let _under_way = UnderWay::new(&self.under_way);
        let parent = self.propagator.extract(&Headers(parent));
        let attributes = call.attributes.into_iter();
        let attributes = attributes.map(|(name, value)| KeyValue::new(name, value));
        let builder = self
            .tracer
            .span_builder(call.name)
            .with_kind(SpanKind::Client)
            .with_attributes(attributes.collect::<Vec<_>>());
        let span = self.tracer.build_with_context(builder, &parent);
        let context = parent.with_span(span);
        let mut headers = HeaderMap::new();
        self.propagator
            .inject_context(&context, &mut NewHeaders(&mut headers));
        let answer = make(headers).with_context(context.clone()).await;
        let span = context.span();
        if let Some(failure) = failure(&answer) {
            span.set_status(Status::error(failure));
        }
        span.end();
        answer
    }

    /// Calls that have begun and not ended.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Acquire)
    }

    /// Sends what was not sent yet. Blocks for two seconds at most.
    pub fn flush(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH_WAIT) {
            tracing::warn!(%error, "the last spans are lost");
        }
    }
}

/// Counts a call for as long as it lives.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What sends spans, by the protocol that the environment names.
fn exporter() -> Result<SpanExporter, Error> {
    let builder = SpanExporter::builder();
    let (variable, given) = match [TRACES_PROTOCOL, PROTOCOL].map(|name| (name, variable(name))) {
        [(name, Some(given)), _] | [_, (name, Some(given))] => (name, given),
        [_, _] => (PROTOCOL, HTTP.to_owned()),
    };
    match given.as_str() {
        GRPC => Ok(builder.with_tonic().build()?),
        HTTP => {
            let client = http_client::HttpClient::new()?;
            let builder = builder.with_http().with_protocol(Protocol::HttpBinary);
            Ok(builder.with_http_client(client).build()?)
        }
        _ => Err(Error::Protocol { variable, given }),
    }
}

/// A variable of the environment that is not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "the standard variables, which are no options of ours"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn resource(instance: &str, version: &str) -> Resource {
    let own = [
        KeyValue::new("service.instance.id", instance.to_owned()),
        KeyValue::new("service.version", version.to_owned()),
    ];
    let resource = Resource::builder().with_attributes(own.clone()).build();
    let name = resource.get(&"service.name".into());
    let is_named = name.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    if is_named {
        return resource;
    }
    Resource::builder()
        .with_attributes(own)
        .with_service_name(SERVICE_NAME)
        .build()
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

struct NewHeaders<'a>(&'a mut HeaderMap);

impl Injector for NewHeaders<'_> {
    fn set(&mut self, name: &str, value: String) {
        let name = http::HeaderName::from_bytes(name.as_bytes());
        let value = http::HeaderValue::from_str(&value);
        if let (Ok(name), Ok(value)) = (name, value) {
            self.0.insert(name, value);
        }
    }
}

/// Says which channel the present call is about.
pub fn channel(name: &str) {
    annotate(|| KeyValue::new("centrifugo.channel", name.to_owned()));
}

/// Says how many channels the present call is about.
pub fn channels(count: usize) {
    annotate(|| {
        KeyValue::new(
            "centrifugo.num_channels",
            i64::try_from(count).unwrap_or(i64::MAX),
        )
    });
}

/// Says that the present call ended with an error: its number or its kind.
pub fn failed(error: &str) {
    Context::map_current(|context| {
        let span = context.span();
        if span.is_recording() {
            span.set_status(Status::error(error.to_owned()));
        }
    });
}

/// Without a span this costs a look at a variable of the thread.
fn annotate(attribute: impl FnOnce() -> KeyValue) {
    Context::map_current(|context| {
        let span = context.span();
        if span.is_recording() {
            span.set_attribute(attribute());
        }
    });
}
