//! Messages as the body of an HTTP/1 response that does not end: lines, or server-sent events.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use gyre_config::streams::ConnectCodeToHttp;
use gyre_protocol::codes::Disconnect;
use gyre_protocol::{Envelope, Format};
use gyre_runtime::Stream;
use gyre_session::{Message, Session, Transport as Facts};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::{Ended, Transport};
use crate::scratch;

/// Longest wait for a client to take the end of its response.
const CLOSE_WAIT: std::time::Duration = std::time::Duration::from_secs(5);

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
    io: Stream,
    facts: Facts,
    framing: Framing,
    /// HTTP/1.0 has no chunks: there the end of the connection is the end of the body.
    is_chunked: bool,
    head: Option<Box<Head>>,
    /// What the socket has not taken.
    backlog: VecDeque<Bytes>,
    sent_bytes: u64,
}

/// The head of the response, as long as it has not been sent.
#[derive(Debug)]
pub(crate) struct Head {
    /// What is sent before the first message.
    pub(crate) bytes: Vec<u8>,
    /// Headers of a response that takes its place.
    pub(crate) cors: String,
    /// Set if a refused connect is answered with a status, so that the head has to wait for it.
    pub(crate) on_refusal: Option<Arc<ConnectCodeToHttp>>,
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
        is_chunked: bool,
        head: Head,
    ) -> io::Result<Self> {
        let mut stream = Self {
            io,
            facts,
            framing,
            is_chunked,
            head: Some(Box::new(head)),
            backlog: VecDeque::new(),
            sent_bytes: 0,
        };
        if stream
            .head
            .as_ref()
            .is_some_and(|head| head.on_refusal.is_none())
        {
            stream.send_head()?;
        }
        Ok(stream)
    }

    fn send_head(&mut self) -> io::Result<()> {
        match self.head.take() {
            Some(head) => self.send(&head.bytes),
            None => Ok(()),
        }
    }

    /// Answers a refused connect with a status instead of a stream.
    fn refuse(&mut self, session: &mut Session) -> io::Result<bool> {
        let Some(head) = &self.head else {
            return Ok(false);
        };
        let (Some(transforms), Some(closing)) = (&head.on_refusal, session.closing()) else {
            return Ok(false);
        };
        let (code, text) = match session.connect_error() {
            Some(error) => (error.code, error.message.to_string()),
            None => (closing.code, closing.reason.to_string()),
        };
        let response = refusal(transforms, code, &text, &head.cors);
        while session.poll_message().is_some() {}
        self.head = None;
        self.is_chunked = false;
        self.send(response.as_bytes())?;
        Ok(true)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while self.backlog.is_empty() && !rest.is_empty() {
            // Nobody waits here: `poll_flush` leaves the waker of who does.
            let cx = &mut Context::from_waker(Waker::noop());
            match Pin::new(&mut self.io).poll_write(cx, rest)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(taken) => {
                    self.sent_bytes += taken as u64;
                    rest = rest.get(taken..).unwrap_or_default();
                }
                Poll::Pending => break,
            }
        }
        if !rest.is_empty() {
            self.backlog.push_back(Bytes::copy_from_slice(rest));
        }
        Ok(())
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
    fn stage(&self, session: &mut Session, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        while let Some(message) = session.poll_message() {
            match &message {
                Message::Own(bytes) => self.put(&mut body, bytes),
                Message::Shared { .. } => {
                    if let Some(encoded) = message.shared(self.facts) {
                        self.put(&mut body, encoded.bytes());
                    }
                }
                Message::TransportPing => {}
            }
        }
        if self.is_chunked {
            let mut size = String::new();
            // Writing to a string does not fail.
            let _ = write!(size, "{:x}\r\n", body.len());
            out.extend_from_slice(size.as_bytes());
            out.extend_from_slice(&body);
            out.extend_from_slice(b"\r\n");
        } else {
            out.extend_from_slice(&body);
        }
    }
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
        scratch::with_read(|buffer| {
            let mut room = ReadBuf::new(buffer);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut room))?;
            if room.filled().is_empty() {
                return Poll::Ready(Err(Ended::Closed));
            }
            // A client has nothing to say on this connection.
            Poll::Ready(Ok(()))
        })
    }

    fn take_pong(&mut self) -> bool {
        false
    }

    fn write(&mut self, session: &mut Session) -> io::Result<()> {
        if self.refuse(session)? {
            return Ok(());
        }
        self.send_head()?;
        scratch::with_spare(|out| {
            self.stage(session, out);
            self.send(out)
        })
    }

    fn is_pending(&self) -> bool {
        !self.backlog.is_empty()
    }

    fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(first) = self.backlog.front_mut() {
            let taken = ready!(Pin::new(&mut self.io).poll_write(cx, first))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent_bytes += taken as u64;
            first.advance(taken);
            if first.is_empty() {
                self.backlog.pop_front();
            }
        }
        self.backlog = VecDeque::new();
        Poll::Ready(Ok(()))
    }

    fn close(mut self, disconnect: &Disconnect) -> impl Future<Output = ()> + Send {
        let is_gone = *disconnect == Disconnect::CONNECTION_CLOSED;
        Box::pin(async move {
            if is_gone {
                return;
            }
            // A client that does not take the end of its response has lost it.
            let _ = tokio::time::timeout(CLOSE_WAIT, self.finish()).await;
        })
    }
}

impl HttpStream {
    async fn finish(&mut self) -> io::Result<()> {
        self.send_head()?;
        if self.is_chunked {
            self.send(b"0\r\n\r\n")?;
        }
        std::future::poll_fn(|cx| self.poll_flush(cx)).await?;
        self.io.shutdown().await?;
        // Whoever closes first on unread bytes takes the response away from its reader.
        let mut rest = [0; 512];
        while self.io.read(&mut rest).await? > 0 {}
        Ok(())
    }
}

fn refusal(transforms: &ConnectCodeToHttp, code: u32, text: &str, cors: &str) -> String {
    let found = transforms
        .transforms
        .iter()
        .find(|transform| transform.code == code);
    let (status, body) = match found {
        Some(transform) => {
            let to = &transform.to;
            let body = if to.body.is_empty() { text } else { &to.body };
            (StatusCode::from_u16(to.status_code), body)
        }
        None => (
            Ok(StatusCode::INTERNAL_SERVER_ERROR),
            "Internal Server Error",
        ),
    };
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    crate::http::response(status, cors, body)
}
