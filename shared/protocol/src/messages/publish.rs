use bytes::Bytes;

message! {
    /// Publishes into a channel.
    pub struct PublishRequest {
        /// Channel.
        1 channel: String,
        /// Payload.
        2 data: Bytes,
        /// 1: into a map; anything else: into a stream.
        3 type_: i32,
        /// Key of the map's entry.
        4 key: String,
        /// Whether to remove the entry.
        5 removed: bool,
    }
}

message! {
    /// Answer to [`PublishRequest`].
    pub struct PublishResult {}
}
