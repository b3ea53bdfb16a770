//! How the suite is put together in one process: a straight line.

use std::sync::Arc;

use gyre_api::Api;
use gyre_backend::{Backends, ChannelStates};
use gyre_boot::{Role, Running, Sites, open_store};
use gyre_config::Config;
use gyre_engines::Opened;
use gyre_gateway::Gateway;
use gyre_links::Directory;
use gyre_policy::Policy;
use gyre_runtime::Parts;
use gyre_runtime::process::Failure;

/// Binds, builds and runs everything. Returns when everything runs.
pub(crate) async fn start(config: &Config, parts: &Parts) -> Result<Running, Failure> {
    let mut sites = Sites::bind(config, Role::Everything, parts)?;
    let policy = Policy::new(&config.channel, &config.client, &config.rpc);
    let policy = policy.map_err(Failure::bad_configuration)?;
    let delivery = Gateway::delivery(config, parts).map_err(Failure::failed)?;
    let inlet = Arc::clone(&delivery);
    let opened = gyre_engines::open(config, inlet, parts);
    let Opened {
        engine,
        statuses,
        channels: shared,
        metrics,
    } = opened.await?;
    let directory = Directory::open(&config.links, &engine.registry);
    let directory = directory.map_err(Failure::bad_configuration)?;
    let redis = gyre_engines::on_redis(&parts.tasks, &metrics);
    let (access, channels) = open_store(config, parts, &redis).await?;
    let backends = Backends::build(config, parts, sites.traces());
    let backends = backends.map_err(Failure::bad_configuration)?;
    let channels = shared.unwrap_or(channels);
    let states = ChannelStates::run_if_wanted(config, &backends, channels, parts).await;
    let deps = gyre_gateway::Deps {
        engine: engine.clone(),
        delivery,
        backends,
        states: states.map_err(Failure::failed)?,
        access: access.clone(),
        statuses: statuses.clone(),
        directory: directory.clone(),
    };
    let mut gateway = Gateway::build(config, deps, parts).map_err(Failure::bad_configuration)?;
    let own = gyre_rpc::local(gateway.server());
    let deps = gyre_api::Deps {
        engine,
        policy: Arc::new(policy),
        access,
        statuses,
        gateways: directory.with_own(&parts.identity.id, &parts.identity.name, own),
        telemetry: parts.registry.clone(),
        clock: parts.clock.clone(),
    };
    let advertised = gateway.mount(config, &mut sites)?;
    Api::mount(config, deps, &mut sites, parts).await?;
    sites.serve_operators(parts);
    gateway.announce(&advertised, parts).await;
    gateway.run(parts);
    sites.run(parts)
}
