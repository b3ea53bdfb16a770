use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Dictionary, SubscribeRequest, SubscribeResult};

message! {
    /// First command of a connection.
    pub struct ConnectRequest {
        /// Connection token.
        1 token: String,
        /// Payload for the backend.
        2 data: Bytes,
        /// Server-side subscriptions to recover or to ask for, by channel.
        3 subs: BTreeMap<String, SubscribeRequest>,
        /// Name of the SDK.
        4 name: String,
        /// Version of the SDK.
        5 version: String,
        /// Headers that a browser cannot set.
        6 headers: BTreeMap<String, String>,
        /// Bit 0: can decode dictionary frames.
        7 flag: i64,
        /// Dictionary that the client holds.
        8 dict: String,
        /// Hint of the application, not trusted.
        9 profile: String,
    }
}

message! {
    /// Answer to [`ConnectRequest`].
    pub struct ConnectResult {
        /// Identity of the connection.
        1 client: String,
        /// Version of the server.
        2 version: String,
        /// Whether the connection expires and the client must refresh it.
        3 expires: bool,
        /// Until it expires. Unit: seconds.
        4 ttl: u32,
        /// Payload from the backend.
        5 data: Bytes,
        /// Server-side subscriptions.
        6 subs: BTreeMap<String, SubscribeResult>,
        /// Ping interval. Unit: seconds. 0: no pings.
        7 ping: u32,
        /// Whether pings must be answered.
        8 pong: bool,
        /// Secret name of the session, for emulation.
        9 session: String,
        /// Node that holds the connection, for emulation.
        10 node: String,
        /// Server time. Unit: milliseconds since the Unix epoch.
        11 time: i64,
        /// Bit 0: dictionary frames follow.
        12 flag: i64,
        /// Their dictionary.
        13 dict: Option<Box<Dictionary>>,
    }
}
