//! The socket under a transport that writes plain bytes: what it does not take is kept.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use gyre_runtime::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::Ended;
use crate::scratch;

/// Longest wait for a client to take the end of its response.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// A stream, and what it has not taken.
#[derive(Debug)]
pub(super) struct Outlet {
    io: Stream,
    backlog: VecDeque<Bytes>,
    sent_bytes: u64,
}

impl Outlet {
    pub(super) const fn new(io: Stream) -> Self {
        Self {
            io,
            backlog: VecDeque::new(),
            sent_bytes: 0,
        }
    }

    pub(super) const fn stream(&mut self) -> &mut Stream {
        &mut self.io
    }

    /// Reads once and shows `take` what came.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> Poll<Result<(), Ended>> {
        scratch::with_read(|buffer| {
            let mut room = ReadBuf::new(buffer);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut room))?;
            if room.filled().is_empty() {
                return Poll::Ready(Err(Ended::Closed));
            }
            take(room.filled())?;
            Poll::Ready(Ok(()))
        })
    }

    pub(super) fn is_pending(&self) -> bool {
        !self.backlog.is_empty()
    }

    pub(super) const fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Offers the stream `bytes`, and keeps what it does not take.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while self.backlog.is_empty() && !rest.is_empty() {
            // Nobody waits here: `poll_flush` leaves the waker of who does.
            let cx = &mut Context::from_waker(Waker::noop());
            match Pin::new(&mut self.io).poll_write(cx, rest)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(taken) => {
                    self.sent_bytes += taken as u64;
                    rest = rest.get(taken..).unwrap_or_default();
                }
                Poll::Pending => break,
            }
        }
        if !rest.is_empty() {
            self.backlog.push_back(Bytes::copy_from_slice(rest));
        }
        Ok(())
    }

    /// Waits until the stream has taken everything.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(first) = self.backlog.front_mut() {
            let taken = ready!(Pin::new(&mut self.io).poll_write(cx, first))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent_bytes += taken as u64;
            first.advance(taken);
            if first.is_empty() {
                self.backlog.pop_front();
            }
        }
        self.backlog = VecDeque::new();
        Poll::Ready(Ok(()))
    }

    /// Sends what is kept and ends the stream. A client that does not take it has lost it.
    ///
    /// # Cancel safety
    ///
    /// To drop the future is to drop the connection.
    pub(super) async fn close(mut self) {
        let finish = async {
            std::future::poll_fn(|cx| self.poll_flush(cx)).await?;
            self.io.flush().await?;
            self.io.shutdown().await?;
            if matches!(self.io, Stream::Shared(_)) {
                return Ok(());
            }
            // Whoever closes first on unread bytes takes the response away from its reader.
            let mut rest = [0; 512];
            while self.io.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        // Whether it works or not, nothing is left to be done.
        let _ = tokio::time::timeout(CLOSE_WAIT, finish).await;
    }
}
