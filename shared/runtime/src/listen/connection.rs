//! A connection until its first request head is known.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use memchr::memchr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::head::{self, Head, Parsed};
use super::responder::Responder;
use super::site::{Server, Taken};
use super::stream::{Rewound, Stream};
use super::{http1, http2};
use crate::Drain;
use crate::tls::Tls;

/// Longest wait for a TLS handshake. Ten seconds, as for the head that follows.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

/// Longest wait for a request head. Source: the reference's servers.
const HEAD_WAIT: Duration = Duration::from_secs(10);

/// Longest wait for a refused peer to read the refusal. Five seconds, as for a close frame.
const REFUSAL_WAIT: Duration = Duration::from_secs(5);

/// Bytes that are first made room for. Unit: bytes. One KiB holds the head of an SDK.
const HEAD_BYTES_USUAL: usize = 1024;

/// What a connection began with.
enum First {
    Http1 {
        head: Box<Head>,
        /// Length of the head in `read`. Unit: bytes.
        len: usize,
        read: BytesMut,
    },
    Http2 {
        read: BytesMut,
    },
}

/// Why a connection goes no further.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    Malformed,
    TooLarge,
    Timeout,
    /// The peer left, or came too late: nobody to answer.
    Gone,
}

/// A connection that hyper serves, to its end.
type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves a connection, or hands it to whom it concerns.
pub(super) async fn open(server: Arc<Server>, stream: TcpStream, peer: SocketAddr) {
    // In a box that is given back: a connection may live for ever, and its beginning takes much room.
    let serving = Box::pin(begin(server, stream, peer)).await;
    if let Some(serving) = serving {
        serving.await;
    }
}

/// Speaks TLS first where the site does, then reads the first head.
async fn begin(server: Arc<Server>, stream: TcpStream, peer: SocketAddr) -> Option<Serving> {
    let stream = match server.tls() {
        None => Stream::Plain(stream),
        Some(tls) => secured(&server, tls, stream, peer).await?,
    };
    first_request(server, stream, peer).await
}

/// The stream once TLS is spoken; `None`: it will not be.
async fn secured(
    server: &Server,
    tls: &Tls,
    stream: TcpStream,
    peer: SocketAddr,
) -> Option<Stream> {
    let handshake = TlsAcceptor::from(tls.current()).accept(stream);
    match timeout(HANDSHAKE_WAIT, handshake).await {
        Ok(Ok(stream)) => return Some(Stream::Tls(Box::new(stream))),
        Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
        Err(_elapsed) => {}
    }
    server.metrics.refused.tls.inc();
    None
}

/// Reads the first head, and hands the connection to whom it concerns; `None`: that is not hyper.
async fn first_request(
    server: Arc<Server>,
    mut stream: Stream,
    peer: SocketAddr,
) -> Option<Serving> {
    let first = match first(&mut stream, server.tasks.drain()).await {
        Ok(first) => first,
        Err(refusal) => {
            refuse(&server, stream, peer, refusal).await;
            return None;
        }
    };
    match first {
        First::Http1 {
            head,
            len,
            mut read,
        } => match server.claimant(&head) {
            Some(intercept) => {
                let rest = Bytes::copy_from_slice(&read.split_off(len));
                intercept.take(Taken {
                    stream,
                    responder: Responder::http1(&head),
                    head: *head,
                    rest,
                    peer,
                });
                None
            }
            None => Some(Box::pin(http1::serve(server, rewound(read, stream), peer))),
        },
        First::Http2 { read } => Some(Box::pin(http2::serve(server, rewound(read, stream), peer))),
    }
}

fn rewound(read: BytesMut, stream: Stream) -> Rewound {
    Rewound::new(read.freeze(), stream)
}

async fn first(stream: &mut Stream, drain: &Drain) -> Result<First, Refusal> {
    let mut read = BytesMut::new();
    match timeout(HEAD_WAIT, read_first(stream, &mut read, drain)).await {
        Ok(Ok(Parsed::Http1(head, len))) => Ok(First::Http1 { head, len, read }),
        Ok(Ok(Parsed::Http2)) => Ok(First::Http2 { read }),
        Ok(Ok(Parsed::TooLarge)) => Err(Refusal::TooLarge),
        Ok(Ok(Parsed::Malformed | Parsed::Partial)) => Err(Refusal::Malformed),
        Ok(Err(refusal)) => Err(refusal),
        // Browsers open connections ahead of need.
        Err(_elapsed) if read.is_empty() => Err(Refusal::Gone),
        Err(_elapsed) => Err(Refusal::Timeout),
    }
}

/// Reads until the bytes are something else than the beginning of a head.
async fn read_first(
    stream: &mut Stream,
    read: &mut BytesMut,
    drain: &Drain,
) -> Result<Parsed, Refusal> {
    let mut draining = pin!(drain.draining());
    loop {
        let before = read.len();
        let room = HEAD_BYTES_USUAL.max(before).min(head::BYTES_MAX - before);
        read.reserve(room);
        let len = tokio::select! {
            // What came before the drain is served.
            biased;
            len = stream.read_buf(read) => len.map_err(gone)?,
            // Nothing was asked yet, so nothing is left unanswered.
            () = &mut draining, if before == 0 => 0,
        };
        if len == 0 {
            return Err(Refusal::Gone);
        }
        // A head ends with a line; parsing after each byte would be quadratic.
        let news = read.get(before..).unwrap_or_default();
        if before == 0 || memchr(b'\n', news).is_some() {
            let parsed = head::parse(read);
            if !matches!(parsed, Parsed::Partial) {
                return Ok(parsed);
            }
        }
        if read.len() >= head::BYTES_MAX {
            return Ok(Parsed::TooLarge);
        }
    }
}

fn gone(_error: io::Error) -> Refusal {
    Refusal::Gone
}

async fn refuse(server: &Server, stream: Stream, peer: SocketAddr, refusal: Refusal) {
    let refused = &server.metrics.refused;
    let (counter, status) = match refusal {
        Refusal::Malformed => (&refused.malformed, StatusCode::BAD_REQUEST),
        Refusal::TooLarge => (
            &refused.too_large,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        ),
        Refusal::Timeout => (&refused.timeout, StatusCode::REQUEST_TIMEOUT),
        Refusal::Gone => return,
    };
    counter.inc();
    tracing::debug!(%peer, ?refusal, "connection refused");
    // Whether the peer reads it is the peer's affair.
    drop(timeout(REFUSAL_WAIT, say(stream, status)).await);
}

/// Answers, and reads what the peer still sends: a close with bytes unread would be a reset, which
/// takes the answer with it.
async fn say(mut stream: Stream, status: StatusCode) -> io::Result<()> {
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}
