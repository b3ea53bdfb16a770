//! How the suite is put together in one process: a straight line.

use std::sync::Arc;

use gyre_api::{Api, BuildError};
use gyre_config::Config;
use gyre_gateway::Gateway;
use gyre_policy::Policy;
use gyre_runtime::layers::RequestCounter;
use gyre_runtime::process::Failure;
use gyre_runtime::{Listeners, OnExit, Parts, admin};
use gyre_telemetry::VERSION;

use crate::addresses::Addresses;
use crate::paths;

/// Binds, builds and runs everything. Returns when everything runs.
pub(crate) async fn start(config: &Config, parts: &Parts) -> Result<(), Failure> {
    let paths = paths::check(config).map_err(Failure::bad_configuration)?;
    let at = Addresses::of(config).map_err(Failure::bad_configuration)?;
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
    let deps = gyre_gateway::Deps {
        engine: engine.clone(),
        delivery,
        policy: Arc::clone(&policy),
    };
    let gateway = Gateway::build(config, deps, parts).map_err(Failure::bad_configuration)?;
    let deps = gyre_api::Deps {
        engine,
        policy,
        gateways: gyre_rpc::local(gateway.server()),
        telemetry: parts.registry.clone(),
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
    if let Some(intercept) = gateway.intercept() {
        listeners.at(at.clients).intercept(intercept);
    }
    if let (Some(address), Some(routes)) = (at.http_api, api.http()) {
        listeners.at(address).route(counted(routes));
    }
    if let (Some(address), Some(services)) = (at.grpc_api, api.grpc()) {
        listeners.at(address).grpc(services);
    }
    if let Some(address) = at.health {
        let routes = admin::health(&paths.health, parts);
        listeners.at(address).route(counted(routes));
    }
    if let Some(address) = at.prometheus {
        let routes = admin::prometheus(&paths.prometheus, parts);
        listeners.at(address).route(counted(routes));
    }
    gateway.run(parts);
    tell_callers_of_the_drain(api, parts);
    listeners.run(parts).map_err(Failure::failed)
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
        BuildError::GrpcWithoutKey => Failure::bad_configuration(error),
        BuildError::Randomness | BuildError::Metrics(_) | BuildError::Reflection(_) => {
            Failure::failed(error)
        }
    }
}
