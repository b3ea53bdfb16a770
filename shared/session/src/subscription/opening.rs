use std::sync::Arc;

use bytes::Bytes;
use gyre_protocol::prepared::Prepared;
use gyre_types::{HubSlot, Uptime};

use crate::subscription::recovery::Since;

/// What a subscription that is being entered has to remember until it is live.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) origin: Origin,
    /// Payload of the result.
    pub(crate) data: Bytes,
    /// What the client asked to recover, and how.
    pub(crate) recovery: Recovery,
    /// Whether a recovery was asked for, even where there is none.
    pub(crate) was_recovering: bool,
    /// Whether to answer 112 rather than with a subscription that was not recovered.
    pub(crate) rejects_unrecovered: bool,
    /// What arrived meanwhile, in order.
    pub(crate) buffer: Vec<Arc<Prepared>>,
    /// Where it stands in the hub, once it does.
    pub(crate) entered: Option<HubSlot>,
}

/// How a subscription recovers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum Recovery {
    /// It does not.
    #[default]
    None,
    /// With all that was missed.
    Stream(Since),
    /// With the newest publication.
    Cache(Since),
}

/// Who asked for a subscription.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// A subscribe command.
    Command(Asked),
    /// The connect command.
    Connect,
    /// The server API.
    Control {
        /// The driver's name of the control command.
        control: u32,
    },
}

/// A command that waits for its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Asked {
    pub(crate) id: u32,
    pub(crate) at: Uptime,
}
