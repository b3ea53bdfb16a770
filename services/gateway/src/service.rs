use std::sync::Arc;
use std::time::Duration;

use gyre_auth::{SetupError, Verifier};
use gyre_config::Config;
use gyre_engine::{Engine, Gateway as Entry};
use gyre_policy::Policy;
use gyre_proto::gateway::gateway_service_server::GatewayServiceServer;
use gyre_runtime::{Intercept, OnExit, Parts};
use gyre_session::Settings;
use gyre_telemetry::metrics::Error as RegisterError;
use tokio::time::Instant;

use crate::admission::Admission;
use crate::connection::Limits;
use crate::connections::Connections;
use crate::control::Commands;
use crate::endpoint::Endpoint;
use crate::inlet::Delivery;
use crate::mailbox::Signal;
use crate::metrics::Metrics;
use crate::node::{Node, Options};
use crate::websocket::{self, Compression, Origins};
use crate::wheel::Wheel;

/// Message limit where the option sets none. Unit: bytes. 4 MiB: what a gRPC message may have too.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a gateway needs of others.
#[derive(Debug)]
pub struct Deps {
    /// Where publications, presence and history are.
    pub engine: Engine,
    /// The inlet that the engine was opened with.
    pub delivery: Arc<Delivery>,
    /// Namespaces and permissions.
    pub policy: Arc<Policy>,
}

/// Why a gateway cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A key or a rule for tokens is wrong.
    #[error(transparent)]
    Tokens(#[from] SetupError),
    /// `client.allowed_origins` has a pattern that is none.
    #[error("client.allowed_origins: {0}")]
    Origins(#[from] websocket::origin::PatternError),
    /// `client.user_id_http_header` is no name of a header.
    #[error("client.user_id_http_header: {0}")]
    UserHeader(#[from] http::header::InvalidHeaderName),
}

/// The gateway, built and not running.
#[derive(Debug)]
pub struct Gateway {
    node: Arc<Node>,
    endpoint: Option<Arc<Endpoint>>,
}

impl Gateway {
    /// The inlet that the engine has to be opened with, before the gateway is built.
    ///
    /// # Errors
    ///
    /// Another part of the process has registered one of the gateway's metrics.
    pub fn delivery(parts: &Parts) -> Result<Arc<Delivery>, RegisterError> {
        let metrics = Arc::new(Metrics::new(&parts.registry)?);
        Ok(Arc::new(Delivery {
            hub: Arc::default(),
            metrics,
        }))
    }

    /// Builds the gateway. Starts nothing.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn build(config: &Config, deps: Deps, parts: &Parts) -> Result<Self, BuildError> {
        let client = &config.client;
        let version = parts.identity.version.as_str();
        let node = Arc::new(Node {
            settings: Arc::new(Settings::new(config, deps.policy, version)),
            options: options(config)?,
            hub: Arc::clone(&deps.delivery.hub),
            engine: deps.engine,
            verifier: Verifier::new(client)?,
            connections: Connections::default(),
            wheel: Arc::new(Wheel::new(zero(parts))),
            clock: parts.clock.clone(),
            metrics: Arc::clone(&deps.delivery.metrics),
            tasks: parts.tasks.clone(),
            identity: Arc::clone(&parts.identity),
        });
        let admission = Admission::new(
            client.connection_limit.get(),
            client.connection_rate_limit.get(),
        );
        let endpoint = if config.websocket.disabled {
            None
        } else {
            Some(Arc::new(endpoint(config, &node, Arc::new(admission))?))
        };
        Ok(Self { node, endpoint })
    }

    /// What takes client connections over before hyper sees them, if the transport is on.
    #[must_use]
    pub fn intercept(&self) -> Option<Arc<dyn Intercept>> {
        let endpoint = Arc::clone(self.endpoint.as_ref()?);
        Some(endpoint)
    }

    /// The service that other processes, or others in this one, command connections through.
    #[must_use]
    pub fn server(&self) -> GatewayServiceServer<Commands> {
        GatewayServiceServer::new(Commands::new(Arc::clone(&self.node)))
    }

    /// Starts the gateway's tasks; they end with the drain.
    pub fn run(self, parts: &Parts) {
        let wheel = Arc::clone(&self.node.wheel);
        parts.tasks.spawn_background("timing wheel", wheel.run());
        gauges(&self.node, parts);
        let node = self.node;
        let drain = parts.tasks.drain().clone();
        parts.tasks.spawn("gateway", OnExit::Ignore, async move {
            announce(&node).await;
            drain.draining().await;
            for handle in node.connections.everyone() {
                handle.mailbox.raise(Signal::Drain);
            }
            if let Err(error) = node.engine.registry.withdraw(&node.identity.id).await {
                tracing::warn!(%error, "not withdrawn from the registry");
            }
        });
    }
}

async fn announce(node: &Node) {
    let entry = Entry {
        id: node.identity.id.clone(),
        name: node.identity.name.clone(),
        address: String::new(),
    };
    if let Err(error) = node.engine.registry.announce(entry).await {
        tracing::warn!(%error, "not announced in the registry");
    }
}

fn gauges(node: &Arc<Node>, parts: &Parts) {
    let add = |name, help, read: fn(&Node) -> usize| {
        let node = Arc::clone(node);
        let registered = parts.registry.gauge_from(name, help, move || {
            f64::from(u32::try_from(read(&node)).unwrap_or(u32::MAX))
        });
        if let Err(error) = registered {
            tracing::error!(%error, name, "metric is missing");
        }
    };
    add("node_num_clients", "Connections.", |node| {
        node.connections.len()
    });
    add(
        "node_num_users",
        "Different users, the anonymous as one.",
        |node| node.connections.users(),
    );
    add("node_num_channels", "Channels with a subscriber.", |node| {
        node.hub.counts().channels
    });
    add("node_num_subscriptions", "Subscriptions.", |node| {
        node.hub.counts().subscriptions
    });
}

/// When the process's clock stood at zero, on the timers' clock.
fn zero(parts: &Parts) -> Instant {
    let uptime = Duration::from_millis(parts.clock.now().uptime.as_millis());
    let now = Instant::now();
    now.checked_sub(uptime).unwrap_or(now)
}

fn options(config: &Config) -> Result<Options, BuildError> {
    let client = &config.client;
    let header = &client.user_id_http_header;
    Ok(Options {
        insecure: client.insecure,
        allows_anonymous: client.allow_anonymous_connect_without_token,
        refuses_anonymous_tokens: client.disallow_anonymous_connection_tokens,
        user_id_header: if header.is_empty() {
            None
        } else {
            Some(http::HeaderName::try_from(header.as_str())?)
        },
        queue_bytes_max: client.queue_max_size.get().unwrap_or(usize::MAX),
        info_interval: config
            .node
            .info_metrics_aggregate_interval
            .duration()
            .unwrap_or(Duration::from_mins(1)),
        metrics_namespace: config.prometheus.namespace.clone(),
        user_connections_max: client.user_connection_limit.get().unwrap_or(0),
    })
}

fn endpoint(
    config: &Config,
    node: &Arc<Node>,
    admission: Arc<Admission>,
) -> Result<Endpoint, BuildError> {
    let options = &config.websocket;
    let message_bytes_max = options
        .message_size_limit
        .get()
        .unwrap_or(MESSAGE_BYTES_MAX);
    let inflated_bytes_max = options
        .decompressed_message_size_limit
        .get()
        .unwrap_or(10 * message_bytes_max);
    // The option's range is 1 to 9.
    let deflate_level = u8::try_from(options.compression_level).unwrap_or(9);
    let settings = websocket::Settings {
        message_bytes_max,
        inflated_bytes_max,
        deflate_level,
        deflate_above_bytes: options.compression_min_size.get().unwrap_or(0),
    };
    let (compression, command_bytes_max) = if options.compression {
        (Compression::Deflate, inflated_bytes_max)
    } else {
        (Compression::Off, message_bytes_max)
    };
    Ok(Endpoint {
        node: Arc::clone(node),
        admission,
        path: options.handler_prefix.trim_end_matches('/').to_owned(),
        origins: Origins::new(&config.client.allowed_origins)?,
        compression,
        settings: Arc::new(settings),
        limits: Limits {
            command_bytes_max,
            write_timeout: options
                .write_timeout
                .duration()
                .unwrap_or(Duration::from_secs(1)),
            deflate_level,
        },
    })
}
