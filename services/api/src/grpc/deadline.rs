use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::Either;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

/// A gRPC service that works no longer on a call than its caller waits.
///
/// What a call has begun in an engine or a gateway is dropped with it; whether it was done is not
/// known then, as after a broken connection.
#[derive(Clone, Debug)]
pub(crate) struct Deadline<S> {
    inner: S,
}

impl<S> Deadline<S> {
    /// Lets deadlines count for a service.
    pub(crate) const fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S: NamedService> NamedService for Deadline<S> {
    const NAME: &'static str = S::NAME;
}

type Answer = Result<Response<Body>, Infallible>;

impl<S> Service<Request<Body>> for Deadline<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    // Boxed only for the calls that have a deadline.
    type Future = Either<S::Future, Pin<Box<dyn Future<Output = Answer> + Send>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let allowed = gyre_rpc::time_allowed(request.headers());
        let call = self.inner.call(request);
        let Some(allowed) = allowed else {
            return Either::Left(call);
        };
        let call = tokio::time::timeout(allowed, call);
        Either::Right(Box::pin(async move {
            call.await.unwrap_or_else(|_elapsed| {
                Ok(Status::deadline_exceeded("the caller waits no longer").into_http())
            })
        }))
    }
}
