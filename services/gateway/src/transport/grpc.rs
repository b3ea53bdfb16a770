//! Messages of a gRPC stream: to the client, or both ways.
//!
//! Readers of HTTP/2 exist that end a connection whose peer sends many small frames that nobody reads
//! ([`SMALL_FRAME_BYTES`]). What is ready together leaves in one frame; one that is small all the same is
//! padded by a field that means nothing. Pings are not: clients know them by their emptiness.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use gyre_protocol::Envelope;
use gyre_protocol::codes::Disconnect;
use gyre_runtime::Stream;
use gyre_session::{Message, Transport as Facts};

use super::outlet::Outlet;
use super::{Ended, SMALL_FRAME_BYTES, Transport};
use crate::grpc::message::{self, Decoder, HEAD_BYTES};
use crate::outgoing::Outgoing;
use crate::scratch;

/// Field 100 of the outermost message, which is of bytes.
const PADDING_TAG: [u8; 2] = [0xa2, 0x06];

/// Whether small messages are padded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Padding {
    On,
    Off,
}

/// What comes from the client.
#[derive(Debug)]
pub(crate) enum Ways {
    /// Nothing after its request.
    ToClient,
    /// Commands.
    Both(Decoder),
}

/// A response under way.
#[derive(Debug)]
pub(crate) struct GrpcStream {
    outlet: Outlet,
    facts: Facts,
    ways: Ways,
    padding: Padding,
}

impl GrpcStream {
    pub(crate) const fn new(io: Stream, facts: Facts, ways: Ways, padding: Padding) -> Self {
        Self {
            outlet: Outlet::new(io),
            facts,
            ways,
            padding,
        }
    }

    /// Takes the session's messages, as they are to leave together.
    fn stage(&self, outgoing: &mut Outgoing<'_>, out: &mut Vec<u8>) {
        let mut last = 0;
        while let Some(message) = outgoing.next() {
            last = out.len();
            match &message {
                Message::Own(bytes, _) => message::put(out, bare(bytes)),
                Message::Shared { .. } => {
                    if let Some(encoded) = message.shared(self.facts) {
                        message::put(out, bare(encoded.bytes()));
                    }
                }
                Message::TransportPing => {}
            }
        }
        if self.padding == Padding::On {
            pad(out, last);
        }
    }
}

/// A message without the length that stands before it on other transports.
fn bare(delimited: &[u8]) -> &[u8] {
    let ends = |byte: &u8| *byte < 0x80;
    let length_len = delimited.iter().position(ends).map_or(0, |last| last + 1);
    delimited.get(length_len..).unwrap_or_default()
}

/// Fills the message at `last`, which is the last one, so that all together are not small.
fn pad(out: &mut Vec<u8>, last: usize) {
    let is_empty = out.len() <= last + HEAD_BYTES;
    if is_empty || out.len() >= SMALL_FRAME_BYTES {
        return;
    }
    let padding = SMALL_FRAME_BYTES - out.len();
    out.extend_from_slice(&PADDING_TAG);
    message::put_varint(out, padding);
    out.resize(out.len() + padding, 0);
    let len = out.len() - last - HEAD_BYTES;
    let length = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
    if let Some(place) = out.get_mut(last + 1..last + HEAD_BYTES) {
        place.copy_from_slice(&length);
    }
}

impl Transport for GrpcStream {
    fn name(&self) -> &'static str {
        match self.facts.envelope {
            Envelope::Reply => "grpc",
            Envelope::Bare => "uni_grpc",
        }
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut Vec<Bytes>,
    ) -> Poll<Result<(), Ended>> {
        let decoder = match &mut self.ways {
            Ways::ToClient => {
                let gone = self.outlet.stream().poll_gone(cx);
                return gone.map(|()| Err(Ended::Closed));
            }
            Ways::Both(decoder) => decoder,
        };
        if self.outlet.stream().poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Ended::Closed));
        }
        self.outlet.poll_read(cx, |read| {
            frames.extend(decoder.feed(read));
            Ok(())
        })
    }

    fn write(&mut self, outgoing: &mut Outgoing<'_>) -> io::Result<()> {
        scratch::with_spare(|out| {
            self.stage(outgoing, out);
            self.outlet.send(out)
        })
    }

    fn is_pending(&self) -> bool {
        self.outlet.is_pending()
    }

    fn sent_bytes(&self) -> u64 {
        self.outlet.sent_bytes()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outlet.poll_flush(cx)
    }

    fn close(self, _disconnect: &Disconnect) -> impl Future<Output = ()> + Send {
        // Also to a client that has ended its side: it may wait for the status.
        Box::pin(self.outlet.close())
    }
}

#[cfg(test)]
mod tests {
    use gyre_proto::unistream::{Publication, Push};
    use prost::Message as _;

    use super::*;

    #[test]
    fn small_messages_are_padded_and_mean_the_same() {
        for len in 0..300 {
            let push = Push {
                r#pub: Some(Publication {
                    data: vec![b'x'; len].into(),
                    ..Publication::default()
                }),
                ..Push::default()
            };
            let mut out = Vec::new();
            message::put(&mut out, b"");
            message::put(&mut out, &push.encode_to_vec());
            pad(&mut out, HEAD_BYTES);
            assert!(out.len() >= SMALL_FRAME_BYTES);
            let (ping, rest) = out.split_at(HEAD_BYTES);
            assert_eq!(ping, [0; HEAD_BYTES]);
            let whole = message::size(rest, 1_000).unwrap();
            assert_eq!(whole, message::Size::Whole(rest.len() - HEAD_BYTES));
            let mut decoded = Push::decode(&rest[HEAD_BYTES..]).unwrap();
            decoded.padding = Bytes::new();
            assert_eq!(decoded, push);
        }
    }

    #[test]
    fn a_ping_stays_empty() {
        let mut out = Vec::new();
        message::put(&mut out, bare(&[0]));
        pad(&mut out, 0);
        assert_eq!(out, [0; HEAD_BYTES]);
    }

    #[test]
    fn the_length_before_a_message_goes() {
        let long = [&[0xac, 0x02][..], &[1; 300]].concat();
        assert_eq!(bare(&long), [1; 300]);
        assert_eq!(bare(b"\x02ab"), b"ab");
    }
}
