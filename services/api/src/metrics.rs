use std::sync::OnceLock;

use gyre_telemetry::Registry;
use prometheus::{Histogram, HistogramTimer, HistogramVec, IntCounter, IntCounterVec};

use crate::error::Error;
use crate::methods::MethodId;

/// Upper bounds of call durations. Unit: seconds. 100 µs to 10 s, as for commands of clients.
const BUCKETS: &[f64] = &[
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// How a call came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protocol {
    Http,
    Grpc,
}

impl Protocol {
    const COUNT: usize = 2;

    const fn label(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
        }
    }
}

/// Numbers about the calls of the API.
#[derive(Debug)]
pub(crate) struct Metrics {
    durations: HistogramVec,
    errors: IntCounterVec,
    /// Handles by protocol and method, found at the first call: a method that nobody calls does not
    /// show.
    handles: [[OnceLock<Histogram>; MethodId::COUNT]; Protocol::COUNT],
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    ///
    /// A name is taken.
    pub(crate) fn new(registry: &Registry) -> Result<Self, gyre_telemetry::metrics::Error> {
        let durations = registry.histogram_by(
            "api_command_duration_seconds_histogram",
            "Duration of calls of the server API.",
            &["protocol", "method"],
            BUCKETS,
        )?;
        let errors = registry.counter_by(
            "api_command_errors_total",
            "Calls of the server API that ended with an error: its number, or what failed before.",
            &["protocol", "method", "error"],
        )?;
        let handles = std::array::from_fn(|_| std::array::from_fn(|_| OnceLock::new()));
        Ok(Self {
            durations,
            errors,
            handles,
        })
    }

    /// Measures a call until the timer is dropped.
    pub(crate) fn start(&self, protocol: Protocol, method: MethodId) -> Option<HistogramTimer> {
        let handle = self.handles.get(protocol as usize)?.get(method as usize)?;
        let histogram = handle.get_or_init(|| {
            self.durations
                .with_label_values(&[protocol.label(), method.name()])
        });
        Some(histogram.start_timer())
    }

    /// Counts an error.
    pub(crate) fn count_error(&self, protocol: Protocol, method: &str, error: &str) {
        self.errors
            .with_label_values(&[protocol.label(), method, error])
            .inc();
    }

    /// What counts gRPC calls without the key. Their method is not looked at.
    pub(crate) fn refused_grpc(&self) -> IntCounter {
        let labels = [Protocol::Grpc.label(), "", Error::Unauthorized.label()];
        self.errors.with_label_values(&labels)
    }
}
