//! A WebSocket over a byte stream: what the driver of a connection reads from and writes to.
//!
//! It owns no buffer while nothing is under way. Reading and writing go through the scratch buffers of
//! the thread; what the socket does not take at once is kept, and only then is something
//! [`WebSocket::is_pending`].
//!
//! How a connection ends:
//!
//! | what happens | what [`WebSocket::poll_read`] does | what the driver does |
//! |---|---|---|
//! | the client sends a close frame | echoes it, says [`ReadError::Closed`] | [`WebSocket::close`], with any code |
//! | the client breaks a rule or a limit | sends the close frame for it, says [`ReadError::Failed`] | the same |
//! | the stream ends or breaks | says [`ReadError::Ended`] or [`ReadError::Io`] | drops it |
//! | the node disconnects the client | | [`WebSocket::close`] with its code and reason |

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use gyre_types::limits::CLOSE_HANDSHAKE_WAIT;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::Settings;
use super::backlog::{Backlog, fill};
use super::decoder::{Decoder, Event, Message};
use super::encoder::{Frames, put_close, put_empty_close};
use super::extension::Compression;
use super::frame::{CloseFrame, Failure, is_sendable};
use crate::scratch::{Staging, with_read, with_write};

/// Slices of one vectored write. Unit: slices. What fits on the stack; the loop takes the rest.
const SLICES_MAX: usize = 64;

/// The disconnect code after which nothing is flushed or sent: the client is gone already.
const CODE_CONNECTION_CLOSED: u16 = 3000;

/// Why there is nothing more to read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The client closed the connection in the orderly way.
    #[error("closed by the client")]
    Closed(Option<CloseFrame>),
    /// The client broke the protocol or a limit.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The stream ended without a close frame.
    #[error("ended without a close frame")]
    Ended,
    /// The stream broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One connection. `S` is a TCP stream, or any other stream that carries the same bytes.
#[derive(Debug)]
pub struct WebSocket<S> {
    io: S,
    settings: Arc<Settings>,
    decoder: Decoder,
    compression: Compression,
    phase: Phase,
    /// A pong has come since the driver last asked.
    has_pong: bool,
    /// Something may still lie in a buffer of `io` itself.
    is_unflushed: bool,
    /// What came with the request, before the first read.
    early: Option<Box<[u8]>>,
    /// What the socket has not taken.
    backlog: Option<Box<Backlog>>,
    /// Told after the messages that came before it.
    end: Option<Box<ReadError>>,
    sent_bytes: u64,
}

/// How far the close handshake is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Messages go both ways.
    Open,
    /// Our close frame is on its way, the client's has not come.
    Closing,
    /// The client's close frame has come, and ours is on its way.
    Closed,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Takes over a connection and sends `head`, which answers the upgrade. `early` is what the client
    /// sent behind its request. We gather what belongs together ourselves: a TCP stream has
    /// `TCP_NODELAY` set.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn accept(
        stream: S,
        head: &[u8],
        compression: Compression,
        early: &[u8],
        settings: Arc<Settings>,
    ) -> io::Result<Self> {
        let mut socket = Self::new(stream, compression, early, settings);
        with_write(|staging| {
            staging.copied().extend_from_slice(head);
            socket.send(staging)
        })?;
        Ok(socket)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// A connection over `io`, on which the upgrade has been answered. `early` is what the client sent
    /// behind its request.
    #[must_use]
    pub fn new(io: S, compression: Compression, early: &[u8], settings: Arc<Settings>) -> Self {
        Self {
            io,
            settings,
            decoder: Decoder::new(compression),
            compression,
            phase: Phase::Open,
            has_pong: false,
            is_unflushed: false,
            early: (!early.is_empty()).then(|| early.into()),
            backlog: None,
            end: None,
            sent_bytes: 0,
        }
    }

    /// The stream under it.
    pub const fn get_ref(&self) -> &S {
        &self.io
    }

    /// Reads once, and appends the messages that came to `messages`; there may be none, when only a
    /// part of one or a control frame came. Pings are answered here.
    ///
    /// # Errors
    ///
    /// Why there will be nothing more to read, after all messages that came before.
    pub fn poll_read<M: From<Message>>(
        &mut self,
        cx: &mut Context<'_>,
        messages: &mut Vec<M>,
    ) -> Poll<Result<(), ReadError>> {
        if let Some(end) = self.end.take() {
            return Poll::Ready(Err(self.conclude(*end, cx)));
        }
        if self.phase != Phase::Open {
            return Poll::Ready(Err(ReadError::Ended));
        }
        if let Some(mut early) = self.early.take() {
            return Poll::Ready(self.take_in(&mut early, cx, messages));
        }
        with_read(|buffer| {
            let read = ready!(self.poll_fill(cx, buffer))?;
            if read.is_empty() {
                return Poll::Ready(Err(ReadError::Ended));
            }
            Poll::Ready(self.take_in(read, cx, messages))
        })
    }

    /// As [`Self::poll_read`], asynchronously.
    ///
    /// # Errors
    ///
    /// As [`Self::poll_read`].
    ///
    /// # Cancel safety
    ///
    /// Safe: what has been read is in `messages` or kept.
    pub async fn read(&mut self, messages: &mut Vec<Message>) -> Result<(), ReadError> {
        poll_fn(|cx| self.poll_read(cx, messages)).await
    }

    /// Sends what `stage` adds, with one write. What the socket does not take is kept; see
    /// [`Self::is_pending`] and [`Self::flush`]. After a close frame nothing is sent any more.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn write<R>(&mut self, stage: impl FnOnce(&mut Frames<'_>) -> R) -> io::Result<R> {
        with_write(|staging| {
            let deflate = (self.compression == Compression::Deflate).then_some(&*self.settings);
            let result = stage(&mut Frames::new(staging, deflate));
            if self.phase == Phase::Open {
                self.send(staging)?;
            }
            Ok(result)
        })
    }

    /// Whether something waits for the socket to take more.
    ///
    /// A driver then takes no more out of its mailbox, where the limit of the queue stands, and gives
    /// up when [`Self::sent_bytes`] does not move for as long as a write may take.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        self.backlog.is_some() || self.is_unflushed
    }

    /// What the socket has taken since the start. Unit: bytes.
    #[must_use]
    pub const fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Whether a pong has come since the last call.
    pub const fn take_pong(&mut self) -> bool {
        std::mem::replace(&mut self.has_pong, false)
    }

    /// Waits until the socket has taken everything.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(backlog) = &mut self.backlog {
            if backlog.out.is_empty() {
                backlog.encode_pongs();
            }
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = fill(&mut slices, backlog.out.iter().map(|bytes| &bytes[..]), 0);
            let slices = slices.get(..count).unwrap_or_default();
            let taken = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, slices))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent_bytes += taken as u64;
            self.is_unflushed = true;
            backlog.advance(taken);
            if backlog.is_empty() {
                self.backlog = None;
            }
        }
        if self.is_unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// As [`Self::poll_flush`], asynchronously.
    ///
    /// # Errors
    ///
    /// As [`Self::poll_flush`].
    ///
    /// # Cancel safety
    ///
    /// Safe: what has been sent is not kept, what is kept has not been sent.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Ends the connection: sends what is kept and a close frame, waits for the client's, and closes
    /// the stream; gives up after [`CLOSE_HANDSHAKE_WAIT`].
    ///
    /// Code 3000 means that the client is gone, and just drops the stream. A code that a close frame
    /// cannot carry closes the stream without one. Where a close frame has been sent already, because
    /// the client closed or failed, `code` and `reason` are not used.
    ///
    /// # Cancel safety
    ///
    /// To drop the future is to drop the connection.
    pub fn close(mut self, code: u16, reason: &str) -> impl Future<Output = ()> + Send + use<S>
    where
        S: Send,
    {
        let is_gone = self.phase == Phase::Open && code == CODE_CONNECTION_CLOSED;
        let ending = if self.phase == Phase::Open && is_sendable(code) && !is_gone {
            self.say_close(Phase::Closing, |out| put_close(out, code, reason));
            match self.end.take().as_deref() {
                None => Ending::Handshake,
                // The client's close frame has come, and nobody has been told of it.
                Some(ReadError::Closed(_)) => Ending::Shutdown,
                Some(_) => Ending::Linger,
            }
        } else if self.phase == Phase::Closing {
            Ending::Linger
        } else {
            Ending::Shutdown
        };
        // In a box, because it is rare, and the driver's future would carry it all its life.
        Box::pin(async move {
            if !is_gone {
                let _ = timeout(CLOSE_HANDSHAKE_WAIT, self.finish(ending)).await;
            }
        })
    }

    /// Flushes and closes the stream in the way of `ending`. An error on the way is an end as well.
    async fn finish(&mut self, ending: Ending) -> io::Result<()> {
        self.flush().await?;
        match ending {
            Ending::Handshake => poll_fn(|cx| self.poll_discard(cx, DiscardUntil::Close)).await,
            Ending::Linger => {
                self.shutdown().await?;
                poll_fn(|cx| self.poll_discard(cx, DiscardUntil::End)).await;
            }
            Ending::Shutdown => {}
        }
        self.shutdown().await
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await
    }

    /// Reads and drops.
    fn poll_discard(&mut self, cx: &mut Context<'_>, until: DiscardUntil) -> Poll<()> {
        with_read(|buffer| {
            loop {
                let Ok(mut input) = ready!(self.poll_fill(cx, buffer)) else {
                    return Poll::Ready(());
                };
                if input.is_empty() {
                    return Poll::Ready(());
                }
                while until == DiscardUntil::Close && !input.is_empty() {
                    match self.decoder.next(&mut input, &self.settings) {
                        Ok(Some(Event::Close(_))) | Err(_) => return Poll::Ready(()),
                        Ok(Some(Event::Message(_) | Event::Ping(_) | Event::Pong) | None) => {}
                    }
                }
            }
        })
    }

    fn poll_fill<'b>(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &'b mut [u8],
    ) -> Poll<io::Result<&'b mut [u8]>> {
        let mut room = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut room))?;
        let filled = room.filled().len();
        Poll::Ready(Ok(buffer.get_mut(..filled).unwrap_or_default()))
    }

    fn take_in<M: From<Message>>(
        &mut self,
        mut input: &mut [u8],
        cx: &mut Context<'_>,
        messages: &mut Vec<M>,
    ) -> Result<(), ReadError> {
        let before = messages.len();
        let decoded = self.decode(&mut input, messages);
        // Pongs want to leave now; where a socket takes nothing, the driver's flush finds them.
        let flushed = match self.poll_flush(cx) {
            Poll::Ready(Err(error)) => Err(ReadError::Io(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        };
        match flushed.and(decoded) {
            Ok(()) => Ok(()),
            Err(end) if messages.len() == before => Err(self.conclude(end, cx)),
            // The messages are answered first.
            Err(end) => {
                self.end = Some(Box::new(end));
                Ok(())
            }
        }
    }

    fn decode<M: From<Message>>(
        &mut self,
        input: &mut &mut [u8],
        messages: &mut Vec<M>,
    ) -> Result<(), ReadError> {
        while let Some(event) = self.decoder.next(input, &self.settings)? {
            match event {
                Event::Message(message) => messages.push(message.into()),
                Event::Ping(payload) => self.backlog.get_or_insert_default().add_pong(payload),
                Event::Pong => self.has_pong = true,
                Event::Close(close) => return Err(ReadError::Closed(close)),
            }
        }
        Ok(())
    }

    /// Sends the close frame that `end` asks for, as far as the socket takes it.
    fn conclude(&mut self, end: ReadError, cx: &mut Context<'_>) -> ReadError {
        match &end {
            ReadError::Closed(Some(close)) => {
                self.say_close(Phase::Closed, |out| put_close(out, close.code, ""));
            }
            ReadError::Closed(None) => self.say_close(Phase::Closed, put_empty_close),
            ReadError::Failed(failure) => self.say_close(Phase::Closing, |out| {
                put_close(out, failure.code(), failure.reason());
            }),
            ReadError::Ended | ReadError::Io(_) => return end,
        }
        // What it does not take now, `close` sends; an error shows there as well.
        let _ = self.poll_flush(cx);
        end
    }

    /// Queues a close frame behind everything else.
    fn say_close(&mut self, phase: Phase, put: impl FnOnce(&mut Vec<u8>)) {
        self.phase = phase;
        let backlog = self.backlog.get_or_insert_default();
        backlog.encode_pongs();
        let mut frame = Vec::new();
        put(&mut frame);
        backlog.out.push_back(frame.into());
    }

    /// Writes what is staged as far as the socket takes it, and keeps the rest.
    fn send(&mut self, staging: &Staging) -> io::Result<()> {
        let mut done = 0;
        // What is kept already goes first, and has found the socket full.
        while self.backlog.is_none() && done < staging.len() {
            match self.write_once(staging, done)? {
                Some(taken) => done += taken,
                None => break,
            }
        }
        if done < staging.len() {
            self.backlog.get_or_insert_default().keep(staging, done);
        } else {
            // Costs nothing on a socket; a stream that buffers starts to send.
            let cx = &mut Context::from_waker(Waker::noop());
            self.is_unflushed |= Pin::new(&mut self.io).poll_flush(cx)?.is_pending();
        }
        Ok(())
    }

    /// One write of what is staged but for the first `done` bytes; `None` when the socket is full.
    fn write_once(&mut self, staging: &Staging, done: usize) -> io::Result<Option<usize>> {
        // Nobody waits here: `flush` will leave the waker of who does.
        let cx = &mut Context::from_waker(Waker::noop());
        let io = Pin::new(&mut self.io);
        let taken = if let Some(whole) = staging.whole() {
            io.poll_write(cx, whole.get(done..).unwrap_or_default())
        } else {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let pieces = staging.pieces().map(|piece| piece.as_slice());
            let count = fill(&mut slices, pieces, done);
            io.poll_write_vectored(cx, slices.get(..count).unwrap_or_default())
        };
        match taken? {
            Poll::Ready(0) => Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(taken) => {
                self.sent_bytes += taken as u64;
                Ok(Some(taken))
            }
            Poll::Pending => Ok(None),
        }
    }
}

/// How the stream is closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    /// The client is to answer our close frame.
    Handshake,
    /// The client failed; what it still sends is read, since closing on unread bytes would take our
    /// close frame away from it.
    Linger,
    /// Nothing more is expected.
    Shutdown,
}

/// What reading and dropping stops at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum DiscardUntil {
    /// The client's close frame.
    Close,
    /// The end of the stream.
    End,
}

#[cfg(test)]
mod tests;
