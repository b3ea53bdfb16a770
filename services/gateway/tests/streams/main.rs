//! Streams of clients over HTTP/2, against a gateway in this process.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod flood;
mod http2;

use std::net::SocketAddr;
use std::sync::Arc;

use gyre_backend::Backends;
use gyre_config::Config;
use gyre_engine_memory::MemoryEngine;
use gyre_gateway::{Delivery, Deps, Gateway};
use gyre_links::Directory;
use gyre_policy::Policy;
use gyre_runtime::{Identity, Listeners, Parts};
use gyre_store::Access;
use gyre_telemetry::Registry;

/// A gateway on the memory engine, with all of its transports on one free port.
struct Served {
    address: SocketAddr,
    delivery: Arc<Delivery>,
    parts: Parts,
}

impl Served {
    fn start(config: &Config) -> Self {
        let identity = Identity::new("test", "test");
        let parts = Parts::new(Registry::new("test").unwrap(), identity);
        let delivery = Gateway::delivery(&parts).unwrap();
        let clock = parts.clock.clone();
        let engine = MemoryEngine::open(Arc::clone(&delivery), move || clock.now()).engine();
        let policy = Policy::new(&config.channel, &config.client, &config.rpc).unwrap();
        let deps = Deps {
            directory: Directory::open(&config.links, &engine.registry).unwrap(),
            engine,
            backends: Backends::build(config, &parts, None).unwrap(),
            states: None,
            delivery: Arc::clone(&delivery),
            policy: Arc::new(policy),
            access: Access::in_memory(&parts.clock).0,
            statuses: None,
        };
        let gateway = Gateway::build(config, deps, &parts).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut listeners = Listeners::bind([any], &parts.registry).unwrap();
        let (_, address) = listeners.addresses().next().unwrap();
        let streams = [
            gateway.uni_grpc(&config.uni_grpc),
            gateway.client_grpc(&config.client_grpc),
        ];
        let site = listeners.at(any);
        for intercept in gateway.intercepts().into_iter().chain(streams) {
            site.intercept(intercept);
        }
        site.tunnels().route(gateway.router());
        gateway.run(&parts);
        listeners.run(&parts).unwrap();
        Self {
            address,
            delivery,
            parts,
        }
    }
}
