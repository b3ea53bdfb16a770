use std::convert::Infallible;
use std::task::{Context, Poll};

use http::Request;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

/// Answers compressed to those who write compressed, and to nobody else.
///
/// That a client could read compressed answers does not mean that it wants them: most say so by
/// themselves, and the answers to most calls are a few bytes.
#[derive(Clone, Debug)]
pub(crate) struct Mirror<S> {
    plain: S,
    compressing: S,
}

impl<S> Mirror<S> {
    /// The same service twice; one of them compresses.
    pub(crate) const fn new(plain: S, compressing: S) -> Self {
        Self { plain, compressing }
    }
}

impl<S: NamedService> NamedService for Mirror<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Mirror<S>
where
    S: Service<Request<Body>, Error = Infallible>,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        match self.plain.poll_ready(cx) {
            Poll::Ready(Ok(())) => self.compressing.poll_ready(cx),
            Poll::Pending => Poll::Pending,
        }
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let encoding = request.headers().get("grpc-encoding");
        if encoding.is_some_and(|encoding| encoding == "gzip") {
            self.compressing.call(request)
        } else {
            self.plain.call(request)
        }
    }
}
