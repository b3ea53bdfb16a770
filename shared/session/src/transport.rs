//! What a session must know of what carries it.

use gyre_protocol::{Envelope, Format};

/// What a session must know of the transport under it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transport {
    /// How messages are encoded.
    pub format: Format,
    /// Whether it goes both ways, which a reply wraps; or only to the client.
    pub envelope: Envelope,
    /// Whether pings are messages of the protocol; the alternative is the transport's own.
    pub app_pings: bool,
    /// Whether the client learns of its disconnect by a push, not by the transport's own end.
    pub tells_disconnect: bool,
}

/// Names that a client needs to reach its session by other requests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Names {
    /// Secret name of the session.
    pub session: String,
    /// Node that holds the connection; empty where nothing can be sent to it.
    pub node: String,
}
