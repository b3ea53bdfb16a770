//! `health`, `prometheus` and `swagger`: what operators and their tools ask.

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
    /// A page to try the server API over HTTP, and its description as an OpenAPI document.
    pub struct Swagger {
        /// Serves the page.
        enabled: bool;
        /// Path of the page.
        handler_prefix: String = "/swagger".to_owned();
    }
}

options! {
    /// Traces over OTLP.
    pub struct OpenTelemetry {
        /// Sends traces. Where to is said by the standard variables `OTEL_…` of the environment, and how by
        /// `OTEL_EXPORTER_OTLP_PROTOCOL`: `http/protobuf`, which is the default, or `grpc`.
        enabled: bool;
        /// Traces calls of the server API.
        api: bool;
        /// Traces calls of the application backend.
        proxy: bool;
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
