//! What operators ask a process over HTTP.
//!
//! | path | answers |
//! |---|---|
//! | health, `/health` | 200 `{}` for as long as the process lives |
//! | `/ready` | 200 while it serves; 503 with the reason while it starts or drains |
//! | metrics, `/metrics` | metrics in the text format of Prometheus |

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gyre_telemetry::{Registry, metrics};

use crate::{Parts, Phase, Readiness};

const JSON: [(http::HeaderName, &str); 1] = [(CONTENT_TYPE, "application/json")];

/// `path`, for as long as the process lives, and `/ready` beside it. Option `health`.
///
/// # Panics
///
/// If `path` is not a path: see [`crate::listen::path`].
pub fn health(path: &str, parts: &Parts) -> Router {
    let readiness = parts.readiness.clone();
    Router::new()
        .route(path, get(async || (JSON, "{}")))
        .route("/ready", get(async move || ready(&readiness)))
}

/// `path`, with the current metrics. Option `prometheus`.
///
/// # Panics
///
/// If `path` is not a path: see [`crate::listen::path`].
pub fn prometheus(path: &str, parts: &Parts) -> Router {
    let registry = parts.registry.clone();
    Router::new().route(path, get(async move || scrape(&registry)))
}

fn ready(readiness: &Readiness) -> Response {
    match readiness.phase() {
        Phase::Ready => (JSON, "{\"ready\":true}").into_response(),
        Phase::Starting => unready("{\"ready\":false,\"reason\":\"starting\"}"),
        Phase::Draining => unready("{\"ready\":false,\"reason\":\"draining\"}"),
    }
}

fn unready(body: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, JSON, body).into_response()
}

fn scrape(registry: &Registry) -> Response {
    match registry.encode() {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "metrics cannot be shown");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
