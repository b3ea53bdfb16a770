//! A client that recovers, as the SDKs do: it comes back, with the position that it has.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::judge::{At, Judge};
use crate::websocket::{CLOSE, Incoming, TEXT, frame, upgrade};

/// Silence after which a client gives a connection up: the server pings more often.
const SILENCE_MAX: Duration = Duration::from_secs(12);

/// Pause before a client comes back.
const PAUSE: Duration = Duration::from_millis(100);

/// What all clients share.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) judge: Judge,
    /// Ports of the gateways; a client takes the next one when it comes back.
    pub(crate) gateways: Vec<u16>,
    pub(crate) is_over: Arc<AtomicBool>,
    /// Codes of close frames.
    pub(crate) closed: Arc<Mutex<Vec<u16>>>,
    /// Why a connection ended last, for who looks for a reason.
    pub(crate) last_end: Arc<Mutex<String>>,
    /// Subscriptions that were ever made.
    pub(crate) subscribed: Arc<AtomicUsize>,
}

impl Clients {
    pub(crate) fn new(judge: &Judge, gateways: &[u16]) -> Self {
        Self {
            judge: judge.clone(),
            gateways: gateways.to_vec(),
            is_over: Arc::default(),
            closed: Arc::default(),
            last_end: Arc::default(),
            subscribed: Arc::default(),
        }
    }

    /// Subscribes to a channel and stays subscribed until all is over.
    pub(crate) async fn stay(self, number: usize, channel: String) {
        let subscriber = self.judge.subscriber(&channel);
        let mut turn = number;
        while !self.is_over.load(Ordering::Relaxed) {
            let port = self.gateways[turn % self.gateways.len()];
            turn += 1;
            // Whatever ended it: the client comes back.
            if let Err(ended) = self.connection(port, subscriber, &channel).await {
                *self.last_end.lock() = format!("{channel} at {port}: {ended}");
            }
            sleep(PAUSE).await;
        }
    }

    async fn connection(&self, port: u16, subscriber: usize, channel: &str) -> io::Result<()> {
        let mut link = Link::open(port).await?;
        link.say(&json!({"id": 1, "connect": {}})).await?;
        let mut id = 1;
        while !self.is_over.load(Ordering::Relaxed) {
            for message in link.read(&self.closed).await? {
                if message == json!({}) {
                    link.say(&json!({})).await?; // A pong.
                    continue;
                }
                let push = &message["push"]["pub"];
                if push.is_object() {
                    self.publication(subscriber, push);
                } else if message["push"]["unsubscribe"].is_object() || message["id"] == json!(1) {
                    id += 1;
                    link.say(&self.subscribe(id, subscriber, channel)).await?;
                } else if message["error"].is_object() {
                    return Err(io::Error::other(message.to_string()));
                } else if message["subscribe"].is_object() {
                    self.entered(subscriber, &message["subscribe"]);
                }
            }
        }
        Ok(())
    }

    fn subscribe(&self, id: u64, subscriber: usize, channel: &str) -> Value {
        let mut subscribe = json!({"channel": channel, "positioned": true, "recoverable": true});
        if let Some(At { epoch, offset }) = self.judge.at(subscriber) {
            subscribe["recover"] = json!(true);
            subscribe["epoch"] = json!(epoch);
            subscribe["offset"] = json!(offset);
        }
        json!({"id": id, "subscribe": subscribe})
    }

    fn entered(&self, subscriber: usize, reply: &Value) {
        if reply["recovered"] != json!(true) {
            self.judge.told(
                subscriber,
                &At {
                    epoch: reply["epoch"].as_str().unwrap_or_default().to_owned(),
                    offset: reply["offset"].as_u64().unwrap_or_default(),
                },
            );
            self.subscribed.fetch_add(1, Ordering::Relaxed);
        }
        for publication in reply["publications"].as_array().into_iter().flatten() {
            self.publication(subscriber, publication);
        }
    }

    fn publication(&self, subscriber: usize, publication: &Value) {
        let offset = publication["offset"].as_u64().unwrap_or_default();
        let message = publication["data"].as_str().unwrap_or_default();
        self.judge.received(subscriber, offset, message);
    }
}

/// A WebSocket.
pub(crate) struct Link {
    stream: TcpStream,
    incoming: Incoming,
}

impl Link {
    pub(crate) async fn open(port: u16) -> io::Result<Self> {
        Self::open_with(port, "").await
    }

    /// The same with more headers, each ending in CRLF.
    pub(crate) async fn open_with(port: u16, headers: &str) -> io::Result<Self> {
        let stream = timeout(SILENCE_MAX, TcpStream::connect(("127.0.0.1", port))).await??;
        stream.set_nodelay(true)?;
        let mut link = Self {
            stream,
            incoming: Incoming::default(),
        };
        link.stream.write_all(upgrade(headers).as_bytes()).await?;
        loop {
            if let Some(answer) = link.incoming.answer() {
                let is_switched = answer.starts_with("HTTP/1.1 101 ");
                return is_switched
                    .then_some(link)
                    .ok_or_else(|| io::Error::other(answer));
            }
            link.fill().await?;
        }
    }

    pub(crate) async fn say(&mut self, command: &Value) -> io::Result<()> {
        let frame = frame(TEXT, command.to_string().as_bytes());
        self.stream.write_all(&frame).await
    }

    /// The messages of the next frame.
    pub(crate) async fn read(&mut self, closed: &Mutex<Vec<u16>>) -> io::Result<Vec<Value>> {
        loop {
            let Some(next) = self.incoming.frame() else {
                self.fill().await?;
                continue;
            };
            if next.first == CLOSE {
                closed.lock().extend(next.close().map(|(code, _)| code));
                let _ = self.stream.write_all(&frame(CLOSE, &next.payload)).await;
                return Err(ErrorKind::ConnectionAborted.into());
            }
            let text = String::from_utf8_lossy(&next.payload).into_owned();
            let messages = text.lines().filter(|line| !line.is_empty());
            return messages
                .map(|line| serde_json::from_str(line).map_err(io::Error::other))
                .collect();
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        let room = self.incoming.room(8 * 1024);
        let read = timeout(SILENCE_MAX, self.stream.read_buf(room)).await??;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}
