//! A connection that hyper serves, request after request.
//!
//! Two things that hyper does not do are done here. A request that an intercept claims is not
//! answered: its handler stays pending, and hyper is taken off the connection. And a connection
//! that is idle, or whose peer does not read, is closed by a coarse clock: one timer per
//! connection, none per request.

mod watch;

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use axum::body::Body;
use bytes::BytesMut;
use futures_util::FutureExt;
use http::header::TRANSFER_ENCODING;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1::{Builder, Connection, Parts};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep};

use super::answer::answer;
use super::head;
use super::responder::Responder;
use super::site::{Claimed, Server, Taken};
use super::stream::Rewound;
use crate::Drain;
use watch::{Claim, Quiet, TICK, Watch, Watched};

/// Bytes that hyper may hold of one connection, in each direction. Unit: bytes.
///
/// 64 KiB: a head and some of a body; the peer waits for the rest.
const BUFFER_MAX: usize = 64 * 1024;

/// How the HTTP server's part in a connection ended.
enum Outcome {
    Ended(hyper::Result<()>),
    Claimed(Box<Claim>),
    /// Nothing moved for too long.
    Quiet,
}

/// Serves one connection until it ends, is claimed, or the drain has let it finish.
pub(super) async fn serve(server: Arc<Server>, io: Rewound, peer: SocketAddr) {
    let drain = server.tasks.drain().clone();
    let watch = Arc::new(Watch::default());
    let service = {
        let watch = Arc::clone(&watch);
        service_fn(move |request| {
            let (server, watch) = (Arc::clone(&server), Arc::clone(&watch));
            async move { Ok::<_, Infallible>(respond(&server, &watch, request).await) }
        })
    };
    let io = TokioIo::new(Watched::new(io, Arc::clone(&watch)));
    let mut connection = Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        .max_buf_size(BUFFER_MAX)
        .max_header_size(head::BYTES_MAX)
        .serve_connection(io, service);
    match drive(&mut connection, &watch, &drain).await {
        Outcome::Claimed(claim) => hand_over(*claim, connection.into_parts(), peer),
        Outcome::Ended(Ok(())) => {}
        Outcome::Ended(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(%peer, error, "HTTP/1 connection ended");
        }
        Outcome::Quiet => tracing::debug!(%peer, "HTTP/1 connection was quiet for too long"),
    }
}

/// Answers a request, unless an intercept claims it: then it never ends.
async fn respond(server: &Server, watch: &Watch, request: Request<Incoming>) -> Response<Body> {
    let _in_flight = watch.request();
    // A chunked body cannot be given back once hyper began to read it.
    if request.headers().contains_key(TRANSFER_ENCODING) {
        return answer(server, request).await;
    }
    match server.claim(request) {
        Claimed::By(intercept, head, body) => {
            watch.claim(Box::new(Claim {
                intercept,
                head,
                body,
            }));
            pending().await
        }
        Claimed::ByNobody(request) => answer(server, request).await,
    }
}

async fn drive<S>(
    connection: &mut Connection<TokioIo<Watched>, S>,
    watch: &Watch,
    drain: &Drain,
) -> Outcome
where
    S: HttpService<Incoming, ResBody = Body, Error = Infallible>,
{
    let mut draining = pin!(drain.draining());
    let mut tick = pin!(sleep(TICK));
    let mut quiet = Quiet::default();
    let mut is_draining = false;
    poll_fn(move |context| {
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut *connection).poll(context) {
                return Poll::Ready(Outcome::Ended(ended));
            }
            if let Some(claim) = watch.claimed() {
                return Poll::Ready(Outcome::Claimed(claim));
            }
            if !is_draining && draining.as_mut().poll(context).is_ready() {
                // The answer under way says `Connection: close`; an idle connection ends.
                is_draining = true;
                Pin::new(&mut *connection).graceful_shutdown();
            } else if tick.as_mut().poll(context).is_ready() {
                tick.as_mut().reset(Instant::now() + TICK);
                if quiet.is_over(watch) {
                    return Poll::Ready(Outcome::Quiet);
                }
            } else {
                return Poll::Pending;
            }
        }
    })
    .await
}

fn hand_over<S>(claim: Claim, parts: Parts<TokioIo<Watched>, S>, peer: SocketAddr) {
    let (stream, unread) = parts.io.into_inner().into_parts();
    let mut rest = BytesMut::new();
    // hyper reads one piece of a body ahead of its handler. With the connection gone, no more come.
    let mut body = claim.body;
    while let Some(Some(Ok(frame))) = body.frame().now_or_never() {
        rest.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
    }
    // A copy: a slice would keep hyper's buffer for as long as it lives.
    rest.extend_from_slice(&parts.read_buf);
    rest.extend_from_slice(&unread);
    claim.intercept.take(Taken {
        stream,
        responder: Responder::http1(&claim.head),
        head: claim.head,
        rest: rest.freeze(),
        peer,
    });
}
