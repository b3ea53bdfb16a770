//! How frames travel: what every transport does for the driver of a connection.

pub(crate) mod grpc;
pub(crate) mod http_stream;
mod outbox;
mod outlet;
pub(crate) mod positions;
pub(crate) mod websocket;
pub(crate) mod webtransport;

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use gyre_protocol::codes::Disconnect;

use crate::outgoing::Outgoing;

/// Frames of HTTP/2 below this are counted against their sender until they are read. Unit: bytes. Source:
/// the crate `h2`, which tonic and hyper read with.
const SMALL_FRAME_BYTES: usize = 256;

/// Why there is nothing more to read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// In the WebSocket's way.
    #[error(transparent)]
    WebSocket(#[from] crate::websocket::ReadError),
    /// The client closed its end.
    #[error("closed by the client")]
    Closed,
    /// The stream broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One connection's way to its client.
///
/// Reading and writing never wait for each other; what the socket does not take is kept, and is then
/// [`Self::is_pending`]. The driver takes no more out of the mailbox while it is.
pub(crate) trait Transport: Send + 'static {
    /// Name of the transport, as the API and the metrics have it.
    fn name(&self) -> &'static str;

    /// Reads once and appends the frames that came; there may be none.
    ///
    /// # Errors
    ///
    /// Why there will be no more.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut Vec<Bytes>,
    ) -> Poll<Result<(), Ended>>;

    /// Whether an answer to the transport's own ping has come since the last call. Most have none.
    fn take_pong(&mut self) -> bool {
        false
    }

    /// Sends all messages that the session has, with one write.
    ///
    /// # Errors
    ///
    /// The socket's.
    fn write(&mut self, outgoing: &mut Outgoing<'_>) -> io::Result<()>;

    /// Whether something waits for the socket to take more.
    fn is_pending(&self) -> bool;

    /// What the socket has taken since the start. Unit: bytes.
    fn sent_bytes(&self) -> u64;

    /// Waits until the socket has taken everything.
    ///
    /// # Errors
    ///
    /// The socket's.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the connection: sends what is kept, says why it ends in the transport's way, closes.
    ///
    /// # Cancel safety
    ///
    /// To drop the future is to drop the connection.
    fn close(self, disconnect: &Disconnect) -> impl Future<Output = ()> + Send;
}
