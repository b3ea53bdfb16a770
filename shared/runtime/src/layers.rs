//! HTTP layers that every service may put around its routes.

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use gyre_telemetry::{Registry, metrics};
use http::Method;
use prometheus::IntCounterVec;

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
