//! `websocket`: the bidirectional WebSocket transport.

use crate::tree::options;
use crate::values::{ByteSize, Millis};

options! {
    /// The bidirectional WebSocket transport.
    pub struct WebSocket {
        /// Switches the transport off.
        disabled: bool;
        /// Path of the endpoint.
        handler_prefix: String = "/connection/websocket".to_owned();
        /// Compresses messages (permessage-deflate) for clients that offer it.
        compression: bool;
        /// Messages shorter than this are sent uncompressed. Unit: bytes.
        compression_min_size: ByteSize;
        /// Effort of compression. Range: 1 (fastest) to 9 (smallest).
        compression_level: u32 = 1, 1 to 9;
        /// Size of the read buffer per connection. Unit: bytes. A connection has none between messages;
        /// known for compatibility.
        read_buffer_size: ByteSize;
        /// Size of the write buffer per connection. Unit: bytes. A connection has none between messages;
        /// known for compatibility.
        write_buffer_size: ByteSize;
        /// Shares write buffers between connections. Always so here; known for compatibility.
        use_write_buffer_pool: bool;
        /// Longest time that a socket with something to send may take nothing. Unit: duration.
        write_timeout: Millis = Millis::from_secs(1);
        /// Longest message that a client may send. Unit: bytes. Negative: no limit.
        message_size_limit: ByteSize = ByteSize(65_536);
        /// Longest message after decompression. Unit: bytes. 0: ten times `message_size_limit`.
        decompressed_message_size_limit: ByteSize;
    }
}
