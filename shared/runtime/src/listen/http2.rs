mod turns;

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::answer::answer;
use super::head;
use super::site::Server;
use super::stream::Rewound;
use crate::Tasks;

use self::turns::Turns;

/// How often a silent peer is asked whether it lives; it has as long to answer.
const PING_INTERVAL: Duration = Duration::from_secs(20);

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
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(answer(&server, request).await) }
    });
    let connection = Builder::new(Streams(tasks.clone()))
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
            connection.await
        }
    };
    if let Err(error) = ended {
        let error = &error as &dyn std::error::Error;
        tracing::debug!(%peer, error, "HTTP/2 connection ended");
    }
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
