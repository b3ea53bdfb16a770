//! The little HTTP/1 that stream endpoints speak themselves: short responses, CORS, request bodies.

pub(crate) mod body;
pub(crate) mod cors;

use std::time::Duration;

use gyre_runtime::{OnExit, Stream, Tasks};
use http::StatusCode;
use tokio::io::AsyncWriteExt;

/// How long a client may take to read a short response.
const RESPONSE_WAIT: Duration = Duration::from_secs(5);

/// A whole response, after which the connection is closed. `headers` are lines that end in CRLF.
pub(crate) fn response(status: StatusCode, headers: &str, body: &str) -> String {
    let reason = status.canonical_reason().unwrap_or_default();
    let len = body.len();
    format!(
        "HTTP/1.1 {} {reason}\r\n{headers}Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {len}\r\nConnection: close\r\n\r\n{body}",
        status.as_u16(),
    )
}

/// The same with the status's own text as the body.
pub(crate) fn plain(status: StatusCode, headers: &str) -> String {
    response(
        status,
        headers,
        status.canonical_reason().unwrap_or_default(),
    )
}

/// Sends a response and closes the connection, in a task of its own.
pub(crate) fn answer(tasks: &Tasks, mut stream: Stream, response: Vec<u8>) {
    tasks.spawn("response", OnExit::Ignore, async move {
        let answer = async {
            stream.write_all(&response).await?;
            stream.shutdown().await
        };
        // A client that does not read its response learns nothing.
        let _ = tokio::time::timeout(RESPONSE_WAIT, answer).await;
    });
}
