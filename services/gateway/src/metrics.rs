//! Every metric of the gateway: name, labels, meaning.

mod transport;

use std::collections::BTreeMap;
use std::sync::Arc;

use gyre_config::Prometheus;
use gyre_protocol::codes::{Disconnect, Error, Unsubscribe};
use gyre_session::{Method, Observation};
use gyre_telemetry::Registry;
use gyre_telemetry::metrics::Error as RegisterError;
use http::Version;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

use self::transport::Transports;
pub(crate) use self::transport::{Frames, Transport};

/// Upper bounds of command durations. Unit: seconds.
const COMMAND_BUCKETS: &[f64] = &[
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Upper bounds of what a recovery brings. Unit: publications.
const RECOVERED_BUCKETS: &[f64] = &[
    0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_000.0, 5_000.0,
    10_000.0,
];

/// Label value of what is not one of ours, a code of the application say.
const OTHER: &str = "other";

/// Handles, resolved once: nothing is looked up by label while serving.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) messages_sent: Messages,
    pub(crate) messages_received: Messages,
    pub(crate) actions: Actions,
    pub(crate) connection_limit: IntCounter,
    commands: BTreeMap<&'static str, Histogram>,
    reply_errors: IntCounterVec,
    subscriptions_accepted: IntCounter,
    subscriptions_inflight: IntGauge,
    server_unsubscribes: ByCode,
    server_disconnects: ByCode,
    recover: IntCounterVec,
    /// With option `prometheus.recovered_publications_histogram`.
    recovered: Option<Histogram>,
    transports: Transports,
    filtered: IntCounter,
    /// Channels that were compared with their streams.
    pub(crate) gaps: IntCounter,
    /// Publications that were delivered later.
    pub(crate) repaired: IntCounter,
}

/// Messages between node and engine, by type.
#[derive(Debug)]
pub(crate) struct Messages {
    pub(crate) publication: IntCounter,
    pub(crate) join: IntCounter,
    pub(crate) leave: IntCounter,
}

/// What the node did, by action.
#[derive(Debug)]
pub(crate) struct Actions {
    pub(crate) add_client: IntCounter,
    pub(crate) remove_client: IntCounter,
    pub(crate) add_subscription: IntCounter,
    pub(crate) remove_subscription: IntCounter,
    pub(crate) add_presence: IntCounter,
    pub(crate) remove_presence: IntCounter,
    pub(crate) presence: IntCounter,
    pub(crate) presence_stats: IntCounter,
    pub(crate) history: IntCounter,
    pub(crate) history_recover: IntCounter,
    pub(crate) history_recover_cache: IntCounter,
    pub(crate) history_stream_top: IntCounter,
}

/// Counters by code, those of the protocol resolved.
#[derive(Debug)]
struct ByCode {
    known: BTreeMap<u32, IntCounter>,
    other: IntCounter,
}

impl ByCode {
    fn inc(&self, code: u32) {
        self.known.get(&code).unwrap_or(&self.other).inc();
    }
}

impl Metrics {
    /// Registers all of them that are wanted.
    ///
    /// # Errors
    ///
    /// Another part of the process has registered one of the names.
    pub(crate) fn new(registry: &Registry, options: &Prometheus) -> Result<Self, RegisterError> {
        let namespace = "channel_namespace";
        let recover = ["recovered", namespace, "has_recovered_publications"];
        Ok(Self {
            messages_sent: messages(registry, "node_messages_sent_count", "sent to")?,
            messages_received: messages(registry, "node_messages_received_count", "received from")?,
            actions: actions(registry)?,
            connection_limit: registry.counter(
                "node_client_connection_limit",
                "Connections refused because a limit was reached.",
            )?,
            commands: commands(registry)?,
            reply_errors: registry.counter_by(
                "client_num_reply_errors",
                "Commands answered with an error.",
                &["method", "code", namespace],
            )?,
            subscriptions_accepted: registry
                .counter_by(
                    "client_subscriptions_accepted",
                    "Subscriptions that began.",
                    &["client_name", namespace],
                )?
                .with_label_values(&["", ""]),
            subscriptions_inflight: registry
                .gauge_by(
                    "client_subscriptions_inflight",
                    "Subscriptions that are live.",
                    &["client_name", namespace],
                )?
                .with_label_values(&["", ""]),
            server_unsubscribes: unsubscribes(registry)?,
            server_disconnects: disconnects(registry)?,
            recover: registry.counter_by(
                "client_recover",
                "Recoveries that were tried.",
                &recover,
            )?,
            recovered: options
                .recovered_publications_histogram
                .then(|| recovered(registry))
                .transpose()?,
            transports: Transports::new(registry)?,
            filtered: registry
                .counter_by(
                    "node_tags_filter_dropped_publications",
                    "Publications that did not pass a subscriber's filter.",
                    &[namespace],
                )?
                .with_label_values(&[""]),
            gaps: registry.counter(
                "gateway_gaps_total",
                "Channels that were compared with their streams because the engine lost something on the way.",
            )?,
            repaired: registry.counter(
                "gateway_repaired_publications_total",
                "Publications that were lost on the way and delivered from history.",
            )?,
        })
    }

    /// The counters of a transport over this version of HTTP.
    pub(crate) fn transport(&self, name: &'static str, version: Version) -> Arc<Transport> {
        self.transports.of(name, version)
    }

    pub(crate) fn observed(&self, transport: &Transport, observation: &Observation) {
        match observation {
            Observation::Answered {
                method,
                took_ms,
                error,
            } => {
                let name = method.as_str();
                if let Some(histogram) = self.commands.get(name) {
                    histogram.observe(seconds(*took_ms));
                }
                if let Some(code) = error {
                    let code = label_of(*code);
                    self.reply_errors
                        .with_label_values(&[name, &code, ""])
                        .inc();
                }
            }
            Observation::SubscriptionBegan => {
                self.subscriptions_accepted.inc();
                self.subscriptions_inflight.inc();
            }
            Observation::SubscriptionEnded => self.subscriptions_inflight.dec(),
            Observation::ServerUnsubscribed { code } => self.server_unsubscribes.inc(*code),
            Observation::Recovery {
                recovered,
                publications,
            } => {
                let labels = [yes(*recovered), "", yes(*publications > 0)];
                self.recover.with_label_values(&labels).inc();
                if let Some(histogram) = self.recovered.as_ref().filter(|_| *recovered) {
                    let count = u64::try_from(*publications).unwrap_or(u64::MAX);
                    histogram.observe(float(count));
                }
            }
            Observation::Pong { took_ms } => transport.pong(*took_ms),
            Observation::Filtered => self.filtered.inc(),
        }
    }

    /// What the API's `info` shows of them, by the names that its readers know.
    pub(crate) fn summary(&self, namespace: &str) -> BTreeMap<String, f64> {
        let mut items = BTreeMap::new();
        let mut put = |name: &str, value: f64| {
            items.insert(format!("{namespace}.{name}"), value);
        };
        let sent = self.messages_sent.publication.get();
        put("node.messages_sent_count.type.publication", float(sent));
        let received = self.messages_received.publication.get();
        put(
            "node.messages_received_count.type.publication",
            float(received),
        );
        let inflight = u64::try_from(self.transports.inflight()).unwrap_or(0);
        put("client.connections_inflight", float(inflight));
        for (method, histogram) in &self.commands {
            let name = format!("client.command_duration_seconds.count.method.{method}");
            put(&name, float(histogram.get_sample_count()));
        }
        items
    }

    pub(crate) fn disconnected(&self, disconnect: &Disconnect) {
        if *disconnect != Disconnect::CONNECTION_CLOSED {
            self.server_disconnects.inc(disconnect.code);
        }
    }
}

/// Codes of the protocol; those of applications would be labels without bound.
fn label_of(code: u32) -> String {
    if Error::ALL.iter().any(|error| error.code == code) {
        code.to_string()
    } else {
        OTHER.to_owned()
    }
}

const fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// A count as readers of JSON get it.
fn float(count: u64) -> f64 {
    let (high, low) = (count >> 32, count & u64::from(u32::MAX));
    let half = |bits: u64| u32::try_from(bits).map_or(0.0, f64::from);
    half(high) * 4_294_967_296.0 + half(low)
}

fn seconds(millis: u64) -> f64 {
    std::time::Duration::from_millis(millis).as_secs_f64()
}

fn commands(registry: &Registry) -> Result<BTreeMap<&'static str, Histogram>, RegisterError> {
    let all = registry.histogram_by(
        "client_command_duration_seconds_histogram",
        "From a client's command to its answer.",
        &["method", "channel_namespace"],
        COMMAND_BUCKETS,
    )?;
    let names = Method::ALL.iter().map(|method| method.as_str());
    Ok(names
        .map(|name| (name, all.with_label_values(&[name, ""])))
        .collect())
}

fn recovered(registry: &Registry) -> Result<Histogram, RegisterError> {
    let all = registry.histogram_by(
        "client_recovered_publications",
        "How many publications a recovery brought.",
        &["channel_namespace"],
        RECOVERED_BUCKETS,
    )?;
    Ok(all.with_label_values(&[""]))
}

fn unsubscribes(registry: &Registry) -> Result<ByCode, RegisterError> {
    let all = registry.counter_by(
        "client_num_server_unsubscribes",
        "Subscriptions that the server ended.",
        &["code", "channel_namespace"],
    )?;
    let of = |label: &str| all.with_label_values(&[label, ""]);
    Ok(ByCode {
        known: Unsubscribe::ALL
            .iter()
            .map(|end| (end.code, of(&end.code.to_string())))
            .collect(),
        other: of(OTHER),
    })
}

fn disconnects(registry: &Registry) -> Result<ByCode, RegisterError> {
    let all = registry.counter_by(
        "client_num_server_disconnects",
        "Connections that the server ended.",
        &["code"],
    )?;
    let of = |label: &str| all.with_label_values(&[label]);
    Ok(ByCode {
        known: Disconnect::ALL
            .iter()
            .map(|end| (end.code, of(&end.code.to_string())))
            .collect(),
        other: of(OTHER),
    })
}

fn messages(registry: &Registry, name: &str, way: &str) -> Result<Messages, RegisterError> {
    let help = format!("Messages {way} the engine.");
    let all = registry.counter_by(name, &help, &["type", "channel_namespace"])?;
    Ok(Messages {
        publication: all.with_label_values(&["publication", ""]),
        join: all.with_label_values(&["join", ""]),
        leave: all.with_label_values(&["leave", ""]),
    })
}

fn actions(registry: &Registry) -> Result<Actions, RegisterError> {
    let labels = ["action", "channel_namespace"];
    let all = registry.counter_by("node_action_count", "What the node did.", &labels)?;
    let action = |name: &str| all.with_label_values(&[name, ""]);
    Ok(Actions {
        add_client: action("add_client"),
        remove_client: action("remove_client"),
        add_subscription: action("add_subscription"),
        remove_subscription: action("remove_subscription"),
        add_presence: action("add_presence"),
        remove_presence: action("remove_presence"),
        presence: action("presence"),
        presence_stats: action("presence_stats"),
        history: action("history"),
        history_recover: action("history_recover"),
        history_recover_cache: action("history_recover_cache"),
        history_stream_top: action("history_stream_top"),
    })
}
