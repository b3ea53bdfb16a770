use bytes::Bytes;

use super::{FilterNode, Publication};

message! {
    /// Asks for a subscription, or for the next page of a map.
    pub struct SubscribeRequest {
        /// Channel.
        1 channel: String,
        /// Subscription token.
        2 token: String,
        /// Whether to recover from `offset` and `epoch`.
        3 recover: bool,
        /// The stream's life at the last publication seen.
        6 epoch: String,
        /// Offset of the last publication seen.
        7 offset: u64,
        /// Payload for the backend.
        8 data: Bytes,
        /// Asks for positioning.
        9 positioned: bool,
        /// Asks for recovery.
        10 recoverable: bool,
        /// Asks for join and leave pushes.
        11 join_leave: bool,
        /// Asks for deltas: `fossil` or empty.
        12 delta: String,
        /// Tags filter.
        13 tf: Option<Box<FilterNode>>,
        /// Bit 0: channel compaction. Bit 1: reject if it cannot be recovered.
        14 flag: i64,
        /// Kind of subscription; see [`SubscriptionType`].
        15 type_: i32,
        /// Phase of a map subscription: 0 live, 1 stream, 2 state.
        16 phase: i32,
        /// Where the next page of a map begins.
        17 cursor: String,
        /// Size of the page. Unit: entries.
        18 limit: i32,
        /// Order of a scored map.
        19 asc: bool,
    }
}

impl SubscribeRequest {
    /// Bit of `flag`: the client can take numbers for channels.
    pub const FLAG_COMPACTION: i64 = 1;
    /// Bit of `flag`: answer 112 instead of a subscription that was not recovered.
    pub const FLAG_REJECT_UNRECOVERED: i64 = 2;
}

/// Kind of a subscription on the wire.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SubscriptionType {
    /// 0: a stream of publications.
    #[default]
    Stream,
    /// 1: a map.
    Map,
    /// 2: a map of connections.
    MapClients,
    /// 3: a map of users.
    MapUsers,
    /// 4: keys that the server polls for.
    SharedPoll,
}

impl SubscriptionType {
    /// The kind that a number on the wire stands for; `None` if it stands for none.
    #[must_use]
    pub const fn from_wire(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Stream),
            1 => Some(Self::Map),
            2 => Some(Self::MapClients),
            3 => Some(Self::MapUsers),
            4 => Some(Self::SharedPoll),
            _ => None,
        }
    }

    /// Its number on the wire.
    #[must_use]
    pub const fn to_wire(self) -> i32 {
        match self {
            Self::Stream => 0,
            Self::Map => 1,
            Self::MapClients => 2,
            Self::MapUsers => 3,
            Self::SharedPoll => 4,
        }
    }
}

message! {
    /// Answer to [`SubscribeRequest`].
    pub struct SubscribeResult {
        /// Whether the subscription expires and the client must refresh it.
        1 expires: bool,
        /// Until it expires. Unit: seconds.
        2 ttl: u32,
        /// Whether it can be recovered after a loss.
        3 recoverable: bool,
        /// The stream's life.
        6 epoch: String,
        /// Missed publications.
        7 publications: Vec<Publication>,
        /// Whether nothing is missing.
        8 recovered: bool,
        /// Position that the publications follow.
        9 offset: u64,
        /// Whether the server watches the position.
        10 positioned: bool,
        /// Payload from the backend or the token.
        11 data: Bytes,
        /// Whether a recovery was tried.
        12 was_recovering: bool,
        /// Whether payloads may be patches.
        13 delta: bool,
        /// Number that stands for the channel in pushes.
        14 id: i64,
        /// Kind of subscription.
        15 type_: i32,
        /// Phase of a map subscription.
        16 phase: i32,
        /// Where the next page begins.
        17 cursor: String,
        /// Entries of a map.
        18 state: Vec<Publication>,
        /// How long the client should wait between its publications. Unit: milliseconds.
        19 publish_debounce: u32,
    }
}

message! {
    /// Ends a subscription.
    pub struct UnsubscribeRequest {
        /// Channel.
        1 channel: String,
    }
}

message! {
    /// Answer to [`UnsubscribeRequest`].
    pub struct UnsubscribeResult {}
}
