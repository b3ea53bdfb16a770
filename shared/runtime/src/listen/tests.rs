//! Real sockets on port 0.

mod bodies;
mod http2_claims;
mod tls;

use std::convert::Infallible;
use std::error::Error as StdError;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use gyre_telemetry::Registry;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

use super::*;
use crate::{Identity, Stopped};

type Outcome = Result<(), Box<dyn StdError>>;

const GRACE: Duration = Duration::from_secs(5);
const HELLO: &[u8] = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
const GRAB: &[u8] = b"GET /grab?a=1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\nframe";

/// A server with a route, a gRPC service and an intercept on one address.
struct Bench {
    address: SocketAddr,
    parts: Parts,
    taken: mpsc::Receiver<Taken>,
    /// Lets the request to `/held` go on.
    release: Arc<Notify>,
    /// Told when a request to `/held` or `/refused` has begun.
    begun: Arc<Notify>,
}

struct Grab(mpsc::Sender<Taken>);

impl Intercept for Grab {
    fn claims(&self, head: &Head) -> bool {
        head.path() == "/grab"
    }

    fn take(self: Arc<Self>, connection: Taken) {
        drop(self.0.try_send(connection));
    }
}

impl Bench {
    fn start() -> Result<Self, Box<dyn StdError>> {
        Self::with(None)
    }

    fn with(tls: Option<crate::tls::Tls>) -> Result<Self, Box<dyn StdError>> {
        let (sender, taken) = mpsc::channel(1);
        let (release, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let parts = Parts::new(Registry::new("gyre")?, Identity::new("test", "0"));
        let given = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut listeners = Listeners::bind([given, given], &parts.registry)?;
        let site = listeners.at(given);
        site.route(routes(Arc::clone(&release), Arc::clone(&begun)));
        site.grpc(Router::new().route("/svc/call", post(async || "grpc")));
        site.intercept(Arc::new(Grab(sender)));
        site.tunnels();
        if let Some(tls) = tls {
            site.tls(tls);
        }
        let bound: Vec<_> = listeners.addresses().collect();
        assert_eq!(bound.len(), 1, "the same address twice is one socket");
        listeners.run(&parts)?;
        Ok(Self {
            address: bound[0].1,
            parts,
            taken,
            release,
            begun,
        })
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.address).await
    }

    /// Everything that is answered to these bytes until the server closes.
    async fn say(&self, bytes: &[u8]) -> io::Result<String> {
        let mut stream = self.connect().await?;
        stream.write_all(bytes).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    async fn take(&mut self) -> Result<Taken, Box<dyn StdError>> {
        Ok(self.taken.recv().await.ok_or("nothing was taken")?)
    }

    fn counted(&self, line: &str) -> bool {
        let text = self.parts.registry.encode().unwrap_or_default();
        text.contains(line)
    }
}

fn routes(release: Arc<Notify>, begun: Arc<Notify>) -> Router {
    let refuses = Arc::clone(&begun);
    let refused = async move || {
        refuses.notify_one();
        StatusCode::FORBIDDEN
    };
    let held = async move || {
        begun.notify_one();
        release.notified().await;
        "held"
    };
    let panics = async || -> &'static str { panic!("for the test") };
    let long = async || "x".repeat(8 * 1024 * 1024);
    Router::new()
        .route("/hello", get(async || "hello"))
        .route("/held", get(held))
        .route("/refused", post(refused))
        .route("/panics", get(panics))
        .route("/long", get(long))
        .route("/echo", post(async |body: Bytes| body))
}

/// Reads one answer with a content length; the connection stays open.
async fn answer(stream: &mut TcpStream) -> Result<String, Box<dyn StdError>> {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        text.push(char::from(stream.read_u8().await?));
    }
    let lower = text.to_lowercase();
    let len = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; len.unwrap_or("0").parse()?];
    stream.read_exact(&mut body).await?;
    Ok(text + &String::from_utf8(body)?)
}

#[tokio::test]
async fn a_claimed_first_request_brings_its_stream_and_what_came_after_it() -> Outcome {
    let mut bench = Bench::start()?;
    let mut client = bench.connect().await?;
    client.write_all(GRAB).await?;

    let mut taken = bench.take().await?;
    assert_eq!(taken.head.path(), "/grab");
    assert_eq!(taken.head.query(), "a=1");
    assert_eq!(&taken.rest[..], b"frame");
    assert_eq!(taken.peer, client.local_addr()?);
    assert!(matches!(&taken.stream, Stream::Plain(stream) if stream.nodelay()?));

    taken.stream.write_all(b"mine").await?;
    let mut answer = [0; 4];
    client.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"mine");
    Ok(())
}

#[tokio::test]
async fn a_head_may_come_in_pieces() -> Outcome {
    let mut bench = Bench::start()?;
    let mut client = bench.connect().await?;
    for byte in GRAB {
        client.write_all(&[*byte]).await?;
        tokio::task::yield_now().await;
    }
    let taken = bench.take().await?;
    assert_eq!(taken.head.headers.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_later_request_is_claimed_off_a_kept_connection() -> Outcome {
    let mut bench = Bench::start()?;
    let mut client = bench.connect().await?;
    for _ in 0..2 {
        client.write_all(HELLO).await?;
        assert!(answer(&mut client).await?.ends_with("hello"));
    }
    client.write_all(GRAB).await?;

    let mut taken = bench.take().await?;
    assert_eq!(taken.head.query(), "a=1");
    assert_eq!(&taken.rest[..], b"frame");
    taken.stream.write_all(b"mine").await?;
    let mut first = [0; 4];
    client.read_exact(&mut first).await?;
    assert_eq!(&first, b"mine", "nothing of hyper's is in between");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_claim_waits_until_earlier_answers_are_written() -> Outcome {
    let mut bench = Bench::start()?;
    let mut client = bench.connect().await?;
    client
        .write_all(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        .await?;
    client.readable().await?;
    client.write_all(GRAB).await?;
    // Time moves on once the server has done what it can.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(bench.taken.try_recv().is_err(), "the answer is stuck");

    let read = answer(&mut client).await?;
    assert!(read.ends_with(&"x".repeat(1024)));
    let mut taken = bench.take().await?;
    assert_eq!(&taken.rest[..], b"frame");
    taken.stream.write_all(b"mine").await?;
    let mut after = [0; 4];
    client.read_exact(&mut after).await?;
    assert_eq!(&after, b"mine");
    Ok(())
}

#[tokio::test]
async fn a_claimed_post_keeps_its_body() -> Outcome {
    let mut bench = Bench::start()?;
    let mut client = bench.connect().await?;
    client.write_all(HELLO).await?;
    answer(&mut client).await?;
    client
        .write_all(b"POST /grab HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        .await?;
    let mut taken = bench.take().await?;
    client.write_all(b"def").await?;
    let mut rest = [0; 3];
    taken.stream.read_exact(&mut rest).await?;
    assert_eq!((&taken.rest[..], &rest), (&b"abc"[..], b"def"));
    Ok(())
}

#[tokio::test]
async fn http2_with_prior_knowledge_shares_the_port_with_grpc() -> Outcome {
    let bench = Bench::start()?;
    let io = TokioIo::new(bench.connect().await?);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
    bench.parts.tasks.spawn("client", OnExit::Ignore, async {
        drop(connection.await);
    });

    let request = Request::get("http://x/hello").body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    assert_eq!(response.version(), Version::HTTP_2);
    assert_eq!(response.collect().await?.to_bytes(), "hello");

    let call = Request::post("http://x/svc/call").header("content-type", "application/grpc+proto");
    let response = sender.send_request(call.body(Empty::new())?).await?;
    assert_eq!(response.collect().await?.to_bytes(), "grpc");

    let plain = Request::post("http://x/svc/call").body(Empty::new())?;
    let response = sender.send_request(plain).await?;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_is_answered_408_and_a_silent_peer_is_left() -> Outcome {
    let bench = Bench::start()?;
    let begun = tokio::time::Instant::now();
    let answer = bench.say(b"GET /hello HTTP/1.1\r\nHo").await?;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert!(bench.counted("gyre_listener_refused_total{reason=\"timeout\"} 1"));

    assert_eq!(bench.say(b"").await?, "");
    Ok(())
}

#[tokio::test]
async fn a_head_has_a_limit() -> Outcome {
    let bench = Bench::start()?;
    let start = b"GET /hello HTTP/1.1\r\nA: ".to_vec();
    let with = |len: usize| {
        let mut head = start.clone();
        head.resize(len - 4, b'a');
        head.extend_from_slice(b"\r\n\r\n");
        head
    };
    let answer_over = bench.say(&with(head::BYTES_MAX + 1)).await?;
    assert!(answer_over.starts_with("HTTP/1.1 431 "), "{answer_over}");
    assert!(bench.counted("gyre_listener_refused_total{reason=\"too_large\"} 1"));

    let mut client = bench.connect().await?;
    client.write_all(&with(head::BYTES_MAX)).await?;
    assert!(answer(&mut client).await?.starts_with("HTTP/1.1 200 "));
    Ok(())
}

#[tokio::test]
async fn garbage_is_answered_400() -> Outcome {
    let bench = Bench::start()?;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"hello\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ] {
        let answer = bench.say(garbage).await?;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert!(bench.counted("gyre_listener_refused_total{reason=\"malformed\"} 3"));
    Ok(())
}

#[tokio::test]
async fn a_drain_finishes_requests_and_takes_no_more() -> Outcome {
    let bench = Bench::start()?;
    let mut idle = bench.connect().await?;
    idle.write_all(HELLO).await?;
    answer(&mut idle).await?;
    let mut fresh = bench.connect().await?;
    let mut busy = bench.connect().await?;
    busy.write_all(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        .await?;
    bench.begun.notified().await;

    bench.parts.tasks.drain().begin();
    assert_eq!(idle.read(&mut [0; 1]).await?, 0, "idle connections end");
    assert_eq!(fresh.read(&mut [0; 1]).await?, 0, "so do unused ones");
    assert!(bench.connect().await.is_err(), "nobody listens any more");

    bench.release.notify_one();
    let answer = answer(&mut busy).await?;
    assert!(
        answer.to_lowercase().contains("\r\nconnection: close\r\n"),
        "{answer}"
    );
    assert!(answer.ends_with("held"));
    assert_eq!(bench.parts.tasks.stop(GRACE).await, Stopped::Clean);
    Ok(())
}

#[tokio::test]
async fn a_drain_finishes_http2_requests() -> Outcome {
    let bench = Bench::start()?;
    let io = TokioIo::new(bench.connect().await?);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
    let (closed, when_closed) = tokio::sync::oneshot::channel();
    let client = crate::Tasks::default();
    client.spawn("client", OnExit::Ignore, async {
        drop(closed.send(connection.await));
    });
    let request = Request::get("http://x/held").body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request);
    let release = async {
        bench.begun.notified().await;
        bench.parts.tasks.drain().begin();
        bench.release.notify_one();
    };
    let (response, ()) = tokio::join!(response, release);
    assert_eq!(response?.collect().await?.to_bytes(), "held");
    when_closed.await??;
    assert_eq!(bench.parts.tasks.stop(GRACE).await, Stopped::Clean);
    Ok(())
}

#[tokio::test]
async fn a_drain_does_not_wait_for_an_http2_peer_that_is_silent() -> Outcome {
    let bench = Bench::start()?;
    let mut client = bench.connect().await?;
    let no_settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    client
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await?;
    client.write_all(&no_settings).await?;
    let mut head = [0; 9];
    client.read_exact(&mut head).await?;
    assert_eq!(head[3], 4, "the server's settings");
    tokio::time::pause();
    let stopped = bench.parts.tasks.stop(6 * GRACE).await;
    assert_eq!(stopped, Stopped::Clean);
    Ok(())
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_connection_goes_on() -> Outcome {
    let bench = Bench::start()?;
    let mut client = bench.connect().await?;
    client
        .write_all(b"GET /panics HTTP/1.1\r\nHost: x\r\n\r\n")
        .await?;
    assert!(answer(&mut client).await?.starts_with("HTTP/1.1 500 "));
    client.write_all(HELLO).await?;
    assert!(answer(&mut client).await?.ends_with("hello"));
    assert!(bench.counted("gyre_listener_panics_total 1"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_a_while() -> Outcome {
    let bench = Bench::start()?;
    let mut client = bench.connect().await?;
    client.write_all(HELLO).await?;
    answer(&mut client).await?;
    let begun = tokio::time::Instant::now();
    assert_eq!(client.read(&mut [0; 1]).await?, 0);
    assert!((90..=110).contains(&begun.elapsed().as_secs()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_take_its_time() -> Outcome {
    let bench = Bench::start()?;
    let mut client = bench.connect().await?;
    client
        .write_all(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        .await?;
    bench.begun.notified().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    bench.release.notify_one();
    assert!(answer(&mut client).await?.ends_with("held"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_left() -> Outcome {
    let bench = Bench::start()?;
    let mut client = bench.connect().await?;
    client
        .write_all(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        .await?;
    let begun = tokio::time::Instant::now();
    // Far less than the answer comes out: the rest never had room.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut read = Vec::new();
    let ended = client.read_to_end(&mut read).await;
    assert!(ended.is_err() || read.len() < 8 * 1024 * 1024);
    assert_eq!(begun.elapsed().as_secs(), 60);
    Ok(())
}

#[tokio::test]
async fn what_was_sent_is_answered_though_the_peer_ends_its_side() -> Outcome {
    let bench = Bench::start()?;
    let mut client = bench.connect().await?;
    client.write_all(HELLO).await?;
    client.shutdown().await?;
    let mut read = String::new();
    client.read_to_string(&mut read).await?;
    assert!(read.ends_with("hello"), "{read}");
    Ok(())
}

#[tokio::test]
async fn a_site_needs_a_socket() -> Outcome {
    let parts = Parts::new(Registry::new("gyre")?, Identity::new("test", "0"));
    let mut listeners = Listeners::bind([], &parts.registry)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    listeners.at(address);
    let error = listeners.run(&parts).err().ok_or("ran")?;
    assert!(matches!(error, Error::NotBound(given) if given == address));
    Ok(())
}

#[tokio::test]
async fn operators_are_answered_in_every_phase() -> Outcome {
    use tower::ServiceExt;
    let parts = Parts::new(Registry::new("gyre")?, Identity::new("test", "0"));
    parts.registry.add_process("0")?;
    let counter = crate::layers::RequestCounter::new(&parts.registry)?;
    let routes = crate::admin::health("/health", &parts);
    let routes = counter.around(routes.merge(crate::admin::prometheus("/metrics", &parts)));
    let ask = async |path: &str| -> Result<(u16, String), Box<dyn StdError>> {
        let request = Request::get(path).body(axum::body::Body::empty())?;
        let response = match routes.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never as Infallible {},
        };
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8(body.to_vec())?))
    };

    let starting = "{\"ready\":false,\"reason\":\"starting\"}";
    assert_eq!(ask("/ready").await?, (503, starting.to_owned()));
    parts.readiness.set_ready();
    assert_eq!(ask("/ready").await?, (200, "{\"ready\":true}".to_owned()));
    parts.tasks.drain().begin();
    let draining = "{\"ready\":false,\"reason\":\"draining\"}";
    assert_eq!(ask("/ready").await?, (503, draining.to_owned()));
    assert_eq!(ask("/health").await?, (200, "{}".to_owned()));

    let (_, metrics) = ask("/metrics").await?;
    let counted =
        "gyre_node_incoming_http_requests_total{method=\"get\",path=\"/ready\",status=\"503\"} 2";
    assert!(metrics.contains(counted), "{metrics}");
    assert!(metrics.contains("gyre_node_build{version=\"0\"} 1"));
    Ok(())
}
