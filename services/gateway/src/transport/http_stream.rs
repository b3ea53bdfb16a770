//! Messages as the body of an HTTP response that does not end: lines, or server-sent events.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::{HeaderMap, Response, StatusCode};
use bytes::Bytes;
use gyre_config::streams::ConnectCodeToHttp;
use gyre_protocol::codes::Disconnect;
use gyre_protocol::{Envelope, Format};
use gyre_runtime::{Responder, Stream};
use gyre_session::{Message, Transport as Facts};

use super::outlet::Outlet;
use super::positions::Positions;
use super::{Ended, SMALL_FRAME_BYTES, Transport};
use crate::outgoing::Outgoing;
use crate::{http, scratch};

/// How messages stand in the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Framing {
    /// Each on a line; in Protobuf with its length before it.
    Lines,
    /// Each as the data of an event.
    Events,
}

/// A response under way.
#[derive(Debug)]
pub(crate) struct HttpStream {
    outlet: Outlet,
    facts: Facts,
    framing: Framing,
    /// HTTP/1.1 has chunks. Over HTTP/1.0 the end of the connection is the end of the body, and HTTP/2
    /// has frames of its own.
    is_chunked: bool,
    /// Over HTTP/2: small pieces of text are padded, for the readers of [`SMALL_FRAME_BYTES`].
    is_padded: bool,
    head: Option<Box<Head>>,
    /// Kept if events have ids.
    positions: Option<Box<Positions>>,
}

/// The head of the response, as long as it has not been sent.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) responder: Responder,
    pub(crate) response: Response<()>,
    /// Headers of a response that takes its place.
    pub(crate) cors: HeaderMap,
    /// Set if a refused connect is answered with a status, so that the head has to wait for it.
    pub(crate) on_refusal: Option<Arc<ConnectCodeToHttp>>,
    /// Whether events have the client's positions as ids.
    pub(crate) has_ids: bool,
}

impl HttpStream {
    /// A response that begins with `head`.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub(crate) fn begin(
        io: Stream,
        facts: Facts,
        framing: Framing,
        head: Head,
    ) -> io::Result<Self> {
        let waits = head.on_refusal.is_some();
        let mut stream = Self {
            outlet: Outlet::new(io),
            facts,
            framing,
            is_chunked: head.responder.needs_chunks(),
            is_padded: head.responder.has_frames() && facts.format == Format::Json,
            positions: head.has_ids.then(Box::default),
            head: Some(Box::new(head)),
        };
        if !waits {
            stream.send_head()?;
        }
        Ok(stream)
    }

    fn send_head(&mut self) -> io::Result<()> {
        let Some(head) = self.head.take() else {
            return Ok(());
        };
        let Head {
            responder,
            response,
            ..
        } = *head;
        let mut bytes = responder.begin(response);
        if self.framing == Framing::Events {
            // Something to flush, so that the client knows that it is through.
            self.put_chunk(&mut bytes, b"\r\n");
        }
        self.outlet.send(&bytes)
    }

    /// Answers a refused connect with a status instead of a stream.
    fn refuse(&mut self, outgoing: &mut Outgoing<'_>) -> io::Result<bool> {
        let Some(closing) = outgoing.closing() else {
            return Ok(false);
        };
        let is_waiting = |head: &mut Box<Head>| head.on_refusal.is_some();
        let Some(head) = self.head.take_if(is_waiting) else {
            return Ok(false);
        };
        let (code, text) = match outgoing.connect_error() {
            Some(error) => (error.code, error.message.to_string()),
            None => (closing.code, closing.reason.to_string()),
        };
        outgoing.discard();
        let Head {
            responder,
            cors,
            on_refusal,
            ..
        } = *head;
        let response = refusal(on_refusal.as_deref(), code, text, cors);
        self.is_chunked = false;
        self.outlet.send(&http::begin(responder, response))?;
        Ok(true)
    }

    fn put_chunk(&self, out: &mut Vec<u8>, body: &[u8]) {
        if self.is_chunked {
            let mut size = String::new();
            // Writing to a string does not fail.
            let _ = write!(size, "{:x}\r\n", body.len());
            out.extend_from_slice(size.as_bytes());
            out.extend_from_slice(body);
            out.extend_from_slice(b"\r\n");
        } else {
            out.extend_from_slice(body);
        }
    }

    fn put(&self, out: &mut Vec<u8>, message: &[u8]) {
        match (self.framing, self.facts.format) {
            (Framing::Events, _) => {
                out.extend_from_slice(b"data: ");
                // A carriage return ends a line of an event, and in JSON it is only white space.
                out.extend(message.iter().filter(|byte| **byte != b'\r'));
                out.extend_from_slice(b"\n\n");
            }
            (Framing::Lines, Format::Json) => {
                out.extend_from_slice(message);
                out.push(b'\n');
            }
            (Framing::Lines, Format::Protobuf) => out.extend_from_slice(message),
        }
    }

    /// Takes the session's messages as one chunk.
    fn stage(&mut self, outgoing: &mut Outgoing<'_>, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        while let Some(message) = outgoing.next() {
            if let Some(positions) = &mut self.positions
                && let Some(id) = positions.id_after(&message)
            {
                for piece in [&b"id: "[..], id.as_bytes(), b"\n"] {
                    body.extend_from_slice(piece);
                }
            }
            match &message {
                Message::Own(bytes, _) => self.put(&mut body, bytes),
                Message::Shared { .. } => {
                    if let Some(encoded) = message.shared(self.facts) {
                        self.put(&mut body, encoded.bytes());
                    }
                }
                Message::TransportPing => {}
            }
        }
        if self.is_padded {
            pad(self.framing, &mut body);
        }
        self.put_chunk(out, &body);
    }
}

/// Fills up what is small: a line by spaces, which mean nothing in JSON, an event by a comment.
fn pad(framing: Framing, body: &mut Vec<u8>) {
    if body.is_empty() || body.len() >= SMALL_FRAME_BYTES {
        return;
    }
    match framing {
        // Before the end of the last line.
        Framing::Lines => {
            body.pop();
            body.resize(SMALL_FRAME_BYTES - 1, b' ');
        }
        Framing::Events => {
            body.push(b':');
            body.resize(body.len().max(SMALL_FRAME_BYTES - 1), b' ');
        }
    }
    body.push(b'\n');
}

impl Transport for HttpStream {
    fn name(&self) -> &'static str {
        match (self.framing, self.facts.envelope) {
            (Framing::Lines, Envelope::Reply) => "http_stream",
            (Framing::Lines, Envelope::Bare) => "uni_http_stream",
            (Framing::Events, Envelope::Reply) => "sse",
            (Framing::Events, Envelope::Bare) => "uni_sse",
        }
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        _frames: &mut Vec<Bytes>,
    ) -> Poll<Result<(), Ended>> {
        // A client has nothing to say on this connection.
        self.outlet
            .stream()
            .poll_gone(cx)
            .map(|()| Err(Ended::Closed))
    }

    fn write(&mut self, outgoing: &mut Outgoing<'_>) -> io::Result<()> {
        if self.refuse(outgoing)? {
            return Ok(());
        }
        self.send_head()?;
        scratch::with_spare(|out| {
            self.stage(outgoing, out);
            self.outlet.send(out)
        })
    }

    fn is_pending(&self) -> bool {
        self.outlet.is_pending()
    }

    fn sent_bytes(&self) -> u64 {
        self.outlet.sent_bytes()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outlet.poll_flush(cx)
    }

    fn close(mut self, disconnect: &Disconnect) -> impl Future<Output = ()> + Send {
        let is_gone = *disconnect == Disconnect::CONNECTION_CLOSED;
        Box::pin(async move {
            if is_gone || self.send_head().is_err() {
                return;
            }
            if self.is_chunked && self.outlet.send(b"0\r\n\r\n").is_err() {
                return;
            }
            self.outlet.close().await;
        })
    }
}

fn refusal(
    transforms: Option<&ConnectCodeToHttp>,
    code: u32,
    text: String,
    cors: HeaderMap,
) -> Response<String> {
    let found = transforms
        .into_iter()
        .flat_map(|transforms| &transforms.transforms)
        .find(|transform| transform.code == code);
    let Some(transform) = found else {
        let mut response = http::plain(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().extend(cors);
        return response;
    };
    let to = &transform.to;
    let body = match to.body.is_empty() {
        true => text,
        false => to.body.clone(),
    };
    // The option's range is that of statuses.
    let status = StatusCode::from_u16(to.status_code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    http::response(status, cors, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_means_nothing() {
        for len in 0..300 {
            let line = format!("\"{}\"\n", "x".repeat(len)).into_bytes();
            let mut padded = line.clone();
            pad(Framing::Lines, &mut padded);
            assert!(padded.len() >= SMALL_FRAME_BYTES && padded.ends_with(b"\n"));
            assert_eq!(padded.trim_ascii_end(), line.trim_ascii_end());

            let mut events = [b"data: ", &*line, b"\n"].concat();
            let event = events.clone();
            pad(Framing::Events, &mut events);
            let comment = events.strip_prefix(&*event).unwrap();
            assert!(events.len() >= SMALL_FRAME_BYTES);
            assert!(comment.is_empty() || comment.starts_with(b":") && comment.ends_with(b"\n"));
        }
        let mut nothing = Vec::new();
        pad(Framing::Lines, &mut nothing);
        assert!(nothing.is_empty());
    }
}
