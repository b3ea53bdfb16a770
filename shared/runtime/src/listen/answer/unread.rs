//! What a handler does not read of a request's body.
//!
//! Many clients send head and body apart, and a handler that refuses a request by its head answers before the body came.
//! hyper closes such a connection, and a client that keeps connections loses the request that it sends next. So the rest is
//! read and dropped before the answer goes out, within limits; beyond them the answer says that the connection ends. Over
//! HTTP/2 that is one stream: it is reset, which not every client bears while it sends.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Request, Response, Version};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parking_lot::Mutex;

use super::timed::Timed;

/// How much of a body is read and dropped. Unit: bytes. 16 MiB.
///
/// Most clients send a body to its end before they read: with the connection closed under them, they
/// would learn nothing. What is longer than this does not deserve an answer.
const DISCARDED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A body in the hands of a handler.
struct Lent {
    /// There until it is dropped.
    body: Option<Timed>,
    /// The client sends the body only when it is asked for.
    awaits_demand: bool,
    place: Arc<Mutex<Place>>,
}

/// Where a body goes that is dropped before its end.
enum Place {
    /// Nothing has come.
    Empty,
    Rest(Timed),
    /// The client did not begin to send it, and need not.
    Unsent,
    /// Nobody waits for it.
    Closed,
}

/// What comes back of a request.
pub(super) struct Unread {
    version: Version,
    place: Arc<Mutex<Place>>,
}

/// Gives a request to a handler.
pub(super) fn lend(request: Request<Incoming>) -> (Request<Body>, Unread) {
    let place = Arc::new(Mutex::new(Place::Empty));
    let unread = Unread {
        version: request.version(),
        place: Arc::clone(&place),
    };
    let awaits_demand = request.headers().contains_key(EXPECT);
    let request = request.map(|body| {
        Body::new(Lent {
            body: Some(Timed::new(body)),
            awaits_demand,
            place,
        })
    });
    (request, unread)
}

impl Unread {
    /// Reads what the handler left, and passes on its response.
    pub(super) async fn read_before(self, mut response: Response<Body>) -> Response<Body> {
        // A handler that still has its body answers while it reads.
        let left = std::mem::replace(&mut *self.place.lock(), Place::Closed);
        let is_over = match left {
            Place::Empty | Place::Closed => true,
            Place::Rest(body) => discard(body).await,
            Place::Unsent => false,
        };
        if !is_over && self.version < Version::HTTP_2 {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        response
    }
}

/// Reads a body to its end; false: it has none within limit and deadline.
async fn discard(body: Timed) -> bool {
    let mut body = pin!(body);
    let mut room = DISCARDED_BYTES_MAX;
    if body.size_hint().lower() > room {
        return false;
    }
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let len = frame.data_ref().map_or(0, Bytes::len) as u64;
        let Some(rest) = room.checked_sub(len) else {
            return false;
        };
        room = rest;
    }
    true
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.awaits_demand = false;
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Timed::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Timed::size_hint).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        let mut place = self.place.lock();
        if matches!(*place, Place::Empty) {
            *place = match self.awaits_demand {
                true => Place::Unsent,
                false => Place::Rest(body),
            };
        }
    }
}
