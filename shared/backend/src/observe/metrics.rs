//! Every metric of calls to backends: name, labels, meaning.

use std::sync::OnceLock;
use std::time::Duration;

use gyre_telemetry::Registry;
use gyre_telemetry::metrics::Error as RegisterError;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::messages::event::Event;

/// Upper bounds of the duration of calls. Unit: seconds.
const BUCKETS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// What all proxies count together.
#[derive(Debug)]
pub(crate) struct Metrics {
    durations: HistogramVec,
    errors: IntCounterVec,
    in_flight: IntGaugeVec,
    open: IntGaugeVec,
}

impl Metrics {
    /// Registers all of them.
    ///
    /// # Errors
    ///
    /// Another part of the process has registered one of the names.
    pub(crate) fn new(registry: &Registry) -> Result<Self, RegisterError> {
        let labels = ["protocol", "type", "name"];
        Ok(Self {
            durations: registry.histogram_by(
                "proxy_duration_seconds_histogram",
                "From an event to the application backend's answer.",
                &labels,
                BUCKETS,
            )?,
            errors: registry.counter_by(
                "proxy_errors",
                "Events that the application backend did not answer.",
                &labels,
            )?,
            in_flight: registry.gauge_by(
                "proxy_inflight_requests",
                "Events that wait for the application backend's answer.",
                &labels,
            )?,
            open: registry.gauge_by(
                "proxy_circuit_breaker_open",
                "Whether calls of the application backend fail at once.",
                &["protocol", "name"],
            )?,
        })
    }
}

/// What one proxy counts, by event: nothing is looked up by label in a call but in the first.
#[derive(Debug)]
pub(crate) struct ProxyMetrics {
    events: [OnceLock<EventMetrics>; Event::ALL.len()],
    open: IntGauge,
    protocol: &'static str,
    name: Box<str>,
}

/// What is counted of one event.
#[derive(Debug)]
pub(crate) struct EventMetrics {
    durations: Histogram,
    errors: IntCounter,
    in_flight: IntGauge,
}

impl ProxyMetrics {
    pub(crate) fn new(metrics: &Metrics, protocol: &'static str, name: &str) -> Self {
        Self {
            events: Default::default(),
            open: metrics.open.with_label_values(&[protocol, name]),
            protocol,
            name: name.into(),
        }
    }

    /// The handles of an event.
    pub(crate) fn of(&self, metrics: &Metrics, event: Event) -> &EventMetrics {
        let labels = [self.protocol, event.as_str(), &*self.name];
        let make = || EventMetrics {
            durations: metrics.durations.with_label_values(&labels),
            errors: metrics.errors.with_label_values(&labels),
            in_flight: metrics.in_flight.with_label_values(&labels),
        };
        #[expect(clippy::indexing_slicing, reason = "one place for every event")]
        self.events[event as usize].get_or_init(make)
    }

    /// Says whether calls fail at once.
    pub(crate) fn open(&self, is_open: bool) {
        self.open.set(is_open.into());
    }
}

impl EventMetrics {
    /// A call begins; it is under way until what this returns is dropped.
    pub(crate) fn begin(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight(&self.in_flight)
    }

    /// A call has ended.
    pub(crate) fn ended(&self, took: Duration, is_ok: bool) {
        self.durations.observe(took.as_secs_f64());
        if !is_ok {
            self.errors.inc();
        }
    }
}

/// A call that is under way.
#[derive(Debug)]
pub(crate) struct InFlight<'a>(&'a IntGauge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_place() {
        for (place, event) in Event::ALL.into_iter().enumerate() {
            assert_eq!(event as usize, place);
        }
    }
}
