mod rewound;

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

pub(super) use rewound::Rewound;

/// What a connection's bytes come and go through. `TCP_NODELAY` is set.
#[derive(Debug)]
pub enum Stream {
    /// As they are.
    Plain(TcpStream),
    /// Through TLS. In a box: plain connections must not have room for its state.
    Tls(Box<TlsStream<TcpStream>>),
    /// One of several that share a connection, over HTTP/2 say.
    Shared(Box<dyn Duplex>),
}

/// Bytes that come and go, whatever carries them.
pub trait Duplex: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin + 'static {
    /// Ready when the peer takes no more. What it still sends meanwhile is thrown away.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

impl Stream {
    /// Whether it takes bytes that the socket does not take: they leave with a flush.
    ///
    /// The other streams send by themselves what they have taken.
    #[must_use]
    pub const fn buffers(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Ready when the peer takes no more. What it still sends meanwhile is thrown away.
    ///
    /// A peer that has ended its request over HTTP/2 still takes the response.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Plain(stream) => poll_read_out(stream, cx),
            Self::Tls(stream) => poll_read_out(&mut **stream, cx),
            Self::Shared(stream) => stream.poll_gone(cx),
        }
    }
}

/// Reads to the end, and keeps nothing: a [`Duplex`] whose peer is gone when it ends its side.
pub fn poll_read_out<S: AsyncRead + Unpin>(io: &mut S, cx: &mut Context<'_>) -> Poll<()> {
    let mut ignored = [0; 512];
    for _ in 0..READS_MAX {
        let mut room = ReadBuf::new(&mut ignored);
        if ready!(Pin::new(&mut *io).poll_read(cx, &mut room)).is_err() || room.filled().is_empty()
        {
            return Poll::Ready(());
        }
    }
    // Others have their turn first.
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Asks the socket itself, past what the runtime knows of it: mostly it takes everything.
///
/// `None`: it takes nothing now, and the runtime shall wait for it.
fn send_at_once(stream: &TcpStream, bytes: &[u8]) -> Option<io::Result<usize>> {
    match SockRef::from(stream).send(bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
        sent => Some(sent),
    }
}

/// Reads of one turn that are thrown away. 16: 8 KiB.
const READS_MAX: usize = 16;

/// Does the same with either.
macro_rules! either {
    ($self:expr, $io:ident => $done:expr) => {
        match $self.get_mut() {
            Self::Plain(stream) => {
                let $io = Pin::new(stream);
                $done
            }
            Self::Tls(stream) => {
                let $io = Pin::new(&mut **stream);
                $done
            }
            Self::Shared(stream) => {
                let $io = Pin::new(&mut **stream);
                $done
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, io => io.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Self::Plain(stream) = &*self
            && let Some(sent) = send_at_once(stream, bytes)
        {
            return Poll::Ready(sent);
        }
        either!(self, io => io.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, io => io.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Shared(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => io.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => io.poll_shutdown(context))
    }
}
