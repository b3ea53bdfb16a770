use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::codec::ZigZag;

message! {
    /// An error as it stands in a reply.
    pub struct ErrorMessage {
        /// See [`crate::codes::Error`].
        1 code: u32,
        /// Text of the code.
        2 message: Arc<str>,
        /// Whether the client should try again.
        3 temporary: bool,
    }
}

message! {
    /// Who is connected, as others see it.
    pub struct ClientInfo {
        /// User; empty for an anonymous one.
        1 user: Arc<str> = always,
        /// Identity of the connection.
        2 client: Arc<str> = always,
        /// What the connection's token or the backend says about it.
        3 conn_info: Bytes,
        /// What the subscription's token or the backend says about it.
        4 chan_info: Bytes,
    }
}

message! {
    /// A message in a channel, or an entry of a map.
    ///
    /// `time` and `prev_data` never go to clients; `epoch` only with offset 1.
    pub struct Publication {
        /// Payload, or a patch if `delta`.
        4 data: Bytes,
        /// Its publisher, if that was a client.
        5 info: Option<Arc<ClientInfo>>,
        /// Place in the stream; 0 without history.
        6 offset: u64,
        /// What filters look at.
        7 tags: BTreeMap<String, String>,
        /// Whether `data` is a patch against the publication before.
        8 delta: bool,
        /// When the engine took it. Unit: milliseconds since the Unix epoch.
        9 time: i64 = internal,
        /// Where it was published, if that is not where it was subscribed.
        10 channel: Arc<str>,
        /// Key of a map's entry.
        11 key: Arc<str>,
        /// Whether the entry is gone.
        12 removed: bool,
        /// Order of an entry in its map.
        13 score: ZigZag,
        /// The stream's life.
        14 epoch: Arc<str>,
        /// Payload before this one.
        15 prev_data: Bytes = internal,
        /// Version that the publisher gave.
        16 version: u64,
    }
}

message! {
    /// A place in a stream as a client gives it: the epoch may be any text.
    pub struct StreamPosition {
        /// Offset of the last publication seen.
        1 offset: u64,
        /// The stream's life; empty matches any.
        2 epoch: String,
    }
}

message! {
    /// A node of a tags filter: a comparison, or `and`, `or`, `not` over others.
    pub struct FilterNode {
        /// Empty for a comparison; `and`, `or`, `not`.
        1 op: String,
        /// Tag to compare.
        2 key: String,
        /// `eq neq in nin ex nex sw ew ct gt gte lt lte`.
        3 cmp: String,
        /// Value to compare with.
        4 val: String,
        /// Values of `in` and `nin`.
        5 vals: Vec<String>,
        /// Children of `and`, `or`, `not`.
        6 nodes: Vec<FilterNode>,
    }
}

message! {
    /// A key that a client tracks and the version that it has.
    pub struct KeyedItem {
        /// The key.
        1 key: String,
        /// Version that the client holds; 0 is none.
        2 version: u64,
    }
}

message! {
    /// Keys under one signature.
    pub struct TrackBatch {
        /// Signature over the keys.
        1 signature: String,
        /// The keys, in the signed order.
        2 items: Vec<KeyedItem>,
    }
}

message! {
    /// A compression dictionary.
    pub struct Dictionary {
        /// Name: hash of the content.
        1 id: String,
        /// Content for Protobuf connections, deflated.
        2 data: Bytes,
        /// Content for JSON connections, deflated, in base64.
        3 data_b64: String,
    }
}
