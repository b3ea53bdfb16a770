use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{ClientInfo, SubscribeResult};

message! {
    /// Someone came into a channel.
    pub struct JoinPush {
        /// Who.
        1 info: Option<Box<ClientInfo>>,
    }
}

message! {
    /// Someone left a channel.
    pub struct LeavePush {
        /// Who.
        1 info: Option<Box<ClientInfo>>,
    }
}

message! {
    /// The server ended a subscription.
    pub struct UnsubscribePush {
        /// See [`crate::codes::Unsubscribe`].
        2 code: u32,
        /// Text of the code.
        3 reason: Arc<str>,
    }
}

message! {
    /// A message to this client alone.
    pub struct MessagePush {
        /// Payload.
        1 data: Bytes,
    }
}

message! {
    /// The server added a subscription.
    pub struct SubscribePush {
        /// Whether it can be recovered after a loss.
        1 recoverable: bool,
        /// The stream's life.
        4 epoch: String,
        /// Position at the start.
        5 offset: u64,
        /// Whether the server watches the position.
        6 positioned: bool,
        /// Payload.
        7 data: Bytes,
    }
}

message! {
    /// First push of a unidirectional transport. Its numbers differ from the connect result's.
    pub struct ConnectPush {
        /// Identity of the connection.
        1 client: String,
        /// Version of the server.
        2 version: String,
        /// Payload from the backend.
        3 data: Bytes,
        /// Server-side subscriptions.
        4 subs: BTreeMap<String, SubscribeResult>,
        /// Whether the connection expires.
        5 expires: bool,
        /// Until it expires. Unit: seconds.
        6 ttl: u32,
        /// Ping interval. Unit: seconds. 0: no pings.
        7 ping: u32,
        /// Never set: nobody can answer.
        8 pong: bool,
        /// Secret name of the session.
        9 session: String,
        /// Node that holds the connection.
        10 node: String,
        /// Server time. Unit: milliseconds since the Unix epoch.
        11 time: i64,
    }
}

message! {
    /// The connection ends.
    pub struct DisconnectPush {
        /// See [`crate::codes::Disconnect`].
        1 code: u32,
        /// Text of the code.
        2 reason: Arc<str>,
        /// Left unset; SDKs decide by the code.
        3 reconnect: bool,
    }
}

message! {
    /// The server prolonged the connection.
    pub struct RefreshPush {
        /// Whether the connection expires.
        1 expires: bool,
        /// Until it expires. Unit: seconds.
        2 ttl: u32,
    }
}
