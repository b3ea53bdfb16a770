//! A gateway on the memory engine, on a free port.

use std::net::SocketAddr;
use std::sync::Arc;

use gyre_backend::{Backends, ChannelStates};
use gyre_config::Config;
use gyre_engine::Engine;
use gyre_engine_memory::MemoryEngine;
use gyre_gateway::{Delivery, Deps, Gateway};
use gyre_links::Directory;
use gyre_runtime::{Identity, Listeners, Parts, Site};
use gyre_store::Access;
use gyre_telemetry::Registry;

pub(crate) fn parts() -> Parts {
    Parts::new(
        Registry::new("test").unwrap(),
        Identity::new("test", "test"),
    )
}

pub(crate) fn build(
    config: &Config,
    parts: &Parts,
    backends: Backends,
    states: Option<ChannelStates>,
) -> (Gateway, Arc<Delivery>, Engine) {
    let delivery = Gateway::delivery(config, parts).unwrap();
    let clock = parts.clock.clone();
    let engine = MemoryEngine::open(Arc::clone(&delivery), move || clock.now()).engine();
    let deps = Deps {
        directory: Directory::open(&config.links, &engine.registry).unwrap(),
        engine: engine.clone(),
        delivery: Arc::clone(&delivery),
        backends,
        states,
        access: Access::in_memory(&parts.clock).0,
        statuses: None,
    };
    let gateway = Gateway::build(config, deps, parts).unwrap();
    (gateway, delivery, engine)
}

/// Serves clients, and what `more` adds to them.
pub(crate) fn listen(
    gateway: Gateway,
    parts: &Parts,
    more: impl FnOnce(&Gateway, &mut Site),
) -> SocketAddr {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut listeners = Listeners::bind([any], &parts.registry).unwrap();
    let (_, address) = listeners.addresses().next().unwrap();
    let site = listeners.at(any);
    for intercept in gateway.intercepts() {
        site.intercept(intercept);
    }
    more(&gateway, site);
    gateway.run(parts);
    listeners.run(parts).unwrap();
    address
}
