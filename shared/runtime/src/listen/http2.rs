mod exchange;
mod tunnel;
mod turns;

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::rt::Executor;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_util::io::InspectReader;

use super::answer::{answer, internal};
use super::head::{self, Head};
use super::responder::Responder;
use super::site::{Claimed, Intercept, Server, Taken};
use super::stream::{Rewound, Stream};
use crate::Tasks;

pub(super) use self::exchange::Written;
use self::tunnel::Tunnel;
use self::turns::Turns;

/// How often a silent peer is asked whether it lives; it has as long to answer.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long a peer may say nothing when it is told that the connection ends, which comes with a ping.
/// Five seconds, as for a close frame.
const FAREWELL_WAIT: Duration = Duration::from_secs(5);

/// Requests under way on one connection. 1000: a backend publishes over one connection, and 200,
/// hyper's default, would be its limit.
const STREAMS_MAX: u32 = 1000;

/// Bytes that a peer may send on one stream before we read them. Unit: bytes. One MiB.
const STREAM_WINDOW: u32 = 1024 * 1024;

/// The same for all streams of a connection. Unit: bytes.
///
/// Four MiB: a peer with many small unread frames is cut off in proportion to this window.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// Serves one connection with hyper until it ends, or until the drain has let it finish.
pub(super) async fn serve(server: Arc<Server>, io: Rewound, peer: SocketAddr) {
    let tasks = server.tasks.clone();
    let tunnels = server.tunnels();
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        // In a box: a stream's task keeps room for it as long as the response's body lasts.
        Box::pin(async move { Ok::<_, Infallible>(respond(&server, request, peer).await) })
    });
    let has_heard = AtomicBool::new(false);
    let io = InspectReader::new(io, |_read| has_heard.store(true, Relaxed));
    let mut builder = Builder::new(Streams(tasks.clone()));
    if tunnels {
        builder.enable_connect_protocol();
    }
    let connection = builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL)
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_LIST_MAX)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    let mut turns = Turns::default();
    let ended = tokio::select! {
        ended = poll_fn(|cx| turns.poll(cx, connection.as_mut())) => ended,
        () = tasks.drain().draining() => {
            connection.as_mut().graceful_shutdown();
            has_heard.store(false, Relaxed);
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = silence(&has_heard) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        let error = &error as &dyn std::error::Error;
        tracing::debug!(%peer, error, "HTTP/2 connection ended");
    }
}

/// Waits until it is known that the peer does not answer. One that does is waited for as long as its
/// requests take.
async fn silence(has_heard: &AtomicBool) {
    sleep(FAREWELL_WAIT).await;
    if has_heard.load(Relaxed) {
        pending::<()>().await;
    }
}

/// Answers a request, or has it answered by the intercept that claims it.
async fn respond(server: &Server, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
    if *request.method() == Method::CONNECT {
        return tunnel(server, request, peer).await;
    }
    match server.claim(request) {
        Claimed::By(intercept, head, body) => {
            let (exchange, written) = exchange::exchange(Body::new(body));
            let stream = Stream::Shared(Box::new(exchange));
            claimed(server, intercept, stream, head, Some(written), peer).await
        }
        Claimed::ByNobody(request) => answer(server, request).await,
    }
}

/// Opens a WebSocket, if that is asked for and somebody serves it.
async fn tunnel(
    server: &Server,
    mut request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<Body> {
    let protocol = request.extensions().get::<Protocol>();
    if protocol.is_none_or(|protocol| protocol.as_str() != "websocket") {
        return status(StatusCode::NOT_IMPLEMENTED);
    }
    let opening = hyper::upgrade::on(&mut request);
    let Claimed::By(intercept, head, _no_body) = server.claim(request) else {
        return status(StatusCode::NOT_FOUND);
    };
    let stream = Stream::Shared(Box::new(Tunnel::Opening(opening)));
    claimed(server, intercept, stream, head, None, peer).await
}

async fn claimed(
    server: &Server,
    intercept: Arc<dyn Intercept>,
    stream: Stream,
    head: Head,
    written: Option<Written>,
    peer: SocketAddr,
) -> Response<Body> {
    let (answer, answered) = oneshot::channel();
    intercept.take(Taken {
        stream,
        head,
        responder: Responder::http2(answer, written),
        rest: Bytes::new(),
        peer,
    });
    // Who took it has panicked, or lost it.
    answered.await.unwrap_or_else(|_dropped| internal(server))
}

fn status(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}

#[expect(clippy::cast_possible_truncation, reason = "a constant of 16 KiB")]
const HEADER_LIST_MAX: u32 = head::BYTES_MAX as u32;

/// Runs the streams of a connection.
#[derive(Clone)]
struct Streams(Tasks);

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.spawn_part(stream);
    }
}
