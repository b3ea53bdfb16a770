use std::io;
use std::mem;
use std::task::{Context, Poll};

use bytes::Bytes;
use gyre_protocol::codes::Disconnect;
use gyre_runtime::Stream;
use gyre_session::Transport as Facts;

use super::{Ended, Transport, outbox};
use crate::outgoing::Outgoing;
use crate::websocket::WebSocket;

/// WebSocket, both ways or only to the client.
#[derive(Debug)]
pub(crate) struct WebSocketTransport {
    socket: WebSocket<Stream>,
    facts: Facts,
    deflate_level: u8,
    /// Messages of the protocol in one frame.
    frame_messages_max: usize,
    ways: Ways,
    /// A ping is out that only clients have to answer who say nothing else.
    awaits_pong: bool,
}

/// What differs between the WebSocket endpoints.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ways {
    /// Frames of commands come in.
    Both,
    /// Nothing counts that comes in after the connect request.
    ToClient {
        /// Whether the close frame is sent.
        says_close: bool,
    },
}

impl WebSocketTransport {
    pub(crate) const fn new(
        socket: WebSocket<Stream>,
        facts: Facts,
        deflate_level: u8,
        frame_messages_max: usize,
        ways: Ways,
    ) -> Self {
        Self {
            socket,
            facts,
            deflate_level,
            frame_messages_max,
            ways,
            awaits_pong: false,
        }
    }
}

impl Transport for WebSocketTransport {
    fn name(&self) -> &'static str {
        match self.ways {
            Ways::Both => "websocket",
            Ways::ToClient { .. } => "uni_websocket",
        }
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut Vec<Bytes>,
    ) -> Poll<Result<(), Ended>> {
        self.socket.poll_read(cx, frames).map_err(Ended::from)
    }

    fn take_pong(&mut self) -> bool {
        let has_come = self.socket.take_pong();
        self.awaits_pong &= !has_come;
        has_come
    }

    // hot path: delivery 6/6
    fn write(&mut self, outgoing: &mut Outgoing<'_>) -> io::Result<()> {
        let has_pinged = outbox::write(
            outgoing,
            &mut self.socket,
            self.facts,
            self.deflate_level,
            self.frame_messages_max,
        )?;
        if has_pinged && mem::replace(&mut self.awaits_pong, true) {
            // The one before was not answered: nobody is there.
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    fn is_pending(&self) -> bool {
        self.socket.is_pending()
    }

    fn sent_bytes(&self) -> u64 {
        self.socket.sent_bytes()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_flush(cx)
    }

    fn close(self, disconnect: &Disconnect) -> impl Future<Output = ()> + Send {
        let code = match self.ways {
            Ways::ToClient { says_close: false } => 0, // Not a code: closes without a frame.
            Ways::Both | Ways::ToClient { says_close: true } => {
                u16::try_from(disconnect.code).unwrap_or(0)
            }
        };
        self.socket.close(code, &disconnect.reason)
    }
}
