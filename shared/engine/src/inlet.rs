use std::sync::Arc;

use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_types::{ChannelName, Epoch};

/// A publication on its way to this node's subscribers.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The publication; `offset` is 0 without history.
    pub publication: Arc<Publication>,
    /// The stream's life; empty without history.
    pub epoch: Epoch,
    /// The publication before it, if the publisher asked for deltas and there was one.
    pub previous: Option<Arc<Publication>>,
}

/// Where an engine hands over what arrives. Implemented by the gateway.
///
/// Every method is synchronous and must not block, nor call the engine: locks may be held around
/// it. For one channel the calls come in stream order and never at the same time; for different
/// channels they may. An engine may hand over channels that nobody here subscribes to.
pub trait Inlet: Send + Sync + 'static {
    /// A publication arrived.
    fn on_publication(&self, channel: &ChannelName, delivered: Delivered);

    /// Someone came into the channel.
    fn on_join(&self, channel: &ChannelName, info: &Arc<ClientInfo>);

    /// Someone left the channel.
    fn on_leave(&self, channel: &ChannelName, info: &Arc<ClientInfo>);

    /// Something was lost on the way: positioned subscribers of the channel must be checked
    /// against the stream.
    fn on_gap(&self, channel: &ChannelName);
}

/// An inlet for processes without subscribers.
impl Inlet for () {
    fn on_publication(&self, _channel: &ChannelName, _delivered: Delivered) {}

    fn on_join(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {}

    fn on_leave(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {}

    fn on_gap(&self, _channel: &ChannelName) {}
}
