//! Our own server side of WebSocket: RFC 6455, with permessage-deflate of RFC 7692.
//!
//! | module | what |
//! |---|---|
//! | [`handshake`] | an upgrade request in, the bytes of the answer out |
//! | [`origin`] | which origins may upgrade |
//! | [`extension`] | what is agreed about permessage-deflate |
//! | [`frame`] | the vocabulary: opcodes, frame heads, close codes |
//! | [`decoder`] | bytes in, messages and control frames out |
//! | [`encoder`] | messages in, bytes out |
//! | [`deflate`] | one compressor and one decompressor per thread |
//! | [`connection`] | the only one that knows a socket |
//!
//! All but the last are plain functions and state machines without I/O, so the same codec serves any
//! byte stream. What makes it cheap is what it does not have: a connection that waits owns no buffer,
//! in either direction (see [`crate::scratch`]).

mod backlog;
pub mod connection;
pub mod decoder;
pub mod deflate;
pub mod encoder;
pub mod extension;
pub mod frame;
pub mod handshake;
pub mod origin;

pub use connection::{ReadError, WebSocket};
pub use decoder::Message;
pub use encoder::Frames;
pub use extension::Compression;
pub use frame::{CloseFrame, Kind};
pub use handshake::{Accepted, Refusal, Upgrade};
pub use origin::Origins;

/// What all connections of an endpoint have in common.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Longest message as it comes over the wire, over all its frames. Unit: bytes.
    pub message_bytes_max: usize,
    /// Longest message after decompression. Unit: bytes.
    pub inflated_bytes_max: usize,
    /// How hard outgoing messages are compressed: 0 not at all, 1 fastest, 9 smallest.
    pub deflate_level: u8,
    /// Outgoing messages up to this length are sent as they are. Unit: bytes.
    pub deflate_above_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let message_bytes_max = 65_536;
        Self {
            message_bytes_max,
            inflated_bytes_max: 10 * message_bytes_max,
            deflate_level: 1,
            deflate_above_bytes: 0,
        }
    }
}

#[cfg(test)]
mod tests;
