//! HTTP layers that every service may put around its routes.

use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use gyre_telemetry::traces::Call;
use gyre_telemetry::{Registry, Traces, metrics};
use http::Method;
use prometheus::IntCounterVec;
use tokio::time::sleep;

use crate::{OnExit, Parts};

/// How often calls are looked for that the end waits for. 20 ms: nobody notices.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Counts requests by route, method and status. Option `prometheus.instrument_http_handlers`.
#[derive(Clone, Debug)]
pub struct RequestCounter {
    requests: IntCounterVec,
}

impl RequestCounter {
    /// Registers `node_incoming_http_requests_total`.
    ///
    /// # Errors
    ///
    /// If it is registered already.
    pub fn new(registry: &Registry) -> Result<Self, metrics::Error> {
        let requests = registry.counter_by(
            "node_incoming_http_requests_total",
            "HTTP requests that were answered.",
            &["path", "method", "status"],
        )?;
        Ok(Self { requests })
    }

    /// Counts what these routes answer.
    pub fn around(&self, routes: Router) -> Router {
        let requests = self.requests.clone();
        routes.layer(from_fn(move |request: Request, next: Next| {
            let requests = requests.clone();
            async move {
                let path = request.extensions().get::<MatchedPath>().cloned();
                let method = method(request.method());
                let response = next.run(request).await;
                let path = path.as_ref().map_or("other", MatchedPath::as_str);
                let status = response.status();
                let labels = [path, method, status.as_str()];
                requests.with_label_values(&labels).inc();
                response
            }
        }))
    }
}

/// Traces calls of the server API. Options `opentelemetry.enabled` and `opentelemetry.api`.
#[derive(Clone, Debug)]
pub struct CallTracer {
    traces: Traces,
}

/// How calls come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallKind {
    /// Each method at a path of its own.
    Http,
    /// gRPC.
    Grpc,
}

impl CallTracer {
    /// Sends spans with these traces, to the last call of the drain.
    pub fn new(traces: Traces, parts: &Parts) -> Self {
        let (last, drain) = (traces.clone(), parts.tasks.drain().clone());
        parts.tasks.spawn("traces", OnExit::Ignore, async move {
            drain.draining().await;
            while last.under_way() > 0 {
                sleep(LOOK_INTERVAL).await;
            }
            // Blocks until the collector has answered.
            drop(tokio::task::spawn_blocking(move || last.flush()).await);
        });
        Self { traces }
    }

    /// Where its spans go.
    #[must_use]
    pub fn traces(&self) -> Traces {
        self.traces.clone()
    }

    /// Traces what these routes answer.
    pub fn around(&self, routes: Router, kind: CallKind) -> Router {
        let traces = self.traces.clone();
        routes.layer(from_fn(move |request: Request, next: Next| {
            let traces = traces.clone();
            async move {
                let call = call(&request, kind);
                let headers = request.headers().clone();
                let handled = next.run(request);
                traces
                    .around(&headers, call, handled, |answer| told(answer, kind))
                    .await
            }
        }))
    }
}

/// What is known of a call before it is answered. Names are those of the semantic conventions.
fn call(request: &Request, kind: CallKind) -> Call {
    let path = request.uri().path();
    match kind {
        CallKind::Http => {
            let route = request.extensions().get::<MatchedPath>();
            let route = route.map_or("other", MatchedPath::as_str);
            let method = request.method();
            Call {
                name: format!("{method} {route}"),
                attributes: vec![
                    ("http.request.method", method.to_string()),
                    ("http.route", route.to_owned()),
                    ("url.path", path.to_owned()),
                ],
            }
        }
        CallKind::Grpc => {
            let (service, method) = path
                .trim_start_matches('/')
                .rsplit_once('/')
                .unwrap_or_default();
            Call {
                name: format!("{service}/{method}"),
                attributes: vec![
                    ("rpc.system", "grpc".to_owned()),
                    ("rpc.service", service.to_owned()),
                    ("rpc.method", method.to_owned()),
                ],
            }
        }
    }
}

/// What is known of the answer.
fn told(answer: &Response, kind: CallKind) -> Vec<(&'static str, i64)> {
    match kind {
        CallKind::Http => vec![(
            "http.response.status_code",
            i64::from(answer.status().as_u16()),
        )],
        CallKind::Grpc => {
            // Only in the head if there is no message; else it comes last.
            let status = answer.headers().get("grpc-status");
            let status = status.and_then(|status| status.to_str().ok()?.parse().ok());
            status
                .map(|status| ("rpc.grpc.status_code", status))
                .into_iter()
                .collect()
        }
    }
}

/// A label with bounded values: anybody may send any word as a method.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::POST => "post",
        Method::PUT => "put",
        Method::DELETE => "delete",
        Method::HEAD => "head",
        Method::OPTIONS => "options",
        Method::PATCH => "patch",
        _ => "other",
    }
}
