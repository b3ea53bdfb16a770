//! A server that sends every message back, on the gateway's own WebSocket codec: what test suites of
//! the WebSocket protocol want to talk to. `tests/autobahn/run.sh` starts it.
//!
//!     cargo run --release --package gyre-gateway --example echo -- 127.0.0.1:9001
//!
//! Without an address it takes a free port of loopback. The first line that it prints is its URL.

#![expect(
    clippy::print_stdout,
    reason = "who starts it reads the address from standard output"
)]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use gyre_gateway::websocket::{Compression, Origins, Settings, Upgrade, WebSocket};
use gyre_runtime::{Head, Identity, Intercept, Listeners, OnExit, Parts, Stream, Taken, Tasks};
use gyre_telemetry::Registry;
use tokio::io::AsyncWriteExt as _;

/// Longest message. Unit: bytes. 16 MiB: the longest that suites send.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a connection is closed with unless the client has said why already: normal closure.
const NORMAL: u16 = 1000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address: SocketAddr = address.as_deref().unwrap_or("127.0.0.1:0").parse()?;
    let parts = Parts::new(Registry::new("echo")?, Identity::new("echo", "0"));
    let mut listeners = Listeners::bind([address], &parts.registry)?;
    for (_, bound) in listeners.addresses() {
        println!("ws://{bound}");
    }
    let echo = Echo {
        tasks: parts.tasks.clone(),
        origins: Origins::new(&["*"])?,
        settings: Arc::new(Settings {
            message_bytes_max: MESSAGE_BYTES_MAX,
            inflated_bytes_max: MESSAGE_BYTES_MAX,
            ..Settings::default()
        }),
    };
    listeners.at(address).intercept(Arc::new(echo));
    listeners.run(&parts)?;
    std::future::pending().await
}

struct Echo {
    tasks: Tasks,
    origins: Origins,
    settings: Arc<Settings>,
}

impl Intercept for Echo {
    fn claims(&self, _head: &Head) -> bool {
        true
    }

    fn take(self: Arc<Self>, connection: Taken) {
        let tasks = self.tasks.clone();
        tasks.spawn("echo", OnExit::Ignore, async move {
            // An error means that the client is gone.
            let _ = self.serve(connection).await;
        });
    }
}

impl Echo {
    async fn serve(&self, connection: Taken) -> std::io::Result<()> {
        let Taken {
            mut stream,
            head,
            responder,
            rest,
            ..
        } = connection;
        let upgrade = Upgrade {
            method: &head.method,
            version: head.version,
            headers: &head.headers,
            query: head.query(),
        };
        let accepted = match upgrade.accept(&self.origins, Compression::Deflate) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                let refused = refusal.response().map(drop);
                return stream.write_all(&responder.begin(refused)).await;
            }
        };
        let settings = Arc::clone(&self.settings);
        let head = responder.begin(accepted.response());
        let compression = accepted.compression();
        let socket = WebSocket::accept(stream, &head, compression, &rest, settings)?;
        echo(socket).await
    }
}

/// Sends back what comes until the client has closed or broken the protocol.
async fn echo(mut socket: WebSocket<Stream>) -> std::io::Result<()> {
    let mut messages = Vec::new();
    while socket.read(&mut messages).await.is_ok() {
        for message in messages.drain(..) {
            socket.write(|frames| frames.message(message.kind, &[message.bytes], None))?;
            socket.flush().await?;
        }
    }
    socket.close(NORMAL, "").await;
    Ok(())
}
