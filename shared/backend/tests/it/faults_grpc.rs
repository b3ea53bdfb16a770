//! Backends over gRPC that misbehave.

use std::time::{Duration, Instant};

use bytes::Bytes;
use gyre_backend::CallError;
use gyre_config::{ByteSize, Millis};
use gyre_proto::proxy as pb;
use tokio::net::TcpStream;

use crate::backend::{Reply, Script, Server, Serving, write_all_that_goes};
use crate::world::{name, proxy, rpc};

const DEADLINE: Millis = Millis(1_000);
const LATE: Duration = Duration::from_secs(10);

/// Calls what does this with connections; the error's name and how long it took.
async fn raw(serve: impl Fn(TcpStream) -> Serving + Send + 'static) -> (&'static str, Duration) {
    let server = Server::raw(serve).await;
    let address = server.address.to_string();
    let (proxy, _parts) = proxy(&address, |options| options.timeout = DEADLINE);
    let started = Instant::now();
    let outcome = rpc(&proxy).await;
    (name(&outcome), started.elapsed())
}

/// Calls what answers so.
async fn call(reply: impl Fn() -> Reply + Send + Sync + 'static) -> &'static str {
    let script = Script::new(move |_| reply());
    let server = Server::http(&script).await;
    let address = server.address.to_string();
    let (proxy, _parts) = proxy(&address, |options| {
        options.timeout = DEADLINE;
        options.max_response_size = ByteSize(10_000);
    });
    name(&rpc(&proxy).await)
}

#[tokio::test]
async fn what_does_not_speak_http_2_is_unreachable_at_once() {
    let broken: [&'static [u8]; 3] = [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", &[0xff; 1000]];
    for bytes in broken {
        let (name, took) = raw(move |mut stream| {
            Box::pin(async move {
                write_all_that_goes(&mut stream, bytes).await;
            })
        })
        .await;
        assert_eq!(name, "unreachable");
        assert!(took < LATE);
    }
}

#[tokio::test]
async fn nobody_there_is_unreachable_at_once() {
    let server = Server::raw(|_| Box::pin(async {})).await;
    let address = server.address.to_string();
    server.kill().await;
    let (proxy, _parts) = proxy(&address, |_| {});
    assert_eq!(name(&rpc(&proxy).await), "unreachable");
}

#[tokio::test]
async fn one_that_hangs_costs_the_deadline() {
    let (name, took) = raw(|stream| {
        Box::pin(async move {
            let _stream = stream;
            std::future::pending::<()>().await;
        })
    })
    .await;
    assert_eq!(name, "timeout");
    assert!(
        took >= Duration::from_millis(1000) && took < LATE,
        "{took:?}"
    );
    assert_eq!(call(|| Reply::Hang).await, "timeout");
}

#[tokio::test]
async fn statuses_and_messages_of_another_form_are_errors() {
    let ok = pb::RpcResponse::default();
    assert_eq!(call(move || Reply::message(&ok)).await, "result");
    assert_eq!(call(|| Reply::Status(14)).await, "status");
    assert_eq!(call(|| Reply::Status(12)).await, "status");
    assert_eq!(call(|| Reply::Http(404, Bytes::new())).await, "status");
    assert_eq!(
        call(|| Reply::Status(0)).await,
        "status",
        "OK without a message"
    );
    // A field of another type, what is no message at all, what is longer than allowed: the library
    // makes statuses of them.
    for bytes in [vec![0x08, 1], vec![0xff; 20], vec![0; 20_000]] {
        let bytes = Bytes::from(bytes);
        assert_eq!(call(move || Reply::Grpc(bytes.clone())).await, "status");
    }
    assert_eq!(call(|| Reply::Bare(vec![9; 20].into())).await, "status");
}

#[tokio::test]
async fn one_that_dies_and_comes_back_is_asked_again() {
    let script = Script::new(|_| Reply::message(&pb::RpcResponse::default()));
    let server = Server::http(&script).await;
    let address = server.address;
    let (proxy, _parts) = proxy(&address.to_string(), |_| {});
    assert_eq!(name(&rpc(&proxy).await), "result");
    server.kill().await;
    assert_eq!(name(&rpc(&proxy).await), "unreachable");
    let _server = Server::http_at(address, &script).await;
    assert_eq!(name(&rpc(&proxy).await), "result");
}

#[tokio::test]
async fn what_the_backend_says_about_a_status_is_in_the_error() {
    let script = Script::new(|_| Reply::Status(7));
    let server = Server::http(&script).await;
    let (proxy, _parts) = proxy(&server.address.to_string(), |_| {});
    let error = rpc(&proxy).await.unwrap_err();
    let CallError::Grpc { code, message } = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (code, message.as_str()),
        (tonic::Code::PermissionDenied, "scripted")
    );
}
