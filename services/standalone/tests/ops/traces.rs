//! Spans of the real binary, as a collector receives them.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use gyre_runtime::{Identity, Listeners, Parts};
use gyre_telemetry::Registry;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::sync::mpsc;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::Outcome;
use gyre_ports::free_port;

use super::server::{Server, directory, gyre, text};

/// Longest wait for an export. It is a failure to wait that long.
const WAIT: Duration = Duration::from_secs(20);

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

struct Collector(mpsc::Sender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let sent = self.0.send(request.into_inner()).await;
        sent.map_err(|_| Status::unavailable("nobody waits"))?;
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// The same over HTTP.
async fn collect(
    State(sender): State<mpsc::Sender<ExportTraceServiceRequest>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let is_protobuf = headers
        .get("content-type")
        .is_some_and(|kind| kind == "application/x-protobuf");
    let Some(request) = ExportTraceServiceRequest::decode(body)
        .ok()
        .filter(|_| is_protobuf)
    else {
        return StatusCode::BAD_REQUEST;
    };
    match sender.send(request).await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A collector on a port of its own, which speaks both protocols.
struct Bench {
    address: SocketAddr,
    exports: mpsc::Receiver<ExportTraceServiceRequest>,
    _parts: Parts,
}

impl Bench {
    fn start() -> Result<Self, Box<dyn Error>> {
        let (sender, exports) = mpsc::channel(64);
        let parts = Parts::new(Registry::new("collector")?, Identity::new("collector", "0"));
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut listeners = Listeners::bind([any], &parts.registry)?;
        let service = TraceServiceServer::new(Collector(sender.clone()));
        let over_http = Router::new()
            .route("/v1/traces", post(collect))
            .with_state(sender);
        let site = listeners.at(any);
        site.grpc(Routes::new(service).into_axum_router());
        site.route(over_http);
        let (_, address) = listeners.addresses().next().ok_or("not bound")?;
        listeners.run(&parts)?;
        Ok(Self {
            address,
            exports,
            _parts: parts,
        })
    }

    /// Spans with the resource that they came with, until there are as many.
    async fn spans(&mut self, count: usize) -> Result<(Vec<KeyValue>, Vec<Span>), Box<dyn Error>> {
        let (mut resource, mut spans) = (Vec::new(), Vec::new());
        while spans.len() < count {
            let export = tokio::time::timeout(WAIT, self.exports.recv()).await?;
            for part in export.ok_or("the collector ended")?.resource_spans {
                resource = part.resource.unwrap_or_default().attributes;
                let scopes = part.scope_spans.into_iter();
                spans.extend(scopes.flat_map(|scope| scope.spans));
            }
        }
        Ok((resource, spans))
    }
}

/// A text or number among attributes.
#[expect(clippy::wildcard_enum_match_arm, reason = "nobody asks for the others")]
fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|one| one.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_the_api_are_spans_of_the_callers_trace() -> Outcome {
    for protocol in [None, Some("grpc"), Some("http/protobuf")] {
        calls_are_spans(protocol).await?;
    }
    Ok(())
}

async fn calls_are_spans(protocol: Option<&str>) -> Outcome {
    let mut bench = Bench::start()?;
    let path = directory()?.join("traces.json");
    std::fs::write(
        &path,
        r#"{"opentelemetry":{"enabled":true,"api":true},"http_api":{"insecure":true}}"#,
    )?;
    let endpoint = format!("http://{}", bench.address);
    let mut command = gyre(&["-c", path.to_str().ok_or("path is not text")?]);
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_BSP_SCHEDULE_DELAY", "100");
    if let Some(protocol) = protocol {
        command.env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
    }
    let mut server = Server::of(command)?;

    let body = "{\"channel\":\"news\",\"data\":{}}";
    let traced = format!(
        "POST /api/publish HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\
         traceparent: 00-{TRACE}-b7ad6b7169203331-01\r\n\r\n{body}",
        body.len()
    );
    assert!(server.exchange(&traced)?.starts_with("HTTP/1.1 200 "));
    let (resource, spans) = bench.spans(1).await?;
    let span = spans.first().ok_or("no span")?;
    assert_eq!(span.name, "POST /api/publish");
    assert_eq!(hex(&span.trace_id), TRACE);
    assert_eq!(hex(&span.parent_span_id), "b7ad6b7169203331");
    let of = |name| attribute(&span.attributes, name);
    assert_eq!(of("centrifugo.channel").as_deref(), Some("news"));
    assert_eq!(of("http.route").as_deref(), Some("/api/publish"));
    assert_eq!(of("http.response.status_code").as_deref(), Some("200"));
    assert_eq!(
        attribute(&resource, "service.name").as_deref(),
        Some("gyre")
    );
    let version = attribute(&resource, "service.version");
    assert_eq!(version.as_deref(), Some(env!("CARGO_PKG_VERSION")));

    server.post("/api/broadcast", "{\"channels\":[\"a\",\"b\"],\"data\":{}}")?;
    server.post("/api/publish", "{\"channel\":\"none:news\",\"data\":{}}")?;
    // What was not sent yet is sent at the end.
    server.signal("TERM")?;
    assert_eq!(server.wait()?, Some(0));
    let (_, spans) = bench.spans(2).await?;
    let named = |name: &str| spans.iter().find(|span| span.name == name);
    let broadcast = named("POST /api/broadcast").ok_or("no broadcast")?;
    let count = attribute(&broadcast.attributes, "centrifugo.num_channels");
    assert_eq!(count.as_deref(), Some("2"));
    let failed = named("POST /api/publish").ok_or("no publish")?;
    let status = failed.status.as_ref().ok_or("no status")?;
    assert_eq!((status.code, status.message.as_str()), (2, "102"));
    Ok(())
}

#[test]
fn a_protocol_that_is_none_is_named() -> Outcome {
    let mut command = gyre(&["-a", "127.0.0.1", "-p", &free_port()?.to_string()]);
    command
        .env("GYRE_OPENTELEMETRY_ENABLED", "true")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    let output = command.output()?;
    assert_eq!(output.status.code(), Some(64));
    let told = text(&output.stderr);
    assert!(told.contains("OTEL_EXPORTER_OTLP_PROTOCOL is"), "{told}");
    Ok(())
}

#[test]
fn without_a_collector_calls_are_answered() -> Outcome {
    for protocol in ["grpc", "http/protobuf"] {
        nobody_collects(protocol)?;
    }
    Ok(())
}

fn nobody_collects(protocol: &str) -> Outcome {
    let path = directory()?.join("no-collector.json");
    std::fs::write(
        &path,
        r#"{"opentelemetry":{"enabled":true,"api":true},"http_api":{"insecure":true}}"#,
    )?;
    let mut command = gyre(&["-c", path.to_str().ok_or("path is not text")?]);
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
    let mut server = Server::of(command)?;
    let answer = server.post("/api/publish", "{\"channel\":\"news\",\"data\":{}}")?;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    server.signal("TERM")?;
    assert_eq!(
        server.wait()?,
        Some(0),
        "the end does not wait for a collector"
    );
    Ok(())
}
