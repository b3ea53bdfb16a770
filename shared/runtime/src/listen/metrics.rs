use gyre_telemetry::{Registry, metrics};
use prometheus::IntCounter;

/// What listeners count.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    pub(super) accept_errors: IntCounter,
    pub(super) panics: IntCounter,
    pub(super) refused: Refusals,
}

/// Connections that were refused before a request was read, by reason.
#[derive(Clone, Debug)]
pub(super) struct Refusals {
    pub(super) malformed: IntCounter,
    pub(super) too_large: IntCounter,
    pub(super) timeout: IntCounter,
    pub(super) tls: IntCounter,
}

impl Metrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, metrics::Error> {
        let refused = registry.counter_by(
            "listener_refused_total",
            "Connections refused for their TLS handshake or their first request head.",
            &["reason"],
        )?;
        let reason = |reason| refused.with_label_values(&[reason]);
        Ok(Self {
            accept_errors: registry.counter(
                "listener_accept_errors_total",
                "Connections that could not be accepted.",
            )?,
            panics: registry
                .counter("listener_panics_total", "Requests whose handler panicked.")?,
            refused: Refusals {
                malformed: reason("malformed"),
                too_large: reason("too_large"),
                timeout: reason("timeout"),
                tls: reason("tls"),
            },
        })
    }
}
