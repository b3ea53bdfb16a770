//! `health` and `prometheus`: what operators and their tools ask.

use crate::tree::options;

options! {
    /// Health endpoint.
    pub struct Health {
        /// Serves the endpoint.
        enabled: bool;
        /// Path of the endpoint.
        handler_prefix: String = "/health".to_owned();
    }
}

options! {
    /// Metrics in the text format of Prometheus.
    pub struct Prometheus {
        /// Serves the endpoint.
        enabled: bool;
        /// Path of the endpoint.
        handler_prefix: String = "/metrics".to_owned();
        /// Counts and times HTTP requests, by endpoint and status.
        instrument_http_handlers: bool;
        /// Observes how many publications each recovery brings.
        recovered_publications_histogram: bool;
        /// Exposes histograms in the native form of Prometheus.
        native_histograms: bool;
        /// First part of every metric's name. `centrifugo` lets its public dashboards work.
        namespace: String = "gyre".to_owned();
    }
}
