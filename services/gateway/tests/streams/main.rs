//! Streams of clients over HTTP/2, against a gateway in this process.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "../common/mod.rs"]
mod common;
mod flood;
mod http2;
mod late;

use std::net::SocketAddr;
use std::sync::Arc;

use gyre_backend::Backends;
use gyre_config::Config;
use gyre_gateway::Delivery;
use gyre_runtime::Parts;

/// A gateway on the memory engine, with all of its transports on one free port.
struct Served {
    address: SocketAddr,
    delivery: Arc<Delivery>,
    parts: Parts,
}

impl Served {
    fn start(config: &Config) -> Self {
        let parts = common::parts();
        let backends = Backends::build(config, &parts, None).unwrap();
        let (gateway, delivery, _engine) = common::build(config, &parts, backends, None);
        let address = common::listen(gateway, &parts, |gateway, site| {
            site.intercept(gateway.uni_grpc(&config.uni_grpc));
            site.intercept(gateway.client_grpc(&config.client_grpc));
            site.tunnels().route(gateway.router());
        });
        Self {
            address,
            delivery,
            parts,
        }
    }
}
