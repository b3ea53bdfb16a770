use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use gyre_auth::SetupError;
use gyre_backend::{Backends, ChannelStates};
use gyre_config::{ClientGrpc, Config, UniGrpc, WebTransport};
use gyre_engine::{Engine, Gateway as Entry, Statuses};
use gyre_links::Directory;
use gyre_proto::gateway::gateway_service_server::GatewayServiceServer;
use gyre_rpc::{LinkKey, Locked};
use gyre_runtime::process::Failure;
use gyre_runtime::tls::Tls;
use gyre_runtime::{Health, Intercept, OnExit, Parts};
use gyre_store::Access;
use gyre_telemetry::metrics::Error as RegisterError;
use tokio::time::Instant;

use crate::admission::{Admission, Rates};
use crate::connections::Connections;
use crate::control::Commands;
use crate::drain::{self, Pace, Progress};
use crate::effects::single::Singles;
use crate::emulation::Sessions;
use crate::endpoints::{self, Shared};
use crate::inlet::Delivery;
use crate::live::{Live, Reloader};
use crate::mailbox::Signal;
use crate::metrics::Metrics;
use crate::node::Node;
use crate::online::{self, Online};
use crate::repair::{self, Repairs};
use crate::states::States;
use crate::websocket;
use crate::webtransport::Listening;
use crate::wheel::Wheel;

/// Pause before the registry is asked again. One second: an engine that is down says so in its log.
const ANNOUNCE_PAUSE: Duration = Duration::from_secs(1);

/// What a gateway needs of others.
#[derive(Debug)]
pub struct Deps {
    /// Where publications, presence and history are.
    pub engine: Engine,
    /// The inlet that the engine was opened with.
    pub delivery: Arc<Delivery>,
    /// Whom connections ask.
    pub backends: Backends,
    /// Who takes note of channels in use; `None`: nobody wants to know.
    pub states: Option<ChannelStates>,
    /// Who is kept out.
    pub access: Access,
    /// When users were last there; `None`: that is not kept.
    pub statuses: Option<Arc<dyn Statuses>>,
    /// The other gateways: those that clients' commands may be meant for.
    pub directory: Directory,
}

/// Why a gateway cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A namespace is wrong.
    #[error(transparent)]
    Policy(#[from] gyre_policy::PolicyError),
    /// A key or a rule for tokens is wrong.
    #[error(transparent)]
    Tokens(#[from] SetupError),
    /// `client.allowed_origins` has a pattern that is none.
    #[error("client.allowed_origins: {0}")]
    Origins(#[from] websocket::origin::PatternError),
    /// An endpoint's `handler_prefix` is no path.
    #[error(transparent)]
    Path(#[from] gyre_runtime::listen::path::BadPath),
    /// `client.user_id_http_header` is no name of a header.
    #[error("client.user_id_http_header: {0}")]
    UserHeader(#[from] http::header::InvalidHeaderName),
}

/// The gateway, built and not running.
pub struct Gateway {
    shared: Shared,
    commands: Commands,
    delivery: Arc<Delivery>,
    pace: Option<Pace>,
    intercepts: Vec<Arc<dyn Intercept>>,
    router: Router,
    webtransport: Option<Listening>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("node", &self.shared.node)
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// The inlet that the engine has to be opened with, before the gateway is built.
    ///
    /// # Errors
    ///
    /// Another part of the process has registered one of the gateway's metrics.
    pub fn delivery(config: &Config, parts: &Parts) -> Result<Arc<Delivery>, RegisterError> {
        let metrics = Arc::new(Metrics::new(&parts.registry, &config.prometheus)?);
        Ok(Arc::new(Delivery {
            hub: Arc::default(),
            metrics,
            repairs: Repairs::default(),
        }))
    }

    /// Builds the gateway. Starts nothing.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn build(config: &Config, deps: Deps, parts: &Parts) -> Result<Self, BuildError> {
        let version = parts.identity.version.as_str();
        let node = Arc::new(Node {
            live: ArcSwap::from_pointee(Live::new(config, version, None)?),
            hub: Arc::clone(&deps.delivery.hub),
            engine: deps.engine,
            backends: deps.backends,
            nothing: Arc::default(),
            states: deps.states.map(States::new),
            access: deps.access,
            online: deps.statuses.map(Online::new),
            connections: Connections::default(),
            singles: Singles::default(),
            directory: deps.directory.clone(),
            sessions: Sessions::default(),
            wheel: Arc::new(Wheel::new(zero(parts))),
            clock: parts.clock.clone(),
            metrics: Arc::clone(&deps.delivery.metrics),
            tasks: parts.tasks.clone(),
            identity: Arc::clone(&parts.identity),
            leaving: parts.leaving.clone(),
            drain: Progress::default(),
        });
        let shared = Shared {
            node,
            admission: Arc::new(Admission::new(Rates::of(&config.client))),
        };
        let intercepts = intercepts(config, &shared)?;
        let router = endpoints::router(config, &shared, deps.directory)?;
        Ok(Self {
            delivery: deps.delivery,
            pace: Pace::of(config),
            commands: Commands::new(Arc::clone(&shared.node)),
            shared,
            intercepts,
            router,
            webtransport: None,
        })
    }

    /// What takes client connections over before hyper sees them.
    #[must_use]
    pub fn intercepts(&self) -> Vec<Arc<dyn Intercept>> {
        self.intercepts.clone()
    }

    /// The unidirectional gRPC stream, to be served where its options say.
    #[must_use]
    pub fn uni_grpc(&self, options: &UniGrpc) -> Arc<dyn Intercept> {
        Arc::new(endpoints::uni_grpc(options, &self.shared))
    }

    /// The bidirectional gRPC stream, to be served where its options say.
    #[must_use]
    pub fn client_grpc(&self, options: &ClientGrpc) -> Arc<dyn Intercept> {
        Arc::new(endpoints::client_grpc(options, &self.shared))
    }

    /// Has WebTransport served on a socket, with the certificates of the port for clients. Has to be
    /// called within a tokio runtime.
    pub(crate) fn listen_webtransport(
        &mut self,
        options: &WebTransport,
        socket: UdpSocket,
        tls: Tls,
    ) -> Result<(), Failure> {
        let endpoint = endpoints::webtransport(options, &self.shared);
        let endpoint = endpoint.map_err(Failure::bad_configuration)?;
        let listening = endpoint.listen(socket, tls).map_err(Failure::failed)?;
        self.webtransport = Some(listening);
        Ok(())
    }

    /// What clients ask beside their connections.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// What gives it another configuration while it runs.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        Reloader {
            node: Arc::clone(&self.shared.node),
            admission: Arc::clone(&self.shared.admission),
        }
    }

    /// The service that others in this process command connections through.
    #[must_use]
    pub fn server(&self) -> GatewayServiceServer<Commands> {
        GatewayServiceServer::new(self.commands.clone())
    }

    /// The same for other processes: those that have the key, or whoever reaches the port.
    pub fn rpc(&self, key: Option<LinkKey>) -> Router {
        let routes = tonic::service::Routes::new(Locked::new(self.server(), key));
        routes.prepare().into_axum_router()
    }

    /// Enters the gateway into the registry, where `address` is what other processes call, empty if
    /// only this one does. Whoever commands connections finds it from then on.
    ///
    /// If the engine does not answer, a task goes on trying, and until it succeeds the gateway is not
    /// ready and takes no clients: commands would miss them.
    ///
    /// # Cancel safety
    ///
    /// A dropped future may have entered it.
    pub async fn announce(&self, address: &str, parts: &Parts) {
        let node = Arc::clone(&self.shared.node);
        let entry = Entry {
            id: node.identity.id.clone(),
            name: node.identity.name.clone(),
            address: address.to_owned(),
        };
        let Err(error) = node.engine.registry.announce(entry.clone()).await else {
            return;
        };
        tracing::warn!(%error, "not announced in the registry: no clients are taken yet");
        let admission = Arc::clone(&self.shared.admission);
        admission.suspend();
        let suspended = Arc::clone(&admission);
        parts
            .readiness
            .depend("registry", move || match suspended.is_suspended() {
                true => Health::Failed("the gateway is not in it yet".to_owned()),
                false => Health::Good,
            });
        let drain = parts.tasks.drain().clone();
        parts.tasks.spawn("announcing", OnExit::Ignore, async move {
            tokio::select! {
                () = drain.draining() => {}
                () = announce_at_last(&node, entry) => admission.resume(),
            }
        });
    }

    /// Starts the gateway's tasks; they end with the drain.
    pub fn run(self, parts: &Parts) {
        let node = self.shared.node;
        let wheel = Arc::clone(&node.wheel);
        parts.tasks.spawn_background("timing wheel", wheel.run());
        gauges(&node, parts);
        if node.online.is_some() {
            let online = online::run(Arc::clone(&node));
            parts.tasks.spawn_background("online users", online);
        }
        let repairs = repair::run(Arc::clone(&node), self.delivery);
        parts.tasks.spawn_background("repairs", repairs);
        let hold = parts.leaving.hold();
        let paced = drain::run(Arc::clone(&node), self.shared.admission, hold, self.pace);
        parts.tasks.spawn("handing over", OnExit::Ignore, paced);
        if let Some(webtransport) = self.webtransport {
            let serving = webtransport.run();
            parts.tasks.spawn("accept", OnExit::Drain, serving);
        }
        let drain = parts.tasks.drain().clone();
        parts.tasks.spawn("gateway", OnExit::Ignore, async move {
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

/// Tries until the registry has the entry.
async fn announce_at_last(node: &Node, entry: Entry) {
    while let Err(error) = node.engine.registry.announce(entry.clone()).await {
        tracing::debug!(%error, "not announced in the registry yet");
        tokio::time::sleep(ANNOUNCE_PAUSE).await;
    }
    tracing::info!("announced in the registry: clients are taken");
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
    add(
        "gateway_draining",
        "1 while connections are handed over to other gateways, and until the end.",
        |node| usize::from(node.leaving.is_leaving()),
    );
    add(
        "gateway_drain_told_connections",
        "Connections that a paced drain has told to come back.",
        |node| usize::try_from(node.drain.told()).unwrap_or(usize::MAX),
    );
    add(
        "gateway_drain_cut_connections",
        "Connections that were left when drain.timeout was over.",
        |node| usize::try_from(node.drain.cut()).unwrap_or(usize::MAX),
    );
}

/// When the process's clock stood at zero, on the timers' clock.
fn zero(parts: &Parts) -> Instant {
    let uptime = Duration::from_millis(parts.clock.now().uptime.as_millis());
    let now = Instant::now();
    now.checked_sub(uptime).unwrap_or(now)
}

fn intercepts(config: &Config, shared: &Shared) -> Result<Vec<Arc<dyn Intercept>>, BuildError> {
    let mut intercepts: Vec<Arc<dyn Intercept>> = Vec::new();
    if !config.websocket.disabled {
        intercepts.push(Arc::new(endpoints::websocket(&config.websocket, shared)?));
    }
    if config.uni_websocket.enabled {
        let endpoint = endpoints::uni_websocket(&config.uni_websocket, shared)?;
        intercepts.push(Arc::new(endpoint));
    }
    let streams = endpoints::streams(config, shared)?;
    if !streams.endpoints.is_empty() {
        intercepts.push(Arc::new(streams));
    }
    Ok(intercepts)
}
