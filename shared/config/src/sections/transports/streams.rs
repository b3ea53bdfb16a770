//! Client transports beside WebSocket: `http_stream`, `sse`, `emulation`, the unidirectional ones, and
//! `init`.

use crate::tree::{Item, options};
use crate::values::{ByteSize, Millis};

options! {
    /// HTTP streaming: what goes down comes as lines, what goes up as requests of their own.
    pub struct HttpStream {
        /// Serves the endpoint.
        enabled: bool;
        /// Path of the endpoint.
        handler_prefix: String = "/connection/http_stream".to_owned();
        /// Longest request body. Unit: bytes.
        max_request_body_size: ByteSize = ByteSize(65_536);
    }
}

options! {
    /// Server-sent events: what goes down comes as events, what goes up as requests of their own.
    pub struct Sse {
        /// Serves the endpoint.
        enabled: bool;
        /// Path of the endpoint.
        handler_prefix: String = "/connection/sse".to_owned();
        /// Longest request body. Unit: bytes.
        max_request_body_size: ByteSize = ByteSize(65_536);
    }
}

options! {
    /// Where clients of HTTP streaming and server-sent events send their commands. On when one of them
    /// is.
    pub struct Emulation {
        /// Path of the endpoint.
        handler_prefix: String = "/emulation".to_owned();
        /// Longest request body. Unit: bytes.
        max_request_body_size: ByteSize = ByteSize(65_536);
    }
}

options! {
    /// Server-sent events to clients that send nothing after their request.
    pub struct UniSse {
        /// Serves the endpoint.
        enabled: bool;
        /// Path of the endpoint.
        handler_prefix: String = "/connection/uni_sse".to_owned();
        /// Longest request body. Unit: bytes.
        max_request_body_size: ByteSize = ByteSize(65_536);
        /// Gives events ids with the client's positions in channels that recover: a browser that comes
        /// back goes on there by itself. Ids beyond 4 KiB, of about a hundred channels, are left out.
        event_ids: bool;
        /// Which connect errors are answered with an HTTP status.
        connect_code_to_http_response: ConnectCodeToHttp;
    }
}

options! {
    /// Lines to clients that send nothing after their request.
    pub struct UniHttpStream {
        /// Serves the endpoint.
        enabled: bool;
        /// Path of the endpoint.
        handler_prefix: String = "/connection/uni_http_stream".to_owned();
        /// Longest request body. Unit: bytes.
        max_request_body_size: ByteSize = ByteSize(65_536);
        /// Which connect errors are answered with an HTTP status.
        connect_code_to_http_response: ConnectCodeToHttp;
    }
}

options! {
    /// HTTP statuses that take the place of connect errors.
    pub struct ConnectCodeToHttp {
        /// Waits for the outcome of the connect before the response begins, and applies the
        /// transforms; what none fits is answered with 500.
        enabled: bool;
        /// The transforms; the first with the error's code counts.
        transforms: Vec<HttpTransform>;
    }
}

options! {
    /// A connect error or disconnect, and the response that takes its place.
    pub struct HttpTransform {
        /// Code of the error or disconnect. Range: 1 to 4294967295.
        code: u32;
        /// The response.
        to: TransformedResponse;
    }
}

options! {
    /// A response that ends a connect.
    pub struct TransformedResponse {
        /// HTTP status. Range: 200 to 599.
        status_code: u16 = 500, 200 to 599;
        /// Body. Empty: the text of the error.
        body: String;
    }
}

impl Item for HttpTransform {
    const NAMED: bool = false;
}

options! {
    /// WebSocket to clients that send nothing after their request.
    pub struct UniWebSocket {
        /// Serves the endpoint.
        enabled: bool;
        /// Path of the endpoint.
        handler_prefix: String = "/connection/uni_websocket".to_owned();
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
        /// Closes the stream at the end without a close frame.
        disable_closing_handshake: bool;
        /// Says why a connection ends by the close frame alone.
        disable_disconnect_push: bool;
        /// Joins pushes that wait into one message, each on a line.
        join_push_messages: bool;
    }
}

options! {
    /// WebTransport: a stream over HTTP/3. Needs `http_server.http3` and `http_server.tls`.
    pub struct WebTransport {
        /// Serves the endpoint.
        enabled: bool;
        /// Path of the endpoint.
        handler_prefix: String = "/connection/webtransport".to_owned();
        /// Longest command. Unit: bytes.
        message_size_limit: ByteSize = ByteSize(65_536);
    }
}

options! {
    /// An endpoint that answers `{}`: warms a browser's connection up, and serves balancers.
    pub struct Init {
        /// Serves the endpoint.
        enabled: bool;
        /// Path of the endpoint.
        handler_prefix: String = "/connection/init".to_owned();
    }
}
