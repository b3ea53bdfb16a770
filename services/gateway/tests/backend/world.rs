//! A gateway on the memory engine, a backend, and clients that speak JSON over WebSocket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gyre_backend::{Backends, ChannelStates};
use gyre_config::channel::{Namespace, Options};
use gyre_config::{Config, Millis};
use gyre_engine::Engine;
use gyre_runtime::Parts;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::common;
use crate::fake::Fake;

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) backend: Arc<Fake>,
    pub(crate) engine: Engine,
    parts: Parts,
    backend_parts: Parts,
}

impl World {
    /// Serves everything; `edit` has the last word about the configuration.
    pub(crate) async fn serve(edit: impl FnOnce(&mut Config)) -> Self {
        let (backend, backend_address, backend_parts) = Fake::serve();
        let mut config = Box::new(config(backend_address));
        edit(&mut config);
        Box::pin(Self::over((backend, backend_parts), &config)).await
    }

    async fn over((backend, backend_parts): (Arc<Fake>, Parts), config: &Config) -> Self {
        let parts = common::parts();
        let backends = Backends::build(config, &parts, None).unwrap();
        let store = gyre_store::open(config, &parts.clock, &|_| Err("none here".into()))
            .await
            .unwrap();
        let states = ChannelStates::open(config, &backends, store.channels, &parts).await;
        let (states, tasks) = states.unwrap();
        tasks.run(&parts);
        let (gateway, _delivery, engine) = common::build(config, &parts, backends, Some(states));
        let address = common::listen(gateway, &parts, |_gateway, _site| {});
        Self {
            address,
            backend,
            engine,
            parts,
            backend_parts,
        }
    }

    /// A client that is connected, whatever the backend says of it.
    pub(crate) async fn connect(&self) -> Client {
        let mut client = Client::open(self.address).await;
        let reply = client.ask(json!({"connect": {}})).await;
        assert!(reply.get("connect").is_some(), "{reply}");
        client
    }

    /// What the process counts, in the text format.
    pub(crate) fn metrics(&self) -> String {
        self.parts.registry.encode().unwrap()
    }

    pub(crate) async fn stop(self) {
        self.parts.tasks.stop(Duration::from_millis(1)).await;
        self.backend_parts
            .tasks
            .stop(Duration::from_millis(1))
            .await;
    }
}

fn config(backend: SocketAddr) -> Config {
    let mut config = Config::default();
    config.client.ping_interval = Millis::from_secs(-1);
    config.client.pong_timeout = Millis::from_secs(-2);
    config.client.allow_anonymous_connect_without_token = true;
    let timeout = Millis::from_secs(20);
    let channel = &mut config.channel.proxy;
    for (event, proxy) in [
        ("subscribe", &mut channel.subscribe),
        ("cache_empty", &mut channel.cache_empty),
        ("state", &mut channel.state),
        ("rpc", &mut config.rpc.proxy),
        ("connect", &mut config.client.proxy.connect.proxy),
    ] {
        proxy.endpoint = format!("http://{backend}/{event}");
        proxy.timeout = timeout;
    }
    config.rpc.without_namespace.proxy_enabled = true;
    type Edit = fn(&mut Options);
    let namespaces: [(&str, Edit); 4] = [
        ("none", |options| {
            options.allow_subscribe_for_client = false;
            options.allow_subscribe_for_anonymous = false;
        }),
        ("ask", |options| options.subscribe_proxy_enabled = true),
        ("cache", |options| {
            options.history_size = 1;
            options.history_ttl = Millis::from_secs(60);
            options.force_recovery = true;
            options.force_recovery_mode = gyre_config::channel::RecoveryMode::Cache;
            options.auto_cache_recover = true;
            options.cache_empty_proxy_enabled = true;
        }),
        ("seen", |options| options.state_proxy_enabled = true),
    ];
    for (name, edit) in namespaces {
        let mut namespace = Namespace {
            name: name.to_owned(),
            ..Namespace::default()
        };
        namespace.options.allow_subscribe_for_client = true;
        namespace.options.allow_subscribe_for_anonymous = true;
        edit(&mut namespace.options);
        config.channel.namespaces.push(namespace);
    }
    config
}

/// One WebSocket connection.
pub(crate) struct Client {
    socket: TcpStream,
    last_id: u64,
    /// Messages that came and were not taken.
    waiting: Vec<Value>,
}

impl Client {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = "GET /connection/websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(socket.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
        Self {
            socket,
            last_id: 0,
            waiting: Vec::new(),
        }
    }

    /// Sends a command and waits for its reply; pushes before it are dropped.
    pub(crate) async fn ask(&mut self, command: Value) -> Value {
        let id = self.send(command).await;
        self.reply(id).await
    }

    /// Sends a command; gives its id.
    pub(crate) async fn send(&mut self, mut command: Value) -> u64 {
        self.last_id += 1;
        command["id"] = self.last_id.into();
        let text = command.to_string();
        let len = u16::try_from(text.len()).unwrap();
        // Masked with zeros, which leaves it as it is.
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend_from_slice(&len.to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        self.socket.write_all(&frame).await.unwrap();
        self.last_id
    }

    pub(crate) async fn reply(&mut self, id: u64) -> Value {
        loop {
            let message = self.next().await;
            if message["id"] == id {
                return message;
            }
        }
    }

    async fn next(&mut self) -> Value {
        while self.waiting.is_empty() {
            let read = self.read_frame();
            let text = timeout(Duration::from_secs(20), read).await.unwrap();
            let messages = text.lines().map(|line| serde_json::from_str(line).unwrap());
            self.waiting.extend(messages);
        }
        self.waiting.remove(0)
    }

    async fn read_frame(&mut self) -> String {
        let opcode = self.socket.read_u8().await.unwrap();
        let len = match self.socket.read_u8().await.unwrap() {
            126 => usize::from(self.socket.read_u16().await.unwrap()),
            len => usize::from(len),
        };
        let mut payload = vec![0; len];
        self.socket.read_exact(&mut payload).await.unwrap();
        assert_eq!(opcode, 0x81, "{}", String::from_utf8_lossy(&payload));
        String::from_utf8(payload).unwrap()
    }
}
