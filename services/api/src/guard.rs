use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::{Either, Map, Ready, ready};
use http::{HeaderValue, Request, Response};
use prometheus::IntCounter;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use crate::keys::Keys;

/// A gRPC service behind the API key.
///
/// A call without the key is refused before anything of its message is read.
#[derive(Clone, Debug)]
pub(crate) struct Guard<S> {
    inner: S,
    keys: Arc<Keys>,
    refused: IntCounter,
}

impl<S> Guard<S> {
    /// Puts a service behind the key; `refused` counts the calls without it.
    pub(crate) const fn new(inner: S, keys: Arc<Keys>, refused: IntCounter) -> Self {
        Self {
            inner,
            keys,
            refused,
        }
    }
}

impl<S: NamedService> NamedService for Guard<S> {
    const NAME: &'static str = S::NAME;
}

type Answer = Result<Response<Body>, Infallible>;

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Answer>, Map<S::Future, fn(Answer) -> Answer>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !self.keys.admit_grpc(request.headers()) {
            self.refused.inc();
            tracing::debug!(path = request.uri().path(), "a call without the key");
            let refused = Status::unauthenticated("unauthorized").into_http();
            return Either::Left(ready(Ok(refused)));
        }
        Either::Right(self.inner.call(request).map(|answer| answer.map(too_long)))
    }
}

/// A message above the limit is `RESOURCE_EXHAUSTED` to gRPC's users; the codec says `OUT_OF_RANGE`.
///
/// Ours of that code carry details, the codec's do not.
fn too_long(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    let is_codecs = headers
        .get(Status::GRPC_STATUS)
        .is_some_and(|code| code == "11")
        && !headers.contains_key("grpc-status-details-bin");
    if is_codecs {
        headers.insert(Status::GRPC_STATUS, HeaderValue::from_static("8"));
    }
    response
}
