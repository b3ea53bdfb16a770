use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, Map, Ready, ready};
use http::{HeaderMap, HeaderValue, Request, Response};
use prometheus::IntCounter;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use crate::bearer::{Admission, Bearer};
use crate::live::Live;

/// A gRPC service behind the API key.
///
/// A call without the key is refused before anything of its message is read.
#[derive(Clone, Debug)]
pub(crate) struct Guard<S> {
    inner: S,
    doors: Doors,
    refused: IntCounter,
}

/// What lets a call pass: the key, or a bearer token.
#[derive(Clone, Debug)]
pub(crate) struct Doors {
    pub(crate) live: Arc<ArcSwap<Live>>,
    pub(crate) bearer: Option<Bearer>,
}

impl<S> Guard<S> {
    /// Puts a service behind the key; `refused` counts the calls without it.
    pub(crate) const fn new(inner: S, doors: Doors, refused: IntCounter) -> Self {
        Self {
            inner,
            doors,
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
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<
        Ready<Answer>,
        Either<Map<S::Future, fn(Answer) -> Answer>, BoxFuture<'static, Answer>>,
    >;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.doors.admit(request.headers()) {
            Admission::Now(true) => {
                let answer = self.inner.call(request).map(passed as fn(Answer) -> Answer);
                Either::Right(Either::Left(answer))
            }
            Admission::Now(false) => Either::Left(ready(refuse(&self.refused, &request))),
            Admission::Later(later) => {
                // The one that is ready takes the call; the clone is asked again before the next.
                let clone = self.inner.clone();
                let mut inner = std::mem::replace(&mut self.inner, clone);
                let refused = self.refused.clone();
                let answer: BoxFuture<'static, Answer> = Box::pin(async move {
                    match later.await {
                        true => passed(inner.call(request).await),
                        false => refuse(&refused, &request),
                    }
                });
                Either::Right(Either::Right(answer))
            }
        }
    }
}

impl Doors {
    fn admit(&self, headers: &HeaderMap) -> Admission {
        if self.live.load().grpc_keys.admit_grpc(headers) {
            return Admission::Now(true);
        }
        match &self.bearer {
            Some(bearer) => bearer.admit(headers),
            None => Admission::Now(false),
        }
    }
}

fn refuse(refused: &IntCounter, request: &Request<Body>) -> Answer {
    refused.inc();
    tracing::debug!(path = request.uri().path(), "a call without the key");
    Ok(Status::unauthenticated("unauthorized").into_http())
}

fn passed(answer: Answer) -> Answer {
    answer.map(too_long)
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
