//! What an idle connection may keep, by transport: memory that was asked for and not given back.
//!
//! Tasks are larger in a build without optimization than in one that is shipped: what passes here
//! passes there. What the allocator adds is measured of a running server by `tests/memory/idle.py`.
//! Everything of the server runs on the test's thread, which counts; clients have threads of their own.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::any::Any;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use gyre_allocator::held;
use gyre_backend::Backends;
use gyre_config::Config;
use gyre_proto::centrifugal::centrifugo::unistream::{
    ConnectRequest, centrifugo_uni_stream_client::CentrifugoUniStreamClient,
};
use gyre_proto::gyre::client::v1::{
    Command, ConnectRequest as ClientRequest, client_service_client::ClientServiceClient,
};
use gyre_runtime::tls::{self, Source, Tls};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tonic::transport::Channel;

/// A stream over HTTP/1. Unit: bytes.
const STREAM_BYTES_MAX: isize = 4 * 1024;

/// A gRPC stream that has a connection for itself. Unit: bytes.
const ALONE_BYTES_MAX: isize = 40 * 1024;

/// A gRPC stream that shares its connection with others. Unit: bytes.
const SHARING_BYTES_MAX: isize = 4 * 1024;

/// What TLS adds to a connection. Unit: bytes.
const TLS_BYTES_MAX: isize = 9 * 1024;

/// Connections that are not counted: they fill what all have in common.
const WARM_UP: usize = 5;

/// Connections that are counted.
const COUNTED: usize = 20;

/// Streams on a shared connection.
const SHARING: usize = 100;

/// Turns of the thread until nothing is left to be done.
const TURNS: usize = 1_000;

/// A client's end, which is open as long as it is kept.
type Client = Box<dyn Any + Send>;

const SSE: &str = "GET /connection/sse?cf_connect=%7B%22id%22:1,%22connect%22:%7B%7D%7D HTTP/1.1\r\n\
                   Host: localhost\r\n\r\n";

const HTTP_STREAM: &str = "POST /connection/http_stream HTTP/1.1\r\nHost: localhost\r\n\
                           Content-Length: 21\r\n\r\n{\"id\":1,\"connect\":{}}";

const UNI_SSE: &str = "GET /connection/uni_sse HTTP/1.1\r\nHost: localhost\r\n\r\n";

const UNI_HTTP_STREAM: &str = "POST /connection/uni_http_stream HTTP/1.1\r\nHost: localhost\r\n\
                               Content-Length: 2\r\n\r\n{}";

#[test]
fn a_stream_over_http1_keeps_little() {
    for request in [SSE, HTTP_STREAM, UNI_SSE, UNI_HTTP_STREAM] {
        let bytes = bytes_each(None, move |address| over_http1(address, request));
        println!("{bytes} bytes: {}", request.lines().next().unwrap());
        assert!(bytes <= STREAM_BYTES_MAX);
    }
}

#[test]
fn tls_adds_little() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cert = made.cert.pem();
    let source = Source {
        cert_pem: cert.clone(),
        key_pem: made.signing_key.serialize_pem(),
        client_ca_pem: String::new(),
    };
    let plain = bytes_each(None, |address| over_http1(address, SSE));
    let tls = Tls::new(source).unwrap();
    let secured = bytes_each(Some(tls), move |address| over_tls(address, &cert, SSE));
    println!("{} bytes", secured - plain);
    assert!(secured - plain <= TLS_BYTES_MAX);
}

#[test]
fn a_grpc_stream_alone_keeps_what_http2_needs() {
    for open in [consume, connect] {
        let bytes = bytes_each(None, move |address| open(address, 1));
        println!("{bytes} bytes");
        assert!(bytes <= ALONE_BYTES_MAX);
    }
}

#[test]
fn grpc_streams_that_share_a_connection_keep_little() {
    for open in [consume, connect] {
        let bytes = bytes_each(None, move |address| open(address, SHARING));
        let each = bytes / isize::try_from(SHARING).unwrap();
        println!("{each} bytes");
        assert!(each <= SHARING_BYTES_MAX);
    }
}

// === the server ===

/// What a connection keeps once it is idle. Unit: bytes.
fn bytes_each(
    tls: Option<Tls>,
    open: impl Fn(SocketAddr) -> Client + Clone + Send + 'static,
) -> isize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (bytes, _clients) = runtime.block_on(async {
        let mut config = Config::default();
        config.client.insecure = true;
        config.sse.enabled = true;
        config.http_stream.enabled = true;
        config.uni_sse.enabled = true;
        config.uni_http_stream.enabled = true;
        let parts = common::parts();
        let backends = Backends::build(&config, &parts, None).unwrap();
        let (gateway, _delivery, _engine) = common::build(&config, &parts, backends, None);
        let address = common::listen(gateway, &parts, |gateway, site| {
            site.intercept(gateway.uni_grpc(&config.uni_grpc));
            site.intercept(gateway.client_grpc(&config.client_grpc));
            if let Some(tls) = tls {
                site.tls(tls);
            }
        });
        let uncounted = opened(WARM_UP, address, open.clone()).await;
        let before = held();
        let counted = opened(COUNTED, address, open).await;
        let bytes = (held() - before) / isize::try_from(COUNTED).unwrap();
        parts.tasks.stop(Duration::from_millis(1)).await;
        (bytes, (uncounted, counted))
    });
    bytes
}

/// So many clients, once the server has nothing left to do for them.
async fn opened(
    count: usize,
    address: SocketAddr,
    open: impl Fn(SocketAddr) -> Client + Send + 'static,
) -> Vec<Client> {
    let (done, opened) = oneshot::channel();
    thread::spawn(move || {
        let clients = (0..count).map(|_| open(address)).collect::<Vec<_>>();
        // A test that has failed needs none.
        drop(done.send(clients));
    });
    let clients = opened.await.unwrap();
    for _ in 0..TURNS {
        yield_now().await;
    }
    clients
}

// === clients, each of which has got its answer ===

fn over_http1(address: SocketAddr, request: &str) -> Client {
    let mut stream = TcpStream::connect(address).unwrap();
    converse(&mut stream, request);
    Box::new(stream)
}

fn over_tls(address: SocketAddr, cert: &str, request: &str) -> Client {
    let config = tls::client_trusting("cert", cert).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(config, name).unwrap();
    let mut stream = StreamOwned::new(session, TcpStream::connect(address).unwrap());
    converse(&mut stream, request);
    Box::new(stream)
}

fn converse(stream: &mut (impl Read + Write), request: &str) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    while !answer.contains("\"client\"") {
        let mut read = [0; 1024];
        let len = stream.read(&mut read).unwrap();
        assert!(len > 0, "{answer}");
        answer.push_str(&String::from_utf8_lossy(read.get(..len).unwrap()));
    }
}

fn consume(address: SocketAddr, streams: usize) -> Client {
    calls(address, async move |channel| {
        let mut client = CentrifugoUniStreamClient::new(channel);
        let mut open = Vec::new();
        for _ in 0..streams {
            let answer = client.consume(ConnectRequest::default()).await;
            let mut pushes = answer.unwrap().into_inner();
            assert!(pushes.message().await.unwrap().unwrap().connect.is_some());
            open.push(pushes);
        }
        open
    })
}

fn connect(address: SocketAddr, streams: usize) -> Client {
    calls(address, async move |channel| {
        let mut client = ClientServiceClient::new(channel);
        let mut open = Vec::new();
        for _ in 0..streams {
            let command = Command {
                id: 1,
                connect: Some(ClientRequest::default()),
                ..Command::default()
            };
            let commands = stream::iter([command]).chain(stream::pending());
            let mut replies = client.connect(commands).await.unwrap().into_inner();
            assert!(replies.message().await.unwrap().unwrap().connect.is_some());
            open.push(replies);
        }
        open
    })
}

/// Calls on one connection, which rests in its runtime afterwards.
fn calls<T: Send + 'static>(
    address: SocketAddr,
    make: impl AsyncFnOnce(Channel) -> Vec<T>,
) -> Client {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let open = runtime.block_on(async {
        let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
        make(endpoint.connect().await.unwrap()).await
    });
    Box::new((open, runtime))
}
