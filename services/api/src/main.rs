//! `gyre-api`: the server API in a process of its own.

use std::process::ExitCode;
use std::sync::Arc;

use gyre_api::{Api, Deps};
use gyre_boot::{Role, Running, Sites, open_store};
use gyre_config::Config;
use gyre_engines::Opened;
use gyre_links::Directory;
use gyre_policy::Policy;
use gyre_runtime::Parts;
use gyre_runtime::process::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let about = "Serves the server API until it is told to stop; clients connect to gyre-gateway";
    gyre_boot::run("gyre-api", about, Role::Api, start)
}

/// Binds, builds and runs everything. Returns when everything runs.
async fn start(config: &Config, parts: &Parts) -> Result<Running, Failure> {
    gyre_engines::check_apart(config).map_err(Failure::bad_configuration)?;
    let mut sites = Sites::bind(config, Role::Api, parts)?;
    let policy = Policy::new(&config.channel, &config.client, &config.rpc);
    let opened = gyre_engines::open(config, Arc::new(()), parts);
    let Opened {
        engine,
        statuses,
        metrics,
        ..
    } = opened.await?;
    let gateways = Directory::open(&config.links, &engine.registry);
    let redis = gyre_engines::on_redis(&parts.tasks, &metrics);
    let (access, _channels) = open_store(config, parts, &redis).await?;
    let deps = Deps {
        engine,
        policy: Arc::new(policy.map_err(Failure::bad_configuration)?),
        access,
        statuses,
        gateways: gateways.map_err(Failure::bad_configuration)?,
        telemetry: parts.registry.clone(),
        clock: parts.clock.clone(),
    };
    Api::mount(config, deps, &mut sites, parts).await?;
    sites.serve_operators(parts);
    sites.run(parts)
}
