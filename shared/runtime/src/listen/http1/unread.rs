//! What a handler does not read of a request's body.
//!
//! Many clients send head and body apart, and a handler that refuses a request by its head answers before the body came.
//! hyper closes such a connection, and a client that keeps connections loses the request that it sends next. So the rest is
//! read and dropped before the answer goes out, within limits; beyond them the answer says that the connection ends.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::BoxError;
use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::watch::Watch;
use crate::listen::answer::Timed;

/// How much of a body is read and dropped. Unit: bytes. 16 MiB.
///
/// Most clients send a body to its end before they read: with the connection closed under them, they
/// would learn nothing. What is longer than this does not deserve an answer.
const DISCARDED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A body in the hands of a handler. What is not read of it goes to the watch.
pub(super) struct Lent {
    /// Always there until it is dropped.
    body: Option<Timed>,
    watch: Arc<Watch>,
    /// The client sends the body only when it is asked for.
    awaits_demand: bool,
}

/// What came back.
pub(super) enum Unread {
    Rest(Timed),
    /// The client did not begin to send it, and need not.
    Unsent,
}

impl Lent {
    pub(super) fn new(body: Incoming, headers: &HeaderMap, watch: Arc<Watch>) -> Self {
        Self {
            body: Some(Timed::new(body)),
            watch,
            awaits_demand: headers.contains_key(EXPECT),
        }
    }
}

impl Body for Lent {
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
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            self.watch.leave(match self.awaits_demand {
                true => Unread::Unsent,
                false => Unread::Rest(body),
            });
        }
    }
}

/// Ends a request of which this was not read.
pub(super) async fn end<T>(unread: Unread, response: &mut Response<T>) {
    let is_discarded = match unread {
        Unread::Unsent => false,
        Unread::Rest(body) => discard(body).await,
    };
    if !is_discarded {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
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
