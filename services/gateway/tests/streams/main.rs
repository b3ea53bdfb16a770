//! Streams of clients over HTTP/2, against a gateway in this process.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "../common/mod.rs"]
mod common;
mod flood;
mod http2;
mod late;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use gyre_backend::Backends;
use gyre_config::Config;
use gyre_engine::{Delivered, Inlet as _};
use gyre_gateway::Delivery;
use gyre_protocol::messages::Publication;
use gyre_runtime::Parts;
use gyre_types::{ChannelName, Epoch};

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

    /// Delivers a publication to the subscribers of a channel.
    fn publish(&self, channel: &str, data: Bytes) {
        let publication = Publication {
            data,
            ..Publication::default()
        };
        let delivered = Delivered {
            publication: Arc::new(publication),
            epoch: Epoch::default(),
            previous: None,
        };
        let channel = ChannelName::new(channel).unwrap();
        self.delivery.on_publication(&channel, delivered);
    }
}
