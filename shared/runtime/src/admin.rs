//! What operators ask a process over HTTP.
//!
//! | path | answers |
//! |---|---|
//! | health, `/health` | 200 `{}` for as long as the process lives |
//! | `/ready` | 200 while it serves; 503 with the reason while it starts or drains, or cannot do anything |
//! | metrics, `/metrics` | metrics in the text format of Prometheus |

use std::fmt::Write as _;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gyre_telemetry::{Registry, metrics};

use crate::{Health, Parts, Phase, Readiness};

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
        Phase::Ready => able(readiness.needs()),
        Phase::Starting => unready("starting"),
        Phase::Draining => unready("draining"),
    }
}

/// What a process that serves can do, seeing what it needs.
fn able(needs: Vec<(&'static str, Health)>) -> Response {
    let mut degraded = String::new();
    for (name, health) in needs {
        match health {
            Health::Good => {}
            Health::Failed(reason) => return unready(&format!("{name}: {reason}")),
            Health::Degraded(reason) => {
                let comma = if degraded.is_empty() { "" } else { "," };
                // Reasons are plain text, which looks the same in JSON.
                let _ = write!(degraded, "{comma}{:?}", format!("{name}: {reason}"));
            }
        }
    }
    if degraded.is_empty() {
        return (JSON, "{\"ready\":true}").into_response();
    }
    let body = format!("{{\"ready\":true,\"degraded\":[{degraded}]}}");
    (JSON, body).into_response()
}

fn unready(reason: &str) -> Response {
    let body = format!("{{\"ready\":false,\"reason\":{reason:?}}}");
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

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;
    use crate::{Drain, Leaving};

    async fn told(readiness: &Readiness) -> (u16, String) {
        let response = ready(readiness);
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1000).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    fn readiness(needs: &[Health]) -> Readiness {
        let readiness = Readiness::new(Drain::default(), Leaving::default());
        readiness.set_ready();
        for need in needs {
            let need = need.clone();
            readiness.depend("bus", move || need.clone());
        }
        readiness
    }

    #[tokio::test]
    async fn what_is_needed_decides_and_what_is_degraded_is_named() {
        let (worse, gone) = (
            Health::Degraded("1 of 3 is away".to_owned()),
            Health::Failed("away".to_owned()),
        );
        for (needs, status, body) in [
            (vec![], 200, r#"{"ready":true}"#),
            (vec![Health::Good], 200, r#"{"ready":true}"#),
            (
                vec![worse.clone(), Health::Good, worse.clone()],
                200,
                r#"{"ready":true,"degraded":["bus: 1 of 3 is away","bus: 1 of 3 is away"]}"#,
            ),
            (
                vec![worse, gone],
                503,
                r#"{"ready":false,"reason":"bus: away"}"#,
            ),
        ] {
            assert_eq!(told(&readiness(&needs)).await, (status, body.to_owned()));
        }
    }

    #[tokio::test]
    async fn a_process_that_has_not_begun_is_not_asked_for_more() {
        let readiness = Readiness::new(Drain::default(), Leaving::default());
        readiness.depend("bus", || Health::Failed("away".to_owned()));
        let body = r#"{"ready":false,"reason":"starting"}"#;
        assert_eq!(told(&readiness).await, (503, body.to_owned()));
    }
}
