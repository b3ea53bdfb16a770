//! Clients of the client protocol: connect, subscribe, then count what comes.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use memchr::memchr;
use prost::Message;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::websocket::{self, Kind};

/// Handshakes on their way at the same time; more would overflow a listener's queue and measure the kernel's retries.
const OPENING_MAX: usize = 256;

/// Bytes that one read can bring. A frame may not be larger.
const SCRATCH_BYTES: usize = 512 * 1024;

/// Source addresses that connections are spread over: each has some 28 000 ports.
const SOURCES: u32 = 8;

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text frames of JSON lines.
    Json,
    /// Binary frames of length-delimited messages.
    Protobuf,
}

/// A command of the few that the generator knows in Protobuf.
#[derive(Clone, PartialEq, Message)]
struct Command {
    #[prost(uint32, tag = "1")]
    id: u32,
    #[prost(message, optional, tag = "4")]
    connect: Option<Connect>,
    #[prost(message, optional, tag = "5")]
    subscribe: Option<Subscribe>,
}

#[derive(Clone, PartialEq, Message)]
struct Connect {}

#[derive(Clone, PartialEq, Message)]
struct Subscribe {
    #[prost(string, tag = "1")]
    channel: String,
}

impl Format {
    fn kind(self) -> Kind {
        match self {
            Self::Json => Kind::Text,
            Self::Protobuf => Kind::Binary,
        }
    }

    fn connect(self) -> Vec<u8> {
        match self {
            Self::Json => br#"{"id":1,"connect":{}}"#.to_vec(),
            Self::Protobuf => Command {
                id: 1,
                connect: Some(Connect {}),
                subscribe: None,
            }
            .encode_length_delimited_to_vec(),
        }
    }

    /// One frame's payload with a subscribe command per channel.
    fn subscribe(self, channels: &[String]) -> Vec<u8> {
        let mut out = Vec::new();
        for (id, channel) in (2..).zip(channels) {
            match self {
                Self::Json => {
                    let line = format!(r#"{{"id":{id},"subscribe":{{"channel":"{channel}"}}}}"#);
                    out.extend_from_slice(line.as_bytes());
                    out.push(b'\n');
                }
                Self::Protobuf => {
                    let subscribe = Some(Subscribe {
                        channel: channel.clone(),
                    });
                    let command = Command {
                        id,
                        connect: None,
                        subscribe,
                    };
                    out.extend(command.encode_length_delimited_to_vec());
                }
            }
        }
        out
    }

    fn pong(self) -> &'static [u8] {
        match self {
            Self::Json => b"{}",
            Self::Protobuf => &[0],
        }
    }

    /// Takes the first message off a frame's payload.
    fn message(self, payload: &[u8]) -> Option<(&[u8], &[u8])> {
        if payload.is_empty() {
            return None;
        }
        match self {
            Self::Json => match memchr(b'\n', payload) {
                Some(at) => Some((payload.get(..at)?, payload.get(at + 1..)?)),
                None => Some((payload, &[])),
            },
            Self::Protobuf => {
                let mut rest = payload;
                let length =
                    usize::try_from(prost::encoding::decode_varint(&mut rest).ok()?).ok()?;
                rest.split_at_checked(length)
            }
        }
    }

    /// What a message is.
    fn classify(self, message: &[u8]) -> Seen {
        match (self, message) {
            (Self::Json, b"{}") | (Self::Protobuf, []) => Seen::Ping,
            (Self::Json, _) if message.starts_with(br#"{"id":"#) => Seen::Reply,
            (Self::Json, _) if message.starts_with(br#"{"error":"#) => Seen::Reply,
            (Self::Protobuf, [0x08, ..]) => Seen::Reply,
            _ => Seen::Push,
        }
    }

    fn is_error(self, reply: &[u8]) -> bool {
        match self {
            Self::Json => {
                let body = memchr(b',', reply).map_or(reply, |at| reply.split_at(at).1);
                body.starts_with(br#","error":"#) || reply.starts_with(br#"{"error":"#)
            }
            Self::Protobuf => {
                let body = reply
                    .iter()
                    .skip(1)
                    .skip_while(|byte| **byte & 0x80 != 0)
                    .nth(1);
                body == Some(&0x12)
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Ping,
    Reply,
    Push,
}

/// A read buffer that all clients share: only a frame that is not whole stays with its client.
#[derive(Debug, Clone)]
pub(crate) struct Scratch(Rc<RefCell<Vec<u8>>>);

impl Scratch {
    /// A buffer.
    pub(crate) fn new() -> Self {
        Self(Rc::new(RefCell::new(vec![0; SCRATCH_BYTES])))
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    format: Format,
    /// Beginning of a frame whose end has not come.
    kept: Vec<u8>,
    /// Replies that came and nobody has waited for yet.
    surplus: usize,
}

impl Client {
    /// Opens a connection, connects, and subscribes to channels. `number` chooses the source address.
    pub(crate) async fn open(
        server: SocketAddr,
        number: u32,
        format: Format,
        channels: &[String],
        scratch: &Scratch,
    ) -> Result<Self> {
        let stream = dial(server, number).await?;
        let mut client = Self {
            stream,
            format,
            kept: Vec::new(),
            surplus: 0,
        };
        let subprotocol = (format == Format::Protobuf).then_some("centrifuge-protobuf");
        client
            .stream
            .write_all(websocket::request(&server.to_string(), subprotocol).as_bytes())
            .await?;
        client.upgrade(scratch).await?;
        client.send(&format.connect()).await?;
        client.replies(1, scratch, |_| Ok(())).await?;
        if !channels.is_empty() {
            client.send(&format.subscribe(channels)).await?;
            client.replies(channels.len(), scratch, |_| Ok(())).await?;
        }
        Ok(client)
    }

    async fn upgrade(&mut self, scratch: &Scratch) -> Result<()> {
        loop {
            self.stream.readable().await?;
            let mut buffer = scratch.0.borrow_mut();
            if let Some(bytes) = fill(&self.stream, &self.kept, &mut buffer)? {
                match websocket::response(bytes)? {
                    Some(length) => {
                        self.kept = bytes.get(length..).unwrap_or_default().to_vec();
                        return Ok(());
                    }
                    None => self.kept = bytes.to_vec(),
                }
            }
        }
    }

    /// Sends one frame with these messages.
    pub(crate) async fn send(&mut self, payload: &[u8]) -> Result<()> {
        let frame = websocket::frame(self.format.kind(), payload);
        Ok(self.stream.write_all(&frame).await?)
    }

    /// Sends frames that were made before.
    pub(crate) async fn send_frames(&mut self, frames: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(frames).await?)
    }

    /// Waits for so many replies, each a success, and shows every message to `take`.
    pub(crate) async fn replies(
        &mut self,
        count: usize,
        scratch: &Scratch,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let format = self.format;
        let mut came = self.surplus;
        while came < count {
            self.read(scratch, |payload| {
                let mut rest = payload;
                while let Some((message, after)) = format.message(rest) {
                    if format.classify(message) == Seen::Reply {
                        ensure!(
                            !format.is_error(message),
                            "refused: {}",
                            String::from_utf8_lossy(message)
                        );
                        came += 1;
                    }
                    take(message)?;
                    rest = after;
                }
                Ok(())
            })
            .await?;
        }
        self.surplus = came - count;
        Ok(())
    }

    /// Waits for bytes, shows the payload of each whole frame to `take`, and answers pings.
    pub(crate) async fn read(
        &mut self,
        scratch: &Scratch,
        take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        self.stream.readable().await?;
        if self.take(scratch, take)? {
            self.send(self.format.pong()).await?;
        }
        Ok(())
    }

    /// Reads what is there; whether the server's ping was in it.
    fn take(
        &mut self,
        scratch: &Scratch,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        let format = self.format;
        let mut buffer = scratch.0.borrow_mut();
        let Some(bytes) = fill(&self.stream, &self.kept, &mut buffer)? else {
            return Ok(false);
        };
        let mut is_pinged = false;
        let rest = websocket::each(bytes, |payload| {
            is_pinged |= pings(format, payload);
            take(payload)
        })?;
        self.kept.clear();
        self.kept.extend_from_slice(rest);
        Ok(is_pinged)
    }
}

/// Whether a frame holds the server's ping. A ping is alone in its frame or at one of its ends.
fn pings(format: Format, payload: &[u8]) -> bool {
    match format {
        Format::Json => {
            payload == b"{}" || payload.starts_with(b"{}\n") || payload.ends_with(b"\n{}")
        }
        Format::Protobuf => {
            let mut rest = payload;
            while let Some((message, after)) = format.message(rest) {
                if format.classify(message) == Seen::Ping {
                    return true;
                }
                rest = after;
            }
            false
        }
    }
}

/// Reads once behind what was kept; `None` if nothing is there.
fn fill<'a>(stream: &TcpStream, kept: &[u8], buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>> {
    let (head, tail) = buffer
        .split_at_mut_checked(kept.len())
        .context("a frame is too large")?;
    head.copy_from_slice(kept);
    ensure!(!tail.is_empty(), "a frame is too large");
    match stream.try_read(tail) {
        Ok(0) => bail!("the server closed the connection"),
        Ok(read) => Ok(buffer.get(..kept.len() + read)),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn dial(server: SocketAddr, number: u32) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let last = u8::try_from(number % SOURCES).unwrap_or(0) + 1;
    socket.bind(SocketAddr::from((
        IpAddr::V4(Ipv4Addr::new(127, 0, 7, last)),
        0,
    )))?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    // A reset at the end leaves no port behind in TIME_WAIT.
    stream.set_zero_linger()?;
    Ok(stream)
}

/// Opens `count` clients, some at a time; `channels` says what the n-th subscribes to.
pub(crate) async fn gather(
    server: SocketAddr,
    count: u32,
    format: Format,
    scratch: &Scratch,
    channels: impl Fn(u32) -> Vec<String>,
) -> Result<Vec<Client>> {
    stream::iter(0..count)
        .map(|number| {
            let channels = channels(number);
            async move { Client::open(server, number, format, &channels, scratch).await }
        })
        .buffer_unordered(OPENING_MAX)
        .try_collect()
        .await
}

/// Gets the payload of every frame that any client receives.
pub(crate) type Take = dyn Fn(&[u8]);

/// Clients that receive in the background until this is dropped.
#[derive(Debug)]
pub(crate) struct Crowd {
    tasks: JoinSet<()>,
    lost: Rc<Cell<u32>>,
    stalled: Rc<Cell<usize>>,
}

impl Crowd {
    /// Lets clients receive; `take` gets the payload of every frame.
    pub(crate) fn listen(clients: Vec<Client>, scratch: &Scratch, take: &Rc<Take>) -> Self {
        let mut crowd = Self {
            tasks: JoinSet::new(),
            lost: Rc::new(Cell::new(0)),
            stalled: Rc::new(Cell::new(0)),
        };
        for (number, mut client) in clients.into_iter().enumerate() {
            let (scratch, take) = (scratch.clone(), Rc::clone(take));
            let (lost, stalled) = (Rc::clone(&crowd.lost), Rc::clone(&crowd.stalled));
            crowd.tasks.spawn_local(async move {
                loop {
                    if number < stalled.get() {
                        // Holds the connection and does not read it any more.
                        pending::<()>().await;
                    }
                    let heard = client.read(&scratch, |payload| {
                        take(payload);
                        Ok(())
                    });
                    if heard.await.is_err() {
                        lost.set(lost.get() + 1);
                        return;
                    }
                }
            });
        }
        crowd
    }

    /// Lets the first `count` clients stop reading, from their next frame on.
    pub(crate) fn stall(&self, count: usize) {
        self.stalled.set(count);
    }

    /// An error if the server closed a connection.
    pub(crate) fn nobody_is_lost(&self) -> Result<()> {
        ensure!(
            self.lost.get() == 0,
            "{} connections were closed by the server",
            self.lost.get()
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart_in_both_formats() {
        let json = Format::Json;
        assert_eq!(json.classify(b"{}"), Seen::Ping);
        assert_eq!(json.classify(br#"{"id":2,"subscribe":{}}"#), Seen::Reply);
        assert_eq!(json.classify(br#"{"push":{}}"#), Seen::Push);
        let protobuf = Format::Protobuf;
        assert_eq!(protobuf.classify(&[]), Seen::Ping);
        assert_eq!(protobuf.classify(&[0x08, 2, 0x32, 0]), Seen::Reply);
        assert_eq!(protobuf.classify(&[0x22, 0]), Seen::Push);
    }

    #[test]
    fn an_error_is_seen_in_both_formats() {
        assert!(Format::Json.is_error(br#"{"id":2,"error":{"code":103}}"#));
        assert!(!Format::Json.is_error(br#"{"id":2,"rpc":{"data":{"error":1}}}"#));
        assert!(Format::Protobuf.is_error(&[0x08, 0x80, 0x01, 0x12, 2, 8, 103]));
        assert!(!Format::Protobuf.is_error(&[0x08, 2, 0x32, 0]));
    }

    #[test]
    fn a_ping_is_found_at_either_end_of_a_frame() {
        assert!(pings(Format::Json, b"{}"));
        assert!(pings(Format::Json, b"{\"push\":{}}\n{}"));
        assert!(!pings(Format::Json, b"{\"push\":{}}"));
        assert!(pings(Format::Protobuf, &[2, 0x22, 0, 0]));
        assert!(!pings(Format::Protobuf, &[2, 0x22, 0]));
    }

    #[test]
    fn a_frame_is_cut_into_its_messages() {
        let (first, rest) = Format::Json.message(b"{\"id\":1}\n{}").unwrap();
        assert_eq!((first, rest), (b"{\"id\":1}".as_slice(), b"{}".as_slice()));
        let (first, rest) = Format::Protobuf.message(&[1, 9, 0]).unwrap();
        assert_eq!((first, rest), ([9].as_slice(), [0].as_slice()));
        assert_eq!(Format::Protobuf.message(&[5, 1]), None);
    }
}
