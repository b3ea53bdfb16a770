//! The little HTTP that client endpoints speak themselves: short responses, CORS, request bodies.

pub(crate) mod body;
pub(crate) mod cors;

use std::time::Duration;

use gyre_runtime::{OnExit, Responder, Stream, Tasks};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use tokio::io::AsyncWriteExt;

/// How long a client may take to read a short response.
const RESPONSE_WAIT: Duration = Duration::from_secs(5);

/// A whole response.
pub(crate) fn response(status: StatusCode, headers: HeaderMap, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status != StatusCode::NO_CONTENT {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(CONTENT_TYPE, text);
    }
    response
}

/// A response with the status's own text as the body.
pub(crate) fn plain(status: StatusCode) -> Response<String> {
    let text = match status {
        StatusCode::NO_CONTENT => "",
        _ => status.canonical_reason().unwrap_or_default(),
    };
    response(status, HeaderMap::new(), text.to_owned())
}

/// The refusal of a connection over the node's limits.
pub(crate) fn too_many() -> Response<String> {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE);
    let later = HeaderValue::from_static("1");
    response.headers_mut().insert(RETRY_AFTER, later);
    response
}

/// Begins the response, body included, to be written to the stream. It says how long it is.
pub(crate) fn begin(responder: Responder, response: Response<String>) -> Vec<u8> {
    let (mut parts, body) = response.into_parts();
    if parts.status != StatusCode::NO_CONTENT {
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    let mut bytes = responder.begin(Response::from_parts(parts, ()));
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

/// Sends a response and ends the stream, in a task of its own.
pub(crate) fn answer(
    tasks: &Tasks,
    mut stream: Stream,
    responder: Responder,
    response: Response<String>,
) {
    tasks.spawn("response", OnExit::Ignore, async move {
        let answer = async {
            stream.write_all(&begin(responder, response)).await?;
            stream.shutdown().await?;
            stream.flush().await
        };
        // A client that does not read its response learns nothing.
        let _ = tokio::time::timeout(RESPONSE_WAIT, answer).await;
    });
}
