use std::sync::Arc;

use gyre_engine::{Delivered, Inlet};
use gyre_protocol::messages::ClientInfo;
use gyre_protocol::prepared::Prepared;
use gyre_types::ChannelName;

use crate::metrics::Metrics;
use crate::node::NodeHub;

/// Where the engine hands over what arrives for this gateway.
///
/// Made before the engine is opened, for the engine needs it; the rest of the gateway comes after.
#[derive(Debug)]
pub struct Delivery {
    pub(crate) hub: Arc<NodeHub>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Inlet for Delivery {
    // hot path: delivery 1/6
    fn on_publication(&self, channel: &ChannelName, delivered: Delivered) {
        let Delivered {
            publication,
            epoch,
            previous,
        } = delivered;
        self.hub.fan_out(channel, || {
            Prepared::publication(channel, publication, epoch, previous)
        });
        self.metrics.messages_received.publication.inc();
    }

    fn on_join(&self, channel: &ChannelName, info: &Arc<ClientInfo>) {
        self.hub
            .fan_out(channel, || Prepared::join(channel, Arc::clone(info)));
        self.metrics.messages_received.join.inc();
    }

    fn on_leave(&self, channel: &ChannelName, info: &Arc<ClientInfo>) {
        self.hub
            .fan_out(channel, || Prepared::leave(channel, Arc::clone(info)));
        self.metrics.messages_received.leave.inc();
    }

    /// The subscriptions' own check finds the gap within a tick.
    fn on_gap(&self, _channel: &ChannelName) {}
}
