//! What is counted by transport. A connection looks its counters up once.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use gyre_protocol::codes::Disconnect;
use gyre_session::Frame;
use gyre_telemetry::Registry;
use gyre_telemetry::metrics::Error as RegisterError;
use http::Version;
use parking_lot::Mutex;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::{COMMAND_BUCKETS, OTHER, seconds};
use crate::outgoing::Run;

/// Name of a transport and of the protocol that it came over.
type Name = (&'static str, &'static str);

/// The metrics with a label `transport`.
#[derive(Debug)]
pub(super) struct Transports {
    vectors: Vectors,
    by_name: Mutex<BTreeMap<Name, Arc<Transport>>>,
}

#[derive(Clone, Debug)]
struct Vectors {
    accepted: IntCounterVec,
    inflight: IntGaugeVec,
    ping_pong: HistogramVec,
    sent: IntCounterVec,
    sent_size: IntCounterVec,
    received: IntCounterVec,
    received_size: IntCounterVec,
    closes: IntCounterVec,
}

/// The counters of one transport.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) accepted: IntCounter,
    pub(crate) inflight: IntGauge,
    ping_pong: Histogram,
    /// What was sent, before compression and framing.
    pub(crate) sent: Frames,
    /// What clients sent.
    pub(crate) received: Frames,
    name: &'static str,
    closes: IntCounterVec,
}

/// Messages and their sizes, by kind. A kind that never comes is not shown.
#[derive(Debug)]
pub(crate) struct Frames {
    name: &'static str,
    count: IntCounterVec,
    size: IntCounterVec,
    resolved: [OnceLock<(IntCounter, IntCounter)>; Frame::ALL.len()],
}

impl Transports {
    pub(super) fn new(registry: &Registry) -> Result<Self, RegisterError> {
        let connections = [
            "transport",
            "accept_protocol",
            "client_name",
            "client_version",
        ];
        let messages = ["transport", "frame_type", "channel_namespace"];
        let counter = |name, help, labels: &[&str]| registry.counter_by(name, help, labels);
        let vectors = Vectors {
            accepted: counter(
                "client_connections_accepted",
                "Connections that were accepted.",
                &connections,
            )?,
            inflight: registry.gauge_by(
                "client_connections_inflight",
                "Connections that are open.",
                &connections,
            )?,
            ping_pong: registry.histogram_by(
                "client_ping_pong_duration_seconds",
                "From a ping to its answer.",
                &["transport"],
                COMMAND_BUCKETS,
            )?,
            sent: counter(
                "transport_messages_sent",
                "Messages sent to clients.",
                &messages,
            )?,
            sent_size: counter(
                "transport_messages_sent_size",
                "Bytes of messages sent to clients, before compression and framing.",
                &messages,
            )?,
            received: counter(
                "transport_messages_received",
                "Messages received from clients.",
                &messages,
            )?,
            received_size: counter(
                "transport_messages_received_size",
                "Bytes of messages received from clients, after decompression.",
                &messages,
            )?,
            closes: counter(
                "transport_outgoing_close_count",
                "Connections that the server closed.",
                &["transport", "code"],
            )?,
        };
        Ok(Self {
            vectors,
            by_name: Mutex::default(),
        })
    }

    /// The counters of a transport over this version of HTTP.
    pub(super) fn of(&self, name: &'static str, version: Version) -> Arc<Transport> {
        let protocol = match version {
            Version::HTTP_3 => "h3",
            Version::HTTP_2 => "h2",
            _ => "h1",
        };
        let mut by_name = self.by_name.lock();
        let made = || Arc::new(self.vectors.resolve(name, protocol));
        Arc::clone(by_name.entry((name, protocol)).or_insert_with(made))
    }

    /// Connections that are open, over all transports.
    pub(super) fn inflight(&self) -> i64 {
        let by_name = self.by_name.lock();
        by_name.values().map(|one| one.inflight.get()).sum()
    }
}

impl Vectors {
    fn resolve(&self, name: &'static str, protocol: &'static str) -> Transport {
        let connection = [name, protocol, "", ""];
        let frames = |count: &IntCounterVec, size: &IntCounterVec| Frames {
            name,
            count: count.clone(),
            size: size.clone(),
            resolved: [const { OnceLock::new() }; Frame::ALL.len()],
        };
        Transport {
            accepted: self.accepted.with_label_values(&connection),
            inflight: self.inflight.with_label_values(&connection),
            ping_pong: self.ping_pong.with_label_values(&[name]),
            sent: frames(&self.sent, &self.sent_size),
            received: frames(&self.received, &self.received_size),
            name,
            closes: self.closes.clone(),
        }
    }
}

impl Transport {
    pub(crate) fn pong(&self, took_ms: u64) {
        self.ping_pong.observe(seconds(took_ms));
    }

    /// Counts an end that was the server's. Once a connection: it may look the counter up.
    pub(crate) fn closed(&self, disconnect: &Disconnect) {
        if *disconnect == Disconnect::CONNECTION_CLOSED {
            return;
        }
        let is_ours = Disconnect::ALL
            .iter()
            .any(|known| known.code == disconnect.code);
        let code = disconnect.code.to_string();
        let code = if is_ours { &code } else { OTHER };
        self.closes.with_label_values(&[self.name, code]).inc();
    }
}

impl Frames {
    /// Counts a run of messages.
    pub(crate) fn count(&self, run: Option<Run>) {
        let Some((run, slot)) =
            run.and_then(|run| Some((run, self.resolved.get(run.frame.index())?)))
        else {
            return;
        };
        let (count, size) = slot.get_or_init(|| {
            let labels = [self.name, run.frame.as_str(), ""];
            (
                self.count.with_label_values(&labels),
                self.size.with_label_values(&labels),
            )
        });
        count.inc_by(run.messages);
        size.inc_by(run.bytes);
    }
}
