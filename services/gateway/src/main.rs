//! `gyre-gateway`: connections of clients in a process of their own.

use std::process::ExitCode;
use std::sync::Arc;

use gyre_backend::{Backends, ChannelStates};
use gyre_boot::{Role, Running, Sites, open_store};
use gyre_config::Config;
use gyre_engines::Opened;
use gyre_gateway::{Deps, Gateway};
use gyre_links::Directory;
use gyre_runtime::Parts;
use gyre_runtime::process::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let about = "Holds connections of clients until it is told to stop; the server API is gyre-api";
    gyre_boot::run("gyre-gateway", about, Role::Gateway, start)
}

/// Binds, builds and runs everything. Returns when everything runs.
async fn start(config: &Config, parts: &Parts) -> Result<Running, Failure> {
    gyre_engines::check_apart(config).map_err(Failure::bad_configuration)?;
    let mut sites = Sites::bind(config, Role::Gateway, parts)?;
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
    let backends = Backends::build(config, parts, sites.traces());
    let backends = backends.map_err(Failure::bad_configuration)?;
    let redis = gyre_engines::on_redis(&parts.tasks, &metrics);
    let (access, kept) = open_store(config, parts, &redis).await?;
    let channels = shared.unwrap_or(kept);
    let states = ChannelStates::run_if_wanted(config, &backends, channels, parts).await;
    let deps = Deps {
        directory: directory.map_err(Failure::bad_configuration)?,
        engine,
        backends,
        states: states.map_err(Failure::failed)?,
        delivery,
        access,
        statuses,
    };
    let mut gateway = Gateway::build(config, deps, parts).map_err(Failure::bad_configuration)?;
    let advertised = gateway.mount(config, &mut sites)?;
    sites.serve_operators(parts);
    gateway.announce(&advertised, parts).await;
    gateway.run(parts);
    sites.run(parts)
}
