use std::sync::Arc;

use bytes::Bytes;
use gyre_protocol::prepared::{Encoded, Form, Prepared};

use crate::frame::Frame;
use crate::transport::Transport;

/// A message on its way to the client, ready to be joined into a frame.
#[derive(Clone, Debug)]
pub enum Message {
    /// For this client alone.
    Own(Bytes, Frame),
    /// One encoding, shared by all subscribers of a channel.
    Shared {
        /// What was published.
        prepared: Arc<Prepared>,
        /// Which of its encodings.
        form: Form,
    },
    /// A ping in the transport's own way.
    TransportPing,
}

impl Message {
    /// What it is.
    #[must_use]
    pub fn frame(&self) -> Frame {
        match self {
            Self::Own(_, frame) => *frame,
            Self::Shared { prepared, .. } => Frame::of_prepared(prepared.kind()),
            Self::TransportPing => Frame::Ping,
        }
    }

    /// The shared encoding, with its place for a compressed copy. It was made when the message was
    /// queued, so this costs nothing.
    #[must_use]
    pub fn shared(&self, transport: Transport) -> Option<&Encoded> {
        match self {
            Self::Own(..) | Self::TransportPing => None,
            Self::Shared { prepared, form } => prepared
                .message(transport.format, transport.envelope, *form)
                .ok(),
        }
    }
}
