//! A client over HTTP/2 that does not read for a while loses nothing: its library must not take what
//! waits for a flood.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use gyre_config::Config;
use gyre_proto::unistream::centrifugo_uni_stream_client::CentrifugoUniStreamClient;
use gyre_proto::unistream::{ConnectRequest, Push, SubscribeRequest};
use gyre_runtime::OnExit;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tonic::transport::Endpoint;
use tonic::{Status, Streaming};

use crate::Served;

/// Publications while the client does not read.
const COUNT: usize = 1_000;

/// The same where a client that takes nothing for a second is left: they have to fit its windows, and be
/// more than its library bears unpadded, which is 130.
const TEXTS: usize = 200;

/// Turns of the thread after each: the server has written and the client's library has read by then,
/// so that each travels alone.
const TURNS: usize = 300;

/// Windows of the client: those that the standard gives who asks for nothing. Unit: bytes.
const WINDOW: u32 = 65_535;

#[tokio::test]
async fn small_messages_wait_for_a_reader_that_pauses() {
    let got = Box::pin(read_late(false)).await.unwrap();
    assert_eq!(got, (0..COUNT).map(|n| n.to_string()).collect::<Vec<_>>());
}

/// The control: without padding the same client is cut off by its own library.
#[tokio::test]
async fn without_padding_the_reader_is_cut_off() {
    let status = Box::pin(read_late(true)).await.unwrap_err();
    let text = format!("{status:?}");
    assert!(text.contains("ENHANCE_YOUR_CALM"), "{text}");
}

/// The same over streams of text, whose padding nobody can take away.
#[tokio::test]
async fn small_texts_wait_for_a_reader_that_pauses() {
    for path in ["uni_sse", "uni_http_stream"] {
        let got = Box::pin(read_texts_late(path)).await;
        let expected = (0..TEXTS).map(|n| format!("\"data\":{n}"));
        for (n, expected) in expected.enumerate() {
            assert!(got.contains(&expected), "{path} lost {n}");
        }
    }
}

async fn read_texts_late(path: &str) -> String {
    let mut config = Config::default();
    config.client.insecure = true;
    config.uni_sse.enabled = true;
    config.uni_http_stream.enabled = true;
    let served = Served::start(&config);
    let stream = TcpStream::connect(served.address).await.unwrap();
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_connection_window_size(WINDOW)
        .initial_stream_window_size(WINDOW)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let tasks = &served.parts.tasks;
    tasks.spawn("client", OnExit::Ignore, async { drop(connection.await) });
    let request = Request::post(format!("http://x/connection/{path}"));
    let connect = Full::<Bytes>::from(r#"{"subs":{"news":{}}}"#);
    let response = sender.send_request(request.body(connect).unwrap());
    let mut body = response.await.unwrap().into_body();
    let mut got = String::new();
    while !got.contains("connect") {
        got.push_str(&text(&mut body).await);
    }
    publish(&served, TEXTS).await;
    let last = format!("\"data\":{}", TEXTS - 1);
    while !got.contains(&last) {
        got.push_str(&text(&mut body).await);
    }
    served.parts.tasks.stop(Duration::from_millis(1)).await;
    got
}

async fn text(body: &mut Incoming) -> String {
    let frame = body.frame().await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

/// Publishes so that each publication travels alone.
async fn publish(served: &Served, count: usize) {
    for n in 0..count {
        served.publish("news", n.to_string().into());
        for _ in 0..TURNS {
            yield_now().await;
        }
    }
}

/// What a client gets that begins to read when all has been published.
async fn read_late(disable_padding: bool) -> Result<Vec<String>, Status> {
    let mut config = Config::default();
    config.client.insecure = true;
    config.uni_grpc.disable_padding = disable_padding;
    let served = Served::start(&config);
    let mut stream = consume(served.address).await;
    let connect = stream.message().await?.unwrap().connect.unwrap();
    assert!(connect.subs.contains_key("news"));
    publish(&served, COUNT).await;
    let mut got = Vec::new();
    while got.len() < COUNT {
        let push = stream.message().await?.unwrap();
        let Some(publication) = push.r#pub else {
            continue; // A ping.
        };
        got.push(String::from_utf8(publication.data.to_vec()).unwrap());
    }
    served.parts.tasks.stop(Duration::from_millis(1)).await;
    Ok(got)
}

async fn consume(address: SocketAddr) -> Streaming<Push> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .initial_connection_window_size(WINDOW)
        .initial_stream_window_size(WINDOW);
    let mut client = CentrifugoUniStreamClient::new(endpoint.connect().await.unwrap());
    let request = ConnectRequest {
        subs: [("news".to_owned(), SubscribeRequest::default())].into(),
        ..ConnectRequest::default()
    };
    client.consume(request).await.unwrap().into_inner()
}
