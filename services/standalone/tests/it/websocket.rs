//! The client's side of WebSocket, as little as tests need, so that they can also do it wrong.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// First byte of a whole text message.
pub(crate) const TEXT: u8 = 0x81;
/// First byte of a close frame.
pub(crate) const CLOSE: u8 = 0x88;
/// Bit of the first byte that a compressed message has.
pub(crate) const COMPRESSED: u8 = 0x40;

/// How long a blocking read may take before the test fails.
const READ_MAX: Duration = Duration::from_secs(10);

/// A request for an upgrade, with further header lines.
pub(crate) fn upgrade(headers: &str) -> String {
    upgrade_at("/connection/websocket", headers)
}

fn upgrade_at(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n{headers}\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A frame with this first byte, masked with zeros, which leaves the payload as it is.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    if let Ok(len) = u8::try_from(payload.len())
        && len < 126
    {
        frame.push(0x80 | len);
    } else if let Ok(len) = u16::try_from(payload.len()) {
        frame.push(0x80 | 126);
        frame.extend(len.to_be_bytes());
    } else {
        frame.push(0x80 | 127);
        frame.extend((payload.len() as u64).to_be_bytes());
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// A frame of the server.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Code and reason, if it is a close frame that has them.
    pub(crate) fn close(&self) -> Option<(u16, String)> {
        match self.payload.as_slice() {
            [high, low, reason @ ..] if self.first == CLOSE => Some((
                u16::from_be_bytes([*high, *low]),
                String::from_utf8_lossy(reason).into_owned(),
            )),
            _ => None,
        }
    }
}

/// Bytes of the server on their way to become frames.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
}

impl Incoming {
    /// Where the next bytes go, with room for this many.
    pub(crate) fn room(&mut self, bytes: usize) -> &mut Vec<u8> {
        self.bytes.reserve(bytes);
        &mut self.bytes
    }

    /// Takes the answer to the upgrade once all of it is there.
    pub(crate) fn answer(&mut self) -> Option<String> {
        let end = self.bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
        let answer = self.bytes.drain(..end).collect();
        String::from_utf8(answer).ok()
    }

    /// Takes the next frame once all of it is there.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        let (start, len) = match *self.bytes.as_slice() {
            [_, 127, a, b, c, d, e, f, g, h, ..] => {
                let len = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
                (10, usize::try_from(len).ok()?)
            }
            [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
            [_, len, ..] if len < 126 => (2, usize::from(len)),
            _ => return None,
        };
        let payload = self.bytes.get(start..start + len)?.to_vec();
        let first = *self.bytes.first()?;
        self.bytes.drain(..start + len);
        Some(Frame { first, payload })
    }
}

/// A client that blocks.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    incoming: Incoming,
}

impl Client {
    /// Upgrades, with further header lines in the request, and returns the answer beside.
    pub(crate) fn open(port: u16, headers: &str) -> io::Result<(Self, String)> {
        Self::sending(port, &upgrade(headers))
    }

    /// The same at the endpoint for clients that only listen, who may say one thing.
    pub(crate) fn listening(port: u16, headers: &str, connect: &str) -> io::Result<Self> {
        let mut client = Self::silent(port, headers)?;
        client.say(connect)?;
        client.expect_frame()?;
        Ok(client)
    }

    /// The same before it has said anything.
    pub(crate) fn silent(port: u16, headers: &str) -> io::Result<Self> {
        let request = upgrade_at("/connection/uni_websocket", headers);
        Ok(Self::sending(port, &request)?.0)
    }

    fn sending(port: u16, request: &str) -> io::Result<(Self, String)> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_MAX))?;
        let mut client = Self {
            stream,
            incoming: Incoming::default(),
        };
        client.write(request.as_bytes())?;
        loop {
            if let Some(answer) = client.incoming.answer() {
                return Ok((client, answer));
            }
            if !client.fill()? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Upgrades, connects and subscribes.
    pub(crate) fn subscribed(port: u16, headers: &str, channel: &str) -> io::Result<Self> {
        let (mut client, _) = Self::open(port, headers)?;
        client.say("{\"id\":1,\"connect\":{}}")?;
        client.expect_frame()?;
        client.say(&format!(
            "{{\"id\":2,\"subscribe\":{{\"channel\":\"{channel}\"}}}}"
        ))?;
        client.expect_frame()?;
        Ok(client)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a text message.
    pub(crate) fn say(&mut self, text: &str) -> io::Result<()> {
        self.write(&frame(TEXT, text.as_bytes()))
    }

    /// The next frame; none at the end of the stream.
    pub(crate) fn frame(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.incoming.frame() {
                return Ok(Some(frame));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    pub(crate) fn expect_frame(&mut self) -> io::Result<Frame> {
        self.frame()?.ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    /// Reads up to the close frame and to the end of the stream behind it: its code and reason.
    pub(crate) fn closed(&mut self) -> io::Result<(u16, String)> {
        let mut told = None;
        while let Some(next) = self.frame()? {
            if next.first == CLOSE {
                // The server waits for the echo, unless it has given us up.
                let _ = self.write(&frame(CLOSE, &next.payload));
                told = next.close();
            }
        }
        told.ok_or_else(|| io::Error::other("ended without a close frame"))
    }

    fn fill(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 16 * 1024];
        let read = self.stream.read(&mut buffer)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        self.incoming.room(read).extend_from_slice(bytes);
        Ok(read > 0)
    }
}
