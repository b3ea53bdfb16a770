//! A client whose socket was full gets what waited meanwhile, though nothing new comes for it.

use std::net::SocketAddr;
use std::time::Duration;

use gyre_config::{ByteSize, Config, Millis};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::Served;

/// Together far more than the buffers of two sockets hold: 4 MiB of the server's as Linux has it, and
/// [`READ_BUFFER`] of the client's.
const COUNT: usize = 250;
const DATA_BYTES: usize = 64 * 1024;

const READ_BUFFER: u32 = 64 * 1024;

/// Turns of the thread after each: the server has written what the socket takes.
const TURNS: usize = 20;

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn what_waited_while_the_socket_was_full_comes_when_it_is_not() {
    for path in ["uni_websocket", "uni_sse"] {
        let served = serve();
        let mut client = open(served.address, path).await;
        let mut got = Vec::new();
        while !contains(&got, b"connect") {
            assert!(client.read_buf(&mut got).await.unwrap() > 0);
        }
        let padding = "x".repeat(DATA_BYTES);
        for n in 0..COUNT {
            let data = format!("{{\"padding\":\"{padding}\",{}}}", marker(n));
            served.publish("news", data.into());
            for _ in 0..TURNS {
                yield_now().await;
            }
        }
        let last = marker(COUNT - 1);
        let read = timeout(PATIENCE, async {
            while !contains(tail(&got, DATA_BYTES * 2), last.as_bytes()) {
                assert!(
                    client.read_buf(&mut got).await.unwrap() > 0,
                    "{path} closed"
                );
            }
        });
        assert!(read.await.is_ok(), "{path}: {} bytes came", got.len());
        assert!(got.len() > COUNT * DATA_BYTES, "{path} lost some");
        served.parts.tasks.stop(Duration::from_millis(1)).await;
    }
}

fn serve() -> Served {
    let mut config = Config::default();
    config.client.insecure = true;
    config.client.queue_max_size = ByteSize(-1);
    config.uni_sse.enabled = true;
    config.uni_websocket.enabled = true;
    config.uni_websocket.write_timeout = Millis::from_secs(60);
    Served::start(&config)
}

async fn open(address: SocketAddr, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(READ_BUFFER).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let connect = "cf_connect=%7B%22subs%22:%7B%22news%22:%7B%7D%7D%7D";
    let request = format!(
        "GET /connection/{path}?{connect} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

fn marker(n: usize) -> String {
    format!("\"number\":{n}")
}

fn tail(bytes: &[u8], len: usize) -> &[u8] {
    bytes.split_at(bytes.len().saturating_sub(len)).1
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
