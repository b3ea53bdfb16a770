use std::collections::BTreeMap;
use std::sync::Arc;

use gyre_types::ClientId;

use super::ClientInfo;

message! {
    /// Asks who is in a channel.
    pub struct PresenceRequest {
        /// Channel.
        1 channel: String,
    }
}

message! {
    /// Answer to [`PresenceRequest`].
    pub struct PresenceResult {
        /// Who is there, by client id.
        1 presence: BTreeMap<ClientId, Arc<ClientInfo>> = always,
    }
}

message! {
    /// Asks how many are in a channel.
    pub struct PresenceStatsRequest {
        /// Channel.
        1 channel: String,
    }
}

message! {
    /// Answer to [`PresenceStatsRequest`].
    pub struct PresenceStatsResult {
        /// Connections.
        1 num_clients: u32 = always,
        /// Different users.
        2 num_users: u32 = always,
    }
}
