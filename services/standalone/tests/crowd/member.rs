//! One of many clients, on tokio's sockets.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::websocket::{CLOSE, Frame, Incoming, TEXT, frame, upgrade};

/// Room that a read asks for. Unit: bytes.
const READ_BYTES: usize = 8 * 1024;

/// What the system receives for a client that does not read: little, for a test's load has to
/// overflow it. Unit: bytes.
const SMALL_RECEIVE_BYTES: usize = 16 * 1024;

/// Longest segment of such a client, as on an Ethernet. The sender's buffer grows with the segments
/// that it may have under way, and those of loopback are 64 KiB each. Unit: bytes.
const SMALL_SEGMENT_BYTES: u32 = 1_400;

/// How a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// With a close frame of this code.
    Closed(u16),
    /// Without one.
    Cut,
}

/// How much the system buffers for a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Buffers {
    Usual,
    /// As little as it does. The client gets an address of its own, by this number: what the system
    /// has learnt about an address, and sizes buffers by, would come from other tests.
    Small(u16),
}

/// A client.
#[derive(Debug)]
pub(crate) struct Member {
    stream: TcpStream,
    incoming: Incoming,
}

impl Member {
    /// Upgrades.
    pub(crate) async fn open(port: u16, buffers: Buffers) -> io::Result<Self> {
        let mut member = Self {
            stream: connect(port, buffers).await?,
            incoming: Incoming::default(),
        };
        let request = upgrade("");
        member.stream.write_all(request.as_bytes()).await?;
        while member.incoming.answer().is_none() {
            if !member.fill().await? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(member)
    }

    /// Upgrades and connects.
    pub(crate) async fn connected(port: u16, buffers: Buffers) -> io::Result<Self> {
        let mut member = Self::open(port, buffers).await?;
        member.ask("{\"id\":1,\"connect\":{}}").await?;
        Ok(member)
    }

    /// Upgrades, connects and subscribes.
    pub(crate) async fn subscribed(port: u16, buffers: Buffers, channel: &str) -> io::Result<Self> {
        let mut member = Self::connected(port, buffers).await?;
        let subscribe = format!("{{\"id\":2,\"subscribe\":{{\"channel\":\"{channel}\"}}}}");
        member.ask(&subscribe).await?;
        Ok(member)
    }

    /// Sends a command and waits for the next frame, which answers it without an error.
    pub(crate) async fn ask(&mut self, command: &str) -> io::Result<()> {
        let command = frame(TEXT, command.as_bytes());
        self.stream.write_all(&command).await?;
        let answer = self.frame().await?.ok_or(ErrorKind::UnexpectedEof)?;
        let text = String::from_utf8_lossy(&answer.payload);
        if answer.first != TEXT || !text.starts_with("{\"id\"") || text.contains("\"error\"") {
            return Err(io::Error::other(text.into_owned()));
        }
        Ok(())
    }

    /// Sends a command and reads one frame; none at the end of the stream.
    pub(crate) async fn say_and_read(&mut self, command: &str) -> io::Result<Option<Frame>> {
        let command = frame(TEXT, command.as_bytes());
        // The server may have gone already: what it said before is still there to read.
        let _ = self.stream.write_all(&command).await;
        self.frame().await
    }

    /// The next frame; none at the end of the stream.
    pub(crate) async fn frame(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.incoming.frame() {
                return Ok(Some(frame));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Reads to the end, and answers the close frame on the way.
    pub(crate) async fn ended(mut self) -> End {
        while let Ok(Some(frame)) = self.frame().await {
            if frame.first == CLOSE {
                return self.close(&frame).await;
            }
        }
        End::Cut
    }

    /// Answers a close frame.
    pub(crate) async fn close(mut self, told: &Frame) -> End {
        // The server may have gone already.
        let _ = self.stream.write_all(&frame(CLOSE, &told.payload)).await;
        told.close().map_or(End::Cut, |(code, _)| End::Closed(code))
    }

    async fn fill(&mut self) -> io::Result<bool> {
        let room = self.incoming.room(READ_BYTES);
        Ok(self.stream.read_buf(room).await? > 0)
    }
}

async fn connect(port: u16, buffers: Buffers) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Buffers::Small(number) = buffers {
        socket.set_recv_buffer_size(SMALL_RECEIVE_BYTES)?;
        socket.set_tcp_mss(SMALL_SEGMENT_BYTES)?;
        let [_, _, _, process] = std::process::id().to_be_bytes();
        let [high, low] = number.to_be_bytes();
        let own = SocketAddr::from(([127, process, high + 1, low], 0));
        socket.bind(&own.into())?;
    }
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpSocket::from_std_stream(socket.into())
        .connect(address)
        .await
}
