use super::{Publication, TrackBatch};

message! {
    /// Prolongs a connection.
    pub struct RefreshRequest {
        /// New connection token.
        1 token: String,
    }
}

message! {
    /// Answer to [`RefreshRequest`].
    pub struct RefreshResult {
        /// Never filled.
        1 client: String,
        /// Never filled.
        2 version: String,
        /// Whether the connection expires.
        3 expires: bool,
        /// Until it expires. Unit: seconds.
        4 ttl: u32,
    }
}

message! {
    /// Prolongs a subscription, or changes the keys that a shared poll tracks.
    pub struct SubRefreshRequest {
        /// Channel.
        1 channel: String,
        /// New subscription token.
        2 token: String,
        /// 0: token; 1: track; 2: untrack.
        3 type_: i32,
        /// Keys to track.
        4 track: Vec<TrackBatch>,
        /// Keys to leave.
        5 untrack: Vec<String>,
    }
}

message! {
    /// Answer to [`SubRefreshRequest`].
    pub struct SubRefreshResult {
        /// Whether it expires.
        1 expires: bool,
        /// Until it expires. Unit: seconds.
        2 ttl: u32,
        /// What is known of the tracked keys.
        3 items: Vec<Publication>,
    }
}
