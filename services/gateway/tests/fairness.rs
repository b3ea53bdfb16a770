//! One client's commands leave the thread to others in between.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use gyre_backend::Backends;
use gyre_config::Config;
use gyre_runtime::Parts;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local, yield_now};

/// Commands of the one frame.
const COMMANDS: usize = 1_000;

/// Turns that others must get meanwhile: less than one for each 16 commands, whatever else happens.
const TURNS_MIN: usize = 40;

#[test]
fn a_frame_of_a_thousand_commands_lets_others_in_between() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let turns = runtime.block_on(LocalSet::new().run_until(turns_of_others()));
    assert!(turns >= TURNS_MIN, "{turns} turns");
}

/// How often another task of the same thread had its turn from the frame to its last answer.
async fn turns_of_others() -> usize {
    let (address, parts) = serve();
    let mut client = connect(address).await;
    let commands: Vec<String> = (0..COMMANDS)
        .map(|n| format!(r#"{{"id":{},"unsubscribe":{{"channel":"a"}}}}"#, n + 2))
        .collect();
    send(&mut client, &commands.join("\n")).await;
    let turns = Rc::new(Cell::new(0));
    let counted = Rc::clone(&turns);
    let other = spawn_local(async move {
        loop {
            counted.set(counted.get() + 1);
            yield_now().await;
        }
    });
    let last = format!(r#"{{"id":{},"#, COMMANDS + 1);
    let mut answers = Vec::new();
    while !contains(&answers, last.as_bytes()) {
        assert!(client.read_buf(&mut answers).await.unwrap() > 0);
    }
    other.abort();
    parts.tasks.stop(Duration::from_millis(1)).await;
    turns.get()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A gateway on the memory engine, listening on a free port.
fn serve() -> (SocketAddr, Parts) {
    let mut config = Config::default();
    config.client.insecure = true;
    let parts = common::parts();
    let backends = Backends::build(&config, &parts, None).unwrap();
    let (gateway, ..) = common::build(&config, &parts, backends, None);
    let address = common::listen(gateway, &parts, |_gateway, _site| {});
    (address, parts)
}

async fn connect(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = "GET /connection/websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    send(&mut client, r#"{"id":1,"connect":{}}"#).await;
    let mut answers = Vec::new();
    while !contains(&answers, br#"{"id":1,"#) {
        assert!(client.read_buf(&mut answers).await.unwrap() > 0);
    }
    client
}

/// Sends one text frame, masked with zeros, which leaves it as it is.
async fn send(client: &mut TcpStream, text: &str) {
    let len = u16::try_from(text.len()).unwrap();
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend_from_slice(&len.to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    client.write_all(&frame).await.unwrap();
}
