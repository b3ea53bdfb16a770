//! Messages on the one stream of a WebTransport session: lines, or Protobuf with lengths.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gyre_protocol::Format;
use gyre_protocol::codes::Disconnect;
use gyre_runtime::{Duplex, Stream};
use gyre_session::{Message, Transport as Facts};
use memchr::memrchr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use web_transport_quinn::quinn::{Connection, VarInt};
use web_transport_quinn::{RecvStream, SendStream, Session, SessionError};

use super::outlet::Outlet;
use super::{Ended, Transport};
use crate::outgoing::Outgoing;
use crate::scratch;

/// How long a client has to take the end of its stream before the session is closed. Source: client
/// protocol, 8.7.
const CLOSE_PAUSE: Duration = Duration::from_secs(1);

/// A session that is open.
#[derive(Debug)]
pub(crate) struct WebTransport {
    outlet: Outlet,
    session: Link,
    facts: Facts,
    decoder: Decoder,
}

impl WebTransport {
    /// A session and its stream; commands of more than `command_bytes_max` end it.
    pub(crate) fn new(
        session: Link,
        stream: OneStream,
        facts: Facts,
        command_bytes_max: usize,
    ) -> Self {
        let io = Stream::Shared(Box::new(stream));
        Self {
            outlet: Outlet::new(io),
            session,
            facts,
            decoder: Decoder {
                format: facts.format,
                bytes_max: command_bytes_max,
                part: Vec::new(),
            },
        }
    }

    fn stage(&self, outgoing: &mut Outgoing<'_>, out: &mut Vec<u8>) {
        while let Some(message) = outgoing.next() {
            match &message {
                Message::Own(bytes, _) => out.extend_from_slice(bytes),
                Message::Shared { .. } => match message.shared(self.facts) {
                    Some(encoded) => out.extend_from_slice(encoded.bytes()),
                    None => continue,
                },
                Message::TransportPing => continue,
            }
            if self.facts.format == Format::Json {
                out.push(b'\n');
            }
        }
    }
}

impl Transport for WebTransport {
    fn name(&self) -> &'static str {
        "webtransport"
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut Vec<Bytes>,
    ) -> Poll<Result<(), Ended>> {
        let decoder = &mut self.decoder;
        self.outlet.poll_read(cx, |read| {
            frames.extend(decoder.feed(read)?);
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

    fn close(self, disconnect: &Disconnect) -> impl Future<Output = ()> + Send {
        let is_gone = *disconnect == Disconnect::CONNECTION_CLOSED;
        let (code, reason) = (disconnect.code, disconnect.reason.to_string());
        Box::pin(async move {
            if !is_gone {
                self.outlet.close().await;
                // A client that closes the session itself is waited for no longer.
                let _ = tokio::time::timeout(CLOSE_PAUSE, self.session.0.closed()).await;
                // Told on the session's own stream; the connection ends when the client has heard it,
                // or a moment later.
                self.session.0.close(code, reason.as_bytes());
                self.session.0.closed().await;
            }
        })
    }
}

/// A session, and the connection under it, which ends with it.
#[derive(Debug)]
pub(crate) struct Link(Session);

impl Link {
    pub(crate) const fn new(session: Session) -> Self {
        Self(session)
    }

    /// The stream that the client opens.
    pub(crate) async fn accept(&self) -> Result<OneStream, SessionError> {
        let (send, receive) = self.0.accept_bi().await?;
        Ok(OneStream { send, receive })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // For a session that was closed in the orderly way this is too late to change anything.
        Connection::close(&self.0, VarInt::from_u32(0), &[]);
    }
}

/// Cuts what is read into frames of whole commands. Holds nothing between commands.
#[derive(Debug)]
struct Decoder {
    format: Format,
    bytes_max: usize,
    part: Vec<u8>,
}

impl Decoder {
    fn feed(&mut self, read: &[u8]) -> io::Result<Option<Bytes>> {
        self.part.extend_from_slice(read);
        let (whole, next) = match self.format {
            Format::Json => {
                let whole = memrchr(b'\n', &self.part).map_or(0, |last| last + 1);
                (whole, self.part.len() - whole)
            }
            Format::Protobuf => whole_messages(&self.part),
        };
        if next > self.bytes_max {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let rest = self.part.split_off(whole);
        let frame = std::mem::replace(&mut self.part, rest);
        Ok((!frame.is_empty()).then(|| frame.into()))
    }
}

/// Length of the messages that have come whole, with the lengths before them, and what the one behind
/// them says that it has. Unit: bytes.
fn whole_messages(read: &[u8]) -> (usize, usize) {
    let mut whole = 0;
    loop {
        let rest = read.get(whole..).unwrap_or_default();
        let Some((len, head)) = length(rest) else {
            return (whole, rest.len());
        };
        let end = whole.saturating_add(head).saturating_add(len);
        if end > read.len() {
            return (whole, len);
        }
        whole = end;
    }
}

/// The length that a message begins with, and how many bytes say it; `None` if they have not come. A
/// length that is none is that of a message which never comes whole.
fn length(read: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (at, byte) in read.iter().enumerate() {
        let digit = usize::from(byte & 0x7f);
        let shift = u32::try_from(7 * at).unwrap_or(u32::MAX);
        value = value.saturating_add(digit.checked_shl(shift).unwrap_or(usize::MAX));
        if *byte < 0x80 {
            return Some((value, at + 1));
        }
    }
    None
}

/// The stream, as the rest of the process knows streams.
pub(crate) struct OneStream {
    send: SendStream,
    receive: RecvStream,
}

impl fmt::Debug for OneStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneStream").finish_non_exhaustive()
    }
}

impl AsyncRead for OneStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.receive).poll_read(cx, buffer)
    }
}

impl AsyncWrite for OneStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.send).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.send).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.send).poll_shutdown(cx)
    }
}

impl Duplex for OneStream {
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        gyre_runtime::listen::poll_read_out(&mut self.receive, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(format: Format, stream: &[u8], piece: usize) -> Vec<u8> {
        let mut decoder = Decoder {
            format,
            bytes_max: 1_000,
            part: Vec::new(),
        };
        let frames = stream.chunks(piece);
        let frames = frames.filter_map(|read| decoder.feed(read).unwrap());
        let joined = frames.collect::<Vec<_>>().concat();
        assert!(decoder.part.is_empty());
        joined
    }

    #[test]
    fn commands_are_handed_over_whole_whatever_the_pieces() {
        let mut binary = b"\x03abc\x00".to_vec();
        binary.extend_from_slice(&[0xac, 0x02]);
        binary.extend_from_slice(&[7; 300]);
        for piece in 1..binary.len() {
            assert_eq!(frames(Format::Protobuf, &binary, piece), binary, "{piece}");
        }
        let lines = b"{\"id\":1}\n{}\n{\"id\":2}\n";
        for piece in 1..lines.len() {
            assert_eq!(frames(Format::Json, lines, piece), lines, "{piece}");
        }
    }

    #[test]
    fn a_command_that_does_not_end_is_not_kept_for_ever() {
        for format in [Format::Json, Format::Protobuf] {
            let mut decoder = Decoder {
                format,
                bytes_max: 1_000,
                part: Vec::new(),
            };
            let endless = [0xff; 600];
            assert_eq!(decoder.feed(&endless).unwrap(), None);
            assert!(decoder.feed(&endless).is_err());
        }
    }

    #[test]
    fn a_command_that_says_it_is_too_long_is_not_waited_for() {
        for (len, is_taken) in [([0xe8, 0x07], true), ([0xe9, 0x07], false)] {
            let mut decoder = Decoder {
                format: Format::Protobuf,
                bytes_max: 1_000,
                part: Vec::new(),
            };
            assert_eq!(decoder.feed(&len).is_ok(), is_taken);
        }
    }
}
