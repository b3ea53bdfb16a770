//! What is told of a call: metrics, a line in the log, a span.

pub(crate) mod metrics;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gyre_telemetry::Traces;
use gyre_telemetry::traces::Call;
use http::HeaderMap;
use tokio::time::Instant;

use self::metrics::{Metrics, ProxyMetrics};
use crate::context::ClientContext;
use crate::error::CallError;
use crate::messages::event::Event;

/// Lines about failures that one proxy writes at most: one in this time. Unit: milliseconds.
///
/// One second: an outage fails thousands of calls, and one line says it.
const LINE_MS_MIN: u64 = 1_000;

/// What all proxies report to.
#[derive(Clone, Debug)]
pub(crate) struct Reports {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) traces: Option<Traces>,
}

/// Tells about the calls of one proxy.
#[derive(Debug)]
pub(crate) struct Observer {
    reports: Reports,
    metrics: ProxyMetrics,
    protocol: &'static str,
    name: Box<str>,
    started: Instant,
    /// When the last line about a failure was written. Unit: milliseconds since the start; 0: never.
    last_line: AtomicU64,
    /// Failures since then.
    unsaid: AtomicU64,
}

impl Observer {
    pub(crate) fn new(reports: &Reports, protocol: &'static str, name: &str) -> Self {
        Self {
            metrics: ProxyMetrics::new(&reports.metrics, protocol, name),
            reports: reports.clone(),
            protocol,
            name: name.into(),
            started: Instant::now(),
            last_line: AtomicU64::new(0),
            unsaid: AtomicU64::new(0),
        }
    }

    /// Runs a call and tells about it. `call` is given the headers of the trace that it belongs to.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped call is not counted as ended.
    pub(crate) async fn around<T, A>(
        &self,
        event: Event,
        client: &ClientContext,
        call: impl FnOnce(HeaderMap) -> A,
    ) -> Result<T, CallError>
    where
        A: Future<Output = Result<T, CallError>>,
    {
        let metrics = self.metrics.of(&self.reports.metrics, event);
        let _in_flight = metrics.begin();
        let started = Instant::now();
        let outcome = match &self.reports.traces {
            None => call(client.trace.clone()).await,
            Some(traces) => {
                let span = self.span(event);
                let failure =
                    |outcome: &Result<T, CallError>| outcome.as_ref().err().map(CallError::as_str);
                traces.toward(&client.trace, span, call, failure).await
            }
        };
        let took = started.elapsed();
        metrics.ended(took, outcome.is_ok());
        match &outcome {
            Ok(_) => tracing::trace!(%event, proxy = &*self.name, ?took, "backend answered"),
            Err(error) => self.failed(event, took, error),
        }
        outcome
    }

    /// Says whether calls fail at once.
    pub(crate) fn open(&self, is_open: bool) {
        self.metrics.open(is_open);
    }

    fn span(&self, event: Event) -> Call {
        Call {
            name: format!("proxy {event}"),
            attributes: vec![
                ("gyre.proxy.name", self.name.to_string()),
                ("gyre.proxy.protocol", self.protocol.to_owned()),
            ],
        }
    }

    fn failed(&self, event: Event, took: Duration, error: &CallError) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX) + 1;
        let last = self.last_line.load(Ordering::Relaxed);
        let is_due = last == 0 || now.saturating_sub(last) >= LINE_MS_MIN;
        let wins = is_due
            && self
                .last_line
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !wins {
            self.unsaid.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let more = self.unsaid.swap(0, Ordering::Relaxed);
        let why: &(dyn std::error::Error + 'static) = error;
        tracing::warn!(%event, proxy = &*self.name, ?took, more, error = why, "no answer of the backend");
    }
}
