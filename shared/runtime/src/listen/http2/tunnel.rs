//! A WebSocket over one stream of HTTP/2 (RFC 8441).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::listen::stream::Duplex;

/// The bytes of a tunnel, which opens when the response has been sent.
#[derive(Debug)]
pub(super) enum Tunnel {
    Opening(OnUpgrade),
    Open(TokioIo<Upgraded>),
}

impl Tunnel {
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TokioIo<Upgraded>>>> {
        if let Self::Opening(opening) = self {
            let opened = ready!(Pin::new(opening).poll(cx)).map_err(io::Error::other)?;
            *self = Self::Open(TokioIo::new(opened));
        }
        match self {
            Self::Open(io) => Poll::Ready(Ok(Pin::new(io))),
            Self::Opening(_) => Poll::Pending,
        }
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(cx))?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_open(cx))?.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(cx))?.poll_shutdown(cx)
    }
}

impl Duplex for Tunnel {
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        crate::listen::stream::poll_read_out(self, cx)
    }
}
