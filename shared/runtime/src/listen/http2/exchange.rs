//! A request over HTTP/2 that an intercept has taken: its body to be read, the response's to be written.
//!
//! Two ends share what was written and not sent: [`Exchange`] in the task of who took the request, and
//! [`Written`] in hyper's. Neither holds a buffer while nothing is under way. hyper takes everything
//! that waits at once, so what was written while the peer took nothing leaves in few frames.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::listen::stream::Duplex;

/// What may wait for hyper. Unit: bytes. 64 KiB: what one turn of a connection writes.
const WAITING_BYTES_MAX: usize = 64 * 1024;

/// The end that is read and written by one task.
#[derive(Debug)]
pub(super) struct Exchange {
    request: Body,
    /// What was read of the request and not taken.
    unread: Bytes,
    shared: Arc<Mutex<Shared>>,
}

/// The end that hyper reads: the body of the response.
#[derive(Debug)]
pub(in crate::listen) struct Written {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Vec<u8>,
    /// Nothing more will be written.
    is_ended: bool,
    /// The peer takes no more.
    is_gone: bool,
    /// Sent behind the body.
    trailers: Option<Arc<HeaderMap>>,
    /// Who writes; waits for room.
    writer: Option<Waker>,
    /// Waits for the peer to go. A waker of its own, for who waits so does not want to hear of room.
    leaver: Option<Waker>,
    /// hyper; waits for something to send.
    sender: Option<Waker>,
}

/// Both ends of a request with this body.
pub(super) fn exchange(request: Body) -> (Exchange, Written) {
    let shared = Arc::<Mutex<Shared>>::default();
    let written = Written {
        shared: Arc::clone(&shared),
    };
    let exchange = Exchange {
        request,
        unread: Bytes::new(),
        shared,
    };
    (exchange, written)
}

impl Written {
    /// The same, with trailers at its end.
    pub(in crate::listen) fn with_trailers(self, trailers: Option<Arc<HeaderMap>>) -> Self {
        self.shared.lock().trailers = trailers;
        self
    }
}

impl Duplex for Exchange {
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut shared = self.shared.lock();
        if shared.is_gone {
            return Poll::Ready(());
        }
        remember(&mut shared.leaver, cx);
        Poll::Pending
    }
}

impl AsyncRead for Exchange {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match ready!(Pin::new(&mut self.request).poll_frame(cx)) {
                Some(Ok(frame)) => self.unread = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
            if self.request.is_end_stream() {
                // Nothing more comes of it, and the response may last.
                self.request = Body::empty();
            }
        }
        let len = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread.split_to(len));
        if self.unread.is_empty() {
            // An empty slice would keep the frame alive.
            self.unread = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Exchange {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut shared = self.shared.lock();
        if shared.is_gone || shared.is_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = WAITING_BYTES_MAX - shared.waiting.len();
        if room == 0 {
            remember(&mut shared.writer, cx);
            return Poll::Pending;
        }
        let taken = bytes.get(..room).unwrap_or(bytes);
        shared.waiting.extend_from_slice(taken);
        wake(shared.sender.take());
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.shared.lock();
        if shared.is_gone {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if shared.waiting.is_empty() {
            return Poll::Ready(Ok(()));
        }
        remember(&mut shared.writer, cx);
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.shared.lock();
        shared.is_ended = true;
        wake(shared.sender.take());
        Poll::Ready(Ok(()))
    }
}

impl Drop for Exchange {
    /// A response that was not ended is one that broke.
    fn drop(&mut self) {
        let mut shared = self.shared.lock();
        if !shared.is_ended {
            shared.is_gone = true;
        }
        wake(shared.sender.take());
    }
}

impl http_body::Body for Written {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut shared = self.shared.lock();
        if !shared.waiting.is_empty() {
            let bytes = std::mem::take(&mut shared.waiting);
            wake(shared.writer.take());
            return Poll::Ready(Some(Ok(Frame::data(bytes.into()))));
        }
        if shared.is_ended {
            let trailers = shared.trailers.take().map(Arc::unwrap_or_clone);
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        if shared.is_gone {
            return Poll::Ready(Some(Err(io::ErrorKind::BrokenPipe.into())));
        }
        remember(&mut shared.sender, cx);
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let shared = self.shared.lock();
        shared.is_ended && shared.waiting.is_empty() && shared.trailers.is_none()
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let mut shared = self.shared.lock();
        shared.is_gone = true;
        shared.waiting = Vec::new();
        wake(shared.writer.take());
        wake(shared.leaver.take());
    }
}

fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_was_written_leaves_together_and_trailers_come_last() {
        let (mut exchange, written) = exchange(Body::from("request"));
        let trailers = HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-status"),
            http::HeaderValue::from_static("0"),
        )]);
        let mut written = written.with_trailers(Some(Arc::new(trailers.clone())));
        let mut request = String::new();
        exchange.read_to_string(&mut request).await.unwrap();
        assert_eq!(request, "request");
        exchange.write_all(b"one ").await.unwrap();
        exchange.write_all(b"two").await.unwrap();
        let frame = written.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "one two");
        exchange.shutdown().await.unwrap();
        let frame = written.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_trailers().unwrap(), trailers);
        assert!(written.is_end_stream() && written.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_stops_the_writer_and_one_that_goes_wakes_it() {
        let (mut exchange, mut written) = exchange(Body::empty());
        let mut cx = Context::from_waker(Waker::noop());
        exchange.write_all(&[0; WAITING_BYTES_MAX]).await.unwrap();
        assert!(
            Pin::new(&mut exchange)
                .poll_write(&mut cx, b"x")
                .is_pending()
        );
        written.frame().await.unwrap().unwrap();
        exchange.write_all(b"x").await.unwrap();
        assert!(exchange.poll_gone(&mut cx).is_pending());
        let gone = async {
            std::future::poll_fn(|cx| exchange.poll_gone(cx)).await;
            exchange.write_all(b"y").await
        };
        let going = async {
            tokio::task::yield_now().await;
            drop(written);
        };
        let (gone, ()) = tokio::join!(gone, going);
        let error = gone.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn who_waits_for_the_peer_to_go_hears_that_and_nothing_else() {
        let (mut exchange, mut written) = exchange(Body::empty());
        let [gone, room] = [(), ()].map(|()| Arc::new(Woken::default()));
        let [for_gone, for_room] = [&gone, &room].map(|woken| Waker::from(Arc::clone(woken)));
        let for_gone = &mut Context::from_waker(&for_gone);
        let for_room = &mut Context::from_waker(&for_room);
        assert!(exchange.poll_gone(for_gone).is_pending());
        exchange.write_all(&[0; WAITING_BYTES_MAX]).await.unwrap();
        let write = Pin::new(&mut exchange).poll_write(for_room, b"x");
        assert!(write.is_pending());
        written.frame().await.unwrap().unwrap();
        assert_eq!((gone.times(), room.times()), (0, 1));
        drop(written);
        assert_eq!((gone.times(), room.times()), (1, 1));
        assert!(exchange.poll_gone(for_gone).is_ready());
    }

    #[derive(Default)]
    struct Woken(std::sync::atomic::AtomicUsize);

    impl Woken {
        fn times(&self) -> usize {
            self.0.load(std::sync::atomic::Ordering::Relaxed)
        }
    }

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn a_response_that_nobody_ends_breaks() {
        let (exchange, mut written) = exchange(Body::empty());
        drop(exchange);
        assert!(written.frame().await.unwrap().is_err());
    }
}
