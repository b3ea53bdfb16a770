//! One request that hyper read, and who answers it.

mod timed;
mod unread;

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use futures_util::FutureExt;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use tower::Service;

use super::site::Server;

/// gRPC status «internal».
const GRPC_INTERNAL: (HeaderName, HeaderValue) = (
    HeaderName::from_static("grpc-status"),
    HeaderValue::from_static("13"),
);

/// Answers with the routes or the gRPC services of this site. A panic becomes an answer.
pub(super) async fn answer(server: &Server, request: Request<Incoming>) -> Response<Body> {
    match server.grpc().filter(|_| is_grpc(&request)) {
        // Streams last: their messages have deadlines of their own.
        Some(services) => {
            let answered = guarded(services.clone(), request.map(Body::new)).await;
            answered.unwrap_or_else(|| grpc_internal(server))
        }
        None => {
            let (request, unread) = unread::lend(request);
            let answered = guarded(server.http().clone(), request).await;
            let response = answered.unwrap_or_else(|| internal(server));
            unread.read_before(response).await
        }
    }
}

async fn guarded(mut router: Router, request: Request<Body>) -> Option<Response<Body>> {
    let call = async move {
        match router.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    };
    AssertUnwindSafe(call).catch_unwind().await.ok()
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

pub(super) fn internal(server: &Server) -> Response<Body> {
    server.metrics.panics.inc();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

fn grpc_internal(server: &Server) -> Response<Body> {
    server.metrics.panics.inc();
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.extend([GRPC_INTERNAL]);
    response
}
