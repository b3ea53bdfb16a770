use std::sync::Arc;

use axum::body::Body;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Response, StatusCode, Version};
use tokio::sync::oneshot;

use super::head::Head;
use super::http2::Written;

/// Begins the response to a request that was claimed, in the way of its HTTP version.
#[derive(Debug)]
pub struct Responder(Kind);

#[derive(Debug)]
enum Kind {
    Http1 {
        version: Version,
    },
    Http2 {
        answer: oneshot::Sender<Response<Body>>,
        /// `None`: the response opens a tunnel, which is no body.
        body: Option<Written>,
        trailers: Option<Arc<HeaderMap>>,
    },
}

impl Responder {
    pub(super) const fn http1(head: &Head) -> Self {
        Self(Kind::Http1 {
            version: head.version,
        })
    }

    pub(super) const fn http2(
        answer: oneshot::Sender<Response<Body>>,
        body: Option<Written>,
    ) -> Self {
        Self(Kind::Http2 {
            answer,
            body,
            trailers: None,
        })
    }

    /// Whether a body without a length has to come in chunks.
    #[must_use]
    pub fn needs_chunks(&self) -> bool {
        match &self.0 {
            Kind::Http1 { version } => *version >= Version::HTTP_11,
            Kind::Http2 { .. } => false,
        }
    }

    /// Whether what is written leaves in frames, which some readers count (HTTP/2).
    #[must_use]
    pub const fn has_frames(&self) -> bool {
        matches!(self.0, Kind::Http2 { .. })
    }

    /// Sends these behind the body, which many responses may share. Only over HTTP/2.
    pub fn trailers(&mut self, sent: Arc<HeaderMap>) {
        match &mut self.0 {
            Kind::Http1 { .. } => {}
            Kind::Http2 { trailers, .. } => *trailers = Some(sent),
        }
    }

    /// Begins the response. The result is to be written to the stream before the body; over HTTP/2 it
    /// is empty. A connection over HTTP/1 is said to be closed after it, unless it is upgraded; a
    /// response 200 without a length has a body [in chunks](Self::needs_chunks).
    #[must_use]
    pub fn begin(self, mut response: Response<()>) -> Vec<u8> {
        match self.0 {
            Kind::Http1 { version } => {
                let status = response.status();
                let headers = response.headers_mut();
                if status != StatusCode::SWITCHING_PROTOCOLS {
                    headers.insert(CONNECTION, HeaderValue::from_static("close"));
                }
                let has_stream = status == StatusCode::OK && !headers.contains_key(CONTENT_LENGTH);
                if has_stream && version >= Version::HTTP_11 {
                    let chunked = HeaderValue::from_static("chunked");
                    headers.insert(TRANSFER_ENCODING, chunked);
                }
                text(&response)
            }
            Kind::Http2 {
                answer,
                body,
                trailers,
            } => {
                let body =
                    body.map_or_else(Body::empty, |body| Body::new(body.with_trailers(trailers)));
                // A client that has gone meanwhile needs none.
                drop(answer.send(response.map(|()| body)));
                Vec::new()
            }
        }
    }
}

fn text(response: &Response<()>) -> Vec<u8> {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut text = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in response.headers() {
        put_name(&mut text, name.as_str());
        for piece in [b": ", value.as_bytes(), b"\r\n"] {
            text.extend_from_slice(piece);
        }
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// Names as most servers write them: not everybody who reads headers knows that case means nothing.
fn put_name(text: &mut Vec<u8>, name: &str) {
    let mut begins = true;
    for byte in name.bytes() {
        text.push(match begins {
            true => byte.to_ascii_uppercase(),
            false => byte,
        });
        begins = byte == b'-';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(version: Version, response: http::response::Builder) -> String {
        let responder = Responder(Kind::Http1 { version });
        String::from_utf8(responder.begin(response.body(()).unwrap())).unwrap()
    }

    #[test]
    fn a_response_over_http1_says_that_it_is_the_last() {
        let response = Response::builder()
            .status(404)
            .header("x-some-name", "value");
        assert_eq!(
            begin(Version::HTTP_11, response),
            "HTTP/1.1 404 Not Found\r\nX-Some-Name: value\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn a_stream_has_chunks_where_there_are_chunks() {
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
        assert_eq!(
            begin(Version::HTTP_11, Response::builder()),
            format!("{head}Transfer-Encoding: chunked\r\n\r\n")
        );
        assert_eq!(
            begin(Version::HTTP_10, Response::builder()),
            format!("{head}\r\n")
        );
    }

    #[test]
    fn an_upgraded_connection_goes_on() {
        let upgrade = Response::builder().status(101);
        assert_eq!(
            begin(Version::HTTP_11, upgrade),
            "HTTP/1.1 101 Switching Protocols\r\n\r\n"
        );
    }
}
