use std::collections::BTreeMap;

use bytes::Bytes;
use gyre_protocol::codes::Disconnect;
use gyre_protocol::messages::{SubscribeRequest, SubscribeResult};
use gyre_types::{SubscriptionId, Uptime};

use crate::effect::GrantedSubscription;
use crate::subscription::opening::Asked;

/// Where a connection is in its life.
#[derive(Debug)]
pub(crate) enum Phase {
    /// No connect command yet.
    Waiting { stale_at: Option<Uptime> },
    /// The connect command is being worked on.
    Connecting(Box<Connecting>),
    /// It was answered.
    Connected,
    /// It was answered with an error: the client is expected to go.
    Refused {
        /// When the transport is dropped without a word.
        drop_at: Uptime,
        stale_at: Option<Uptime>,
    },
    /// It is over.
    Closed,
}

/// What a connect has gathered so far.
#[derive(Debug)]
pub(crate) struct Connecting {
    pub(crate) asked: Asked,
    pub(crate) stale_at: Option<Uptime>,
    pub(crate) data: Bytes,
    /// What the client asked to recover, by channel.
    pub(crate) wanted: BTreeMap<String, SubscribeRequest>,
    /// Server-side subscriptions to be made.
    pub(crate) granted: Vec<GrantedSubscription>,
    pub(crate) results: BTreeMap<String, SubscribeResult>,
    pub(crate) opened: Vec<SubscriptionId>,
    /// Subscriptions that are not entered yet.
    pub(crate) outstanding: usize,
}

impl Phase {
    pub(crate) fn deadline(&self) -> Option<Uptime> {
        match self {
            Self::Waiting { stale_at } => *stale_at,
            Self::Connecting(connecting) => connecting.stale_at,
            Self::Refused { drop_at, stale_at } => {
                Some(stale_at.map_or(*drop_at, |stale_at| stale_at.min(*drop_at)))
            }
            Self::Connected | Self::Closed => None,
        }
    }

    /// How the connection ends if the phase has lasted too long.
    pub(crate) fn overdue(&self, now: Uptime) -> Option<Disconnect> {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return None;
        }
        match self {
            Self::Refused { drop_at, stale_at }
                if stale_at.is_none_or(|stale_at| *drop_at <= stale_at) =>
            {
                Some(Disconnect::CONNECTION_CLOSED)
            }
            Self::Waiting { .. } | Self::Connecting(_) | Self::Refused { .. } => {
                Some(Disconnect::STALE)
            }
            Self::Connected | Self::Closed => None,
        }
    }
}
