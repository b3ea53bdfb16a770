use std::sync::Arc;

use gyre_engine::{Delivered, Inlet};
use gyre_protocol::messages::ClientInfo;
use gyre_protocol::prepared::Prepared;
use gyre_types::ChannelName;

use crate::metrics::Metrics;
use crate::node::NodeHub;
use crate::repair::Repairs;

/// Where the engine hands over what arrives for this gateway.
///
/// Made before the engine is opened, for the engine needs it; the rest of the gateway comes after.
#[derive(Debug)]
pub struct Delivery {
    pub(crate) hub: Arc<NodeHub>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) repairs: Repairs,
}

impl Delivery {
    /// Hands a publication to the channel's subscribers.
    pub(crate) fn deliver(&self, channel: &ChannelName, delivered: Delivered) {
        let Delivered {
            publication,
            epoch,
            previous,
        } = delivered;
        self.hub.fan_out(channel, || {
            Prepared::publication(channel, publication, epoch, previous)
        });
    }

    #[cold]
    fn deliver_unless_held(&self, channel: &ChannelName, delivered: Delivered) {
        for delivered in self.repairs.hold(channel, delivered) {
            self.deliver(channel, delivered);
        }
    }
}

impl Inlet for Delivery {
    // hot path: delivery 1/6
    fn on_publication(&self, channel: &ChannelName, delivered: Delivered) {
        if self.repairs.is_busy() {
            self.deliver_unless_held(channel, delivered);
        } else {
            self.deliver(channel, delivered);
        }
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

    fn on_gap(&self, channel: &ChannelName) {
        if self.hub.len(channel) > 0 {
            self.repairs.begin(channel);
        }
    }
}
