//! What is a stream over HTTP/1 is one over HTTP/2, several of them on a connection.

use std::time::Duration;

use bytes::Bytes;
use gyre_config::Config;
use gyre_runtime::OnExit;
use http::{Method, Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Served;

type Sender = SendRequest<Full<Bytes>>;

const CONNECT: &str = r#"{"id":1,"connect":{}}"#;

fn config() -> Config {
    let mut config = Config::default();
    config.client.insecure = true;
    config.http_stream.enabled = true;
    config.sse.enabled = true;
    config.uni_sse.enabled = true;
    config
}

/// One connection.
async fn connect(served: &Served) -> Sender {
    let stream = TcpStream::connect(served.address).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    let tasks = &served.parts.tasks;
    tasks.spawn("client", OnExit::Ignore, async { drop(connection.await) });
    sender
}

async fn post(sender: &mut Sender, path: &str, body: String) -> Response<Incoming> {
    let request = Request::post(format!("http://x{path}"));
    let request = request.body(Full::from(body)).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    response
}

/// The texts of a stream, each of which ends with a line.
struct Texts {
    body: Incoming,
    read: String,
}

impl Texts {
    fn of(response: Response<Incoming>) -> Self {
        assert_eq!(response.status(), 200);
        assert!(response.headers().get("connection").is_none());
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self {
            body: response.into_body(),
            read: String::new(),
        }
    }

    /// The next message, in a line or in an event.
    async fn next(&mut self) -> Value {
        loop {
            while let Some((line, rest)) = self.read.split_once('\n') {
                let (line, rest) = (line.trim().to_owned(), rest.to_owned());
                self.read = rest;
                let line = line.strip_prefix("data: ").unwrap_or(&line);
                if line.starts_with('{') {
                    return serde_json::from_str(line).unwrap();
                }
            }
            let frame = self.body.frame().await.unwrap().unwrap();
            let data = frame.into_data().unwrap();
            self.read.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
}

/// Subscribes a stream to «news» through the emulation endpoint.
async fn subscribe(sender: &mut Sender, connect: &Value) {
    let name = |name: &str| connect.pointer(&format!("/connect/{name}")).unwrap();
    let (session, node) = (name("session"), name("node"));
    let command = Value::from(r#"{"id":2,"subscribe":{"channel":"news"}}"#);
    let body = format!(r#"{{"session":{session},"node":{node},"data":{command}}}"#);
    assert_eq!(post(sender, "/emulation", body).await.status(), 204);
}

#[tokio::test]
async fn streams_of_all_kinds_share_a_connection() {
    let served = Served::start(&config());
    let mut sender = connect(&served).await;
    let lines = post(&mut sender, "/connection/http_stream", CONNECT.to_owned()).await;
    let events = post(&mut sender, "/connection/sse", CONNECT.to_owned()).await;
    assert_eq!(
        events.headers()["content-type"],
        "text/event-stream; charset=utf-8"
    );
    for response in [lines, events] {
        let mut texts = Texts::of(response);
        let connected = texts.next().await;
        subscribe(&mut sender, &connected).await;
        assert_eq!(texts.next().await["id"], 2);
        served.publish("news", Bytes::from_static(b"1"));
        let push = texts.next().await;
        assert_eq!(push["push"]["pub"]["data"], 1);
    }
    let request = Request::get("http://x/connection/uni_sse?cf_connect={}");
    let request = request.body(Full::default()).unwrap();
    let mut texts = Texts::of(sender.send_request(request).await.unwrap());
    assert!(texts.next().await["connect"]["client"].is_string());
    drop(texts);

    let long = "x".repeat(70_000);
    let refused = post(&mut sender, "/connection/http_stream", long).await;
    assert_eq!(refused.status(), 413);
    served.parts.tasks.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_stream_that_the_client_drops_is_over() {
    let served = Served::start(&config());
    let mut sender = connect(&served).await;
    let response = post(&mut sender, "/connection/http_stream", CONNECT.to_owned()).await;
    let mut texts = Texts::of(response);
    texts.next().await;
    let inflight = || {
        let metrics = served.parts.registry.encode().unwrap();
        let name = "test_client_connections_inflight";
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u32>().ok())
            .sum::<u32>()
    };
    assert_eq!(inflight(), 1);
    drop(texts);
    while inflight() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_websocket_goes_through_a_tunnel() {
    let served = Served::start(&config());
    let mut sender = connect(&served).await;
    // The server's settings have come with the first answer.
    post(&mut sender, "/emulation", String::new()).await;
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri("http://x/connection/websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "centrifuge-json")
        .extension(Protocol::from_static("websocket"))
        .body(Full::default())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["sec-websocket-protocol"],
        "centrifuge-json"
    );
    let mut socket = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    let len = u8::try_from(CONNECT.len()).unwrap();
    let mut frame = vec![0x81, 0x80 | len, 0, 0, 0, 0];
    frame.extend_from_slice(CONNECT.as_bytes());
    socket.write_all(&frame).await.unwrap();
    let mut head = [0; 2];
    socket.read_exact(&mut head).await.unwrap();
    assert_eq!(head[0], 0x81);
    let mut reply = vec![0; usize::from(head[1])];
    if head[1] == 126 {
        let mut len = [0; 2];
        socket.read_exact(&mut len).await.unwrap();
        reply = vec![0; usize::from(u16::from_be_bytes(len))];
    }
    socket.read_exact(&mut reply).await.unwrap();
    let reply: Value = serde_json::from_slice(&reply).unwrap();
    assert!(reply["connect"]["client"].is_string(), "{reply}");

    // An unmasked frame is none of a client.
    socket.write_all(&[0x81, 0]).await.unwrap();
    let mut end = Vec::new();
    socket.read_to_end(&mut end).await.unwrap();
    assert_eq!(&end[..4], [0x88, end[1], 0x03, 0xea]);
}
