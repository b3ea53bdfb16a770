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
    /// Something may still lie in a buffer of the stream itself.
    is_unflushed: bool,
    sent_bytes: u64,
}

impl Outlet {
    pub(super) const fn new(io: Stream) -> Self {
        Self {
            io,
            backlog: VecDeque::new(),
            is_unflushed: false,
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
        self.is_unflushed || !self.backlog.is_empty()
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
        } else if self.io.buffers() {
            let cx = &mut Context::from_waker(Waker::noop());
            self.is_unflushed = Pin::new(&mut self.io).poll_flush(cx)?.is_pending();
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
        if self.io.buffers() {
            self.is_unflushed = true;
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.is_unflushed = false;
        }
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::crypto::ring;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore, ServerConfig};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;
    use tokio_rustls::client::TlsStream;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    /// Both ends of a connection with TLS.
    async fn secured() -> (Outlet, TlsStream<TcpStream>) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let provider = Arc::new(ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], signing_key.into())
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(
            async {
                let name = ServerName::try_from("localhost").unwrap();
                let stream = TcpStream::connect(address).await.unwrap();
                let connector = TlsConnector::from(Arc::new(client));
                connector.connect(name, stream).await.unwrap()
            },
            async {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = TlsAcceptor::from(Arc::new(server));
                acceptor.accept(stream).await.unwrap()
            }
        );
        (Outlet::new(Stream::Tls(Box::new(server))), client)
    }

    /// Whether the socket below has taken all that it was offered.
    fn takes_more(outlet: &mut Outlet) -> bool {
        let Stream::Tls(stream) = outlet.stream() else {
            unreachable!("it is one");
        };
        let cx = &mut Context::from_waker(Waker::noop());
        stream.get_ref().0.poll_write_ready(cx).is_ready()
    }

    #[tokio::test]
    async fn what_tls_holds_back_is_pending_and_leaves_with_a_flush() {
        let (mut outlet, mut client) = secured().await;
        let mut sent = 0;
        // Without the runtime's budget, which ends otherwise before the room of the socket.
        tokio::task::unconstrained(async {
            while takes_more(&mut outlet) {
                outlet.send(&[b'x'; 16 * 1024]).unwrap();
                sent += 16 * 1024;
            }
        })
        .await;
        assert!(outlet.is_pending());
        let flush = poll_fn(|cx| outlet.poll_flush(cx));
        let mut received = vec![0; sent];
        let both = async { tokio::join!(flush, client.read_exact(&mut received)) };
        let (flushed, read) = timeout(CLOSE_WAIT, both).await.expect("all of it comes");
        flushed.unwrap();
        assert_eq!(read.unwrap(), sent);
        assert!(!outlet.is_pending());
    }
}
