//! How the suite is put together in one process: a straight line.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use gyre_api::{Api, BuildError};
use gyre_backend::{Backends, ChannelStates};
use gyre_config::Config;
use gyre_gateway::Gateway;
use gyre_policy::Policy;
use gyre_runtime::layers::{CallKind, CallTracer, RequestCounter};
use gyre_runtime::process::Failure;
use gyre_runtime::tls::Tls;
use gyre_runtime::{Listeners, OnExit, Parts, admin};
use gyre_store::{Access, ChannelOutbox, OpenError};
use gyre_telemetry::{Traces, VERSION};

use crate::addresses::Addresses;
use crate::paths::Paths;
use crate::{paths, tls};

/// The TLS of each address that has any.
pub(crate) type Secured = Vec<(SocketAddr, Tls)>;

/// Binds, builds and runs everything. Returns when everything runs.
pub(crate) async fn start(config: &Config, parts: &Parts) -> Result<Secured, Failure> {
    let paths = paths::check(config).map_err(Failure::bad_configuration)?;
    let at = Addresses::of(config).map_err(Failure::bad_configuration)?;
    let secured = tls::of(config).map_err(Failure::bad_configuration)?;
    let mut listeners = Listeners::bind(at.all(), &parts.registry).map_err(Failure::failed)?;
    parts
        .registry
        .add_process(VERSION)
        .map_err(Failure::failed)?;

    let policy = Policy::new(&config.channel, &config.client, &config.rpc);
    let policy = Arc::new(policy.map_err(Failure::bad_configuration)?);
    let delivery = Gateway::delivery(parts).map_err(Failure::failed)?;
    let inlet = Arc::clone(&delivery);
    let engine = gyre_engines::open(&config.engine, inlet, &parts.clock, &parts.tasks)
        .map_err(Failure::failed)?;
    let (access, channels) = open_store(config, parts).await?;
    let statuses = gyre_engines::statuses(&config.user_status, &parts.clock);
    let (backends, tracer) = backends(config, parts)?;
    let states = open_states(config, &backends, channels, parts).await?;
    let deps = gyre_gateway::Deps {
        engine: engine.clone(),
        delivery,
        policy: Arc::clone(&policy),
        backends,
        states,
        exclusions: Arc::clone(access.view()),
        statuses: statuses.clone(),
    };
    let gateway = Gateway::build(config, deps, parts).map_err(Failure::bad_configuration)?;
    let deps = gyre_api::Deps {
        engine,
        policy,
        access,
        statuses,
        gateways: gyre_rpc::local(gateway.server()),
        telemetry: parts.registry.clone(),
        clock: parts.clock.clone(),
    };
    let api = Api::build(&api_config(config), deps)
        .await
        .map_err(api_failure)?;

    let counter = RequestCounter::new(&parts.registry).map_err(Failure::failed)?;
    let counted = |routes| {
        if config.prometheus.instrument_http_handlers {
            counter.around(routes)
        } else {
            routes
        }
    };
    for intercept in gateway.intercepts() {
        listeners.at(at.clients).intercept(intercept);
    }
    listeners.at(at.clients).route(counted(gateway.router()));
    serve_api(&api, &at, tracer.as_ref(), &mut listeners, &counted);
    for (address, routes) in operators(config, &at, &paths, parts) {
        listeners.at(address).route(counted(routes));
    }
    let secured = secure(&mut listeners, secured, parts);
    gateway.run(parts);
    tell_callers_of_the_drain(api, parts);
    listeners.run(parts).map_err(Failure::failed)?;
    Ok(secured)
}

/// The server API over HTTP and gRPC, as far as it is on.
fn serve_api(
    api: &Api,
    at: &Addresses,
    tracer: Option<&CallTracer>,
    listeners: &mut Listeners,
    counted: &dyn Fn(Router) -> Router,
) {
    if let (Some(address), Some(routes)) = (at.http_api, api.http()) {
        let routes = traced(tracer, routes, CallKind::Http);
        listeners.at(address).route(counted(routes));
    }
    if let (Some(address), Some(services)) = (at.grpc_api, api.grpc()) {
        let services = traced(tracer, services, CallKind::Grpc);
        listeners.at(address).grpc(services);
    }
}

/// What operators ask, and where.
fn operators(
    config: &Config,
    at: &Addresses,
    paths: &Paths,
    parts: &Parts,
) -> Vec<(SocketAddr, Router)> {
    let health = at
        .health
        .map(|address| (address, admin::health(&paths.health, parts)));
    let prometheus = at
        .prometheus
        .map(|address| (address, admin::prometheus(&paths.prometheus, parts)));
    let swagger = at.swagger.map(|address| {
        let routes = gyre_api::swagger(&paths.swagger, &config.http_api.handler_prefix);
        (address, routes)
    });
    [health, prometheus, swagger]
        .into_iter()
        .flatten()
        .collect()
}

/// Whom connections ask, and what traces calls of the server API, if anything does.
fn backends(config: &Config, parts: &Parts) -> Result<(Backends, Option<CallTracer>), Failure> {
    let options = &config.opentelemetry;
    let mut traces = None;
    if options.enabled {
        let opened = Traces::open(&parts.identity.id, VERSION);
        traces = Some(opened.map_err(Failure::bad_configuration)?);
    }
    let backends = Backends::build(config, parts, traces.clone());
    let backends = backends.map_err(Failure::bad_configuration)?;
    // It sends the last spans of both.
    let tracer = traces.map(|traces| CallTracer::new(traces, parts));
    Ok((backends, tracer.filter(|_| options.api)))
}

fn traced(tracer: Option<&CallTracer>, routes: Router, kind: CallKind) -> Router {
    match tracer {
        Some(tracer) => tracer.around(routes, kind),
        None => routes,
    }
}

/// Speaks TLS where something is served and TLS is wanted.
fn secure(
    listeners: &mut Listeners,
    mut secured: BTreeMap<SocketAddr, Tls>,
    parts: &Parts,
) -> Secured {
    let served: Vec<SocketAddr> = listeners.addresses().map(|(given, _)| given).collect();
    secured.retain(|address, _| served.contains(address));
    for (address, tls) in &secured {
        tls.watch(parts);
        listeners.at(*address).tls(tls.clone());
    }
    secured.into_iter().collect()
}

/// Opens what is kept of users, tokens and channels; what writes it works to the last call.
async fn open_store(
    config: &Config,
    parts: &Parts,
) -> Result<(Access, Arc<dyn ChannelOutbox>), Failure> {
    let store = gyre_store::open(config, &parts.clock)
        .await
        .map_err(|error| match error {
            OpenError::NoDatabase(_) => Failure::bad_configuration(error),
            OpenError::Sqlite(_) | OpenError::Postgres(_) | OpenError::Load(_) => {
                Failure::failed(error)
            }
        })?;
    for keeper in store.keepers {
        parts.tasks.spawn_background("store", keeper.run());
    }
    Ok((store.access, store.channels))
}

/// Tells the backend which channels are in use, if any namespace wants that.
async fn open_states(
    config: &Config,
    backends: &Backends,
    channels: Arc<dyn ChannelOutbox>,
    parts: &Parts,
) -> Result<Option<ChannelStates>, Failure> {
    let channel = &config.channel;
    let mut namespaces = channel.namespaces.iter().map(|space| &space.options);
    let is_wanted = channel.without_namespace.state_proxy_enabled
        || namespaces.any(|options| options.state_proxy_enabled);
    if !is_wanted {
        return Ok(None);
    }
    let opened = ChannelStates::open(config, backends, channels, parts).await;
    let (states, tasks) = opened.map_err(Failure::failed)?;
    tasks.run(parts);
    Ok(Some(states))
}

/// Calls are answered to the last; callers that ask the health service go elsewhere before.
fn tell_callers_of_the_drain(api: Api, parts: &Parts) {
    let drain = parts.tasks.drain().clone();
    parts.tasks.spawn("api", OnExit::Ignore, async move {
        drain.draining().await;
        api.drain().await;
    });
}

fn api_config(config: &Config) -> gyre_api::Config {
    gyre_api::Config {
        http_api: config.http_api.clone(),
        grpc_api: config.grpc_api.clone(),
    }
}

fn api_failure(error: BuildError) -> Failure {
    match error {
        BuildError::GrpcWithoutKey | BuildError::JwksWithoutEndpoint | BuildError::JwksTls(_) => {
            Failure::bad_configuration(error)
        }
        BuildError::Randomness | BuildError::Metrics(_) | BuildError::Reflection(_) => {
            Failure::failed(error)
        }
    }
}
