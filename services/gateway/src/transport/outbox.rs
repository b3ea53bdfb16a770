use std::io;

use bytes::Bytes;
use gyre_protocol::{Envelope, Format};
use gyre_runtime::Stream;
use gyre_session::{Frame, Message, Transport as Facts};
use gyre_types::limits::FRAME_MESSAGES_MAX;
use smallvec::SmallVec;

use crate::outgoing::Outgoing;
use crate::websocket::{Frames, Kind, WebSocket, deflate};

type Parts = SmallVec<[Bytes; FRAME_MESSAGES_MAX]>;

/// Sends all messages that the session has: joined into frames, all frames with one write. The result
/// is whether a ping of WebSocket's own went along: clients that only listen do not answer others.
pub(super) fn write(
    outgoing: &mut Outgoing<'_>,
    socket: &mut WebSocket<Stream>,
    facts: Facts,
    deflate_level: u8,
    frame_messages_max: usize,
) -> io::Result<bool> {
    let mut has_pinged = false;
    socket.write(|frames| {
        let mut outbox = Outbox {
            frames,
            parts: Parts::new(),
            facts,
            frame_messages_max,
        };
        while let Some(message) = outgoing.next() {
            outbox.add(&message, deflate_level);
            if facts.envelope == Envelope::Bare && matches!(message, Message::Own(_, Frame::Ping)) {
                outbox.end_frame();
                outbox.frames.ping();
                has_pinged = true;
            }
        }
        outbox.end_frame();
    })?;
    Ok(has_pinged)
}

struct Outbox<'a, 'b> {
    frames: &'a mut Frames<'b>,
    parts: Parts,
    facts: Facts,
    frame_messages_max: usize,
}

impl Outbox<'_, '_> {
    fn add(&mut self, message: &Message, deflate_level: u8) {
        match message {
            Message::Own(bytes, _) => self.join(bytes.clone()),
            Message::TransportPing => {
                self.end_frame();
                self.frames.ping();
            }
            Message::Shared { .. } => {
                let Some(encoded) = message.shared(self.facts) else {
                    return;
                };
                if !self.frames.deflates(encoded.bytes().len()) {
                    return self.join(encoded.bytes().clone());
                }
                // A frame of its own, so that its compressed form serves all receivers.
                self.end_frame();
                let deflated = encoded.deflated(|bytes| deflate::message(bytes, deflate_level));
                self.frames.deflated(kind(self.facts.format), deflated);
            }
        }
    }

    fn join(&mut self, bytes: Bytes) {
        self.parts.push(bytes);
        if self.parts.len() >= self.frame_messages_max {
            self.end_frame();
        }
    }

    fn end_frame(&mut self) {
        if self.parts.is_empty() {
            return;
        }
        let separator = match self.facts.format {
            Format::Json => Some(b'\n'),
            Format::Protobuf => None,
        };
        self.frames
            .message(kind(self.facts.format), &self.parts, separator);
        self.parts.clear();
    }
}

const fn kind(format: Format) -> Kind {
    match format {
        Format::Json => Kind::Text,
        Format::Protobuf => Kind::Binary,
    }
}
