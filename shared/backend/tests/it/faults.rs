//! Backends over HTTP that misbehave: the error that is documented, in time, in bounded memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gyre_backend::CallError;
use gyre_config::{ByteSize, Millis};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::backend::{Reply, Script, Server, Serving, read_request, write_all_that_goes};
use crate::world::{name, proxy, rpc};

/// The deadline of these tests' calls, and how late a call may be told of it.
const DEADLINE: Millis = Millis(1_000);
const LATE: Duration = Duration::from_secs(10);

/// Calls a backend once; the error's name and how long it took.
async fn call(serve: impl Fn(TcpStream) -> Serving + Send + 'static) -> (&'static str, Duration) {
    let server = Server::raw(serve).await;
    let (proxy, _parts) = proxy(&server.url("/"), |options| options.timeout = DEADLINE);
    let started = Instant::now();
    let outcome = rpc(&proxy).await;
    (name(&outcome), started.elapsed())
}

/// Answers every request with these bytes and closes.
fn answers(bytes: &'static [u8]) -> impl Fn(TcpStream) -> Serving + Send + 'static {
    move |mut stream| {
        Box::pin(async move {
            read_request(&mut stream).await;
            write_all_that_goes(&mut stream, bytes).await;
        })
    }
}

#[tokio::test]
async fn what_is_no_answer_of_http_is_unreachable_at_once() {
    let broken: [&[u8]; 9] = [
        b"",
        b"\0\x01\x02garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"result\":{}}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200",
    ];
    for bytes in broken {
        let (name, took) = call(answers(bytes)).await;
        assert_eq!(name, "unreachable", "{}", String::from_utf8_lossy(bytes));
        assert!(took < LATE);
    }
}

#[tokio::test]
async fn a_reset_is_unreachable_at_once() {
    let (name, _) = call(|mut stream| {
        Box::pin(async move {
            read_request(&mut stream).await;
            // Closed with bytes unsaid, a socket sends a reset.
            stream.set_zero_linger().unwrap();
        })
    })
    .await;
    assert_eq!(name, "unreachable");
}

#[tokio::test]
async fn nobody_there_is_unreachable_at_once() {
    let server = Server::raw(|_| Box::pin(async {})).await;
    let url = server.url("/");
    server.kill().await;
    let (proxy, parts) = proxy(&url, |_| {});
    let outcome = rpc(&proxy).await;
    assert!(
        matches!(outcome, Err(CallError::Unreachable(_))),
        "{outcome:?}"
    );
    let count = |kind: &str| {
        let name = format!("proxy_{kind}{{name=\"default\",protocol=\"http\",type=\"rpc\"}}");
        crate::world::metric(&parts, &name)
    };
    assert_eq!(count("errors"), Some(1.0));
    assert_eq!(count("duration_seconds_histogram_count"), Some(1.0));
    assert_eq!(count("inflight_requests"), Some(0.0));
}

#[tokio::test]
async fn a_backend_that_hangs_costs_the_deadline() {
    let (name, took) = call(|stream| {
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
}

#[tokio::test]
async fn an_answer_byte_by_byte_costs_the_deadline() {
    let (name, took) = call(|mut stream| {
        Box::pin(async move {
            read_request(&mut stream).await;
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
            stream.write_all(head).await.unwrap();
            let mut beat = tokio::time::interval(Duration::from_millis(5));
            loop {
                beat.tick().await;
                if stream.write_all(b" ").await.is_err() {
                    return;
                }
            }
        })
    })
    .await;
    assert_eq!(name, "timeout");
    assert!(took < LATE, "{took:?}");
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_read_up_to_the_limit() {
    const LIMIT: usize = 100_000;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let server = Server::raw(move |mut stream| {
        let count = Arc::clone(&count);
        Box::pin(async move {
            read_request(&mut stream).await;
            let body = vec![b' '; 100_000_000];
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            count.store(
                write_all_that_goes(&mut stream, &body).await,
                Ordering::SeqCst,
            );
        })
    })
    .await;
    let (proxy, _parts) = proxy(&server.url("/"), |options| {
        options.max_response_size = ByteSize(i64::try_from(LIMIT).unwrap());
    });
    let outcome = rpc(&proxy).await;
    assert!(
        matches!(outcome, Err(CallError::TooLong(LIMIT))),
        "{outcome:?}"
    );
    // What the kernel's buffers take is all that the backend gets rid of besides.
    while sent.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert!(sent.load(Ordering::SeqCst) < 20_000_000, "{sent:?}");
}

#[tokio::test]
async fn an_answer_as_long_as_allowed_is_read() {
    let body = format!("{{\"result\":{{\"data\":\"{}\"}}}}", "x".repeat(1000));
    let script = Script::new({
        let body = body.clone();
        move |_| Reply::json(&body)
    });
    let server = Server::http(&script).await;
    for (limit, expected) in [(0, "result"), (-1, "too_long")] {
        let limit = i64::try_from(body.len()).unwrap() + limit;
        let (proxy, _parts) = proxy(&server.url("/"), |options| {
            options.max_response_size = ByteSize(limit);
        });
        assert_eq!(name(&rpc(&proxy).await), expected);
    }
}

#[tokio::test]
async fn statuses_without_a_transform_and_bodies_of_another_form_are_errors() {
    let table = [
        (500, "oops", "status"),
        (404, "{}", "status"),
        (204, "", "status"),
        (201, "{\"result\":{}}", "status"),
        (302, "", "status"),
        (200, "", "malformed"),
        (200, "oops", "malformed"),
        (200, "[]", "malformed"),
        (200, "{\"result\":[]}", "malformed"),
        (200, "{\"result\":{\"b64data\":1}}", "malformed"),
        (200, "{\"error\":{\"code\":\"1\"}}", "malformed"),
        (200, "{\"error\":{\"code\":-1}}", "malformed"),
        (200, "{\"result\":{}} {}", "malformed"),
        (200, "{\"result\":{\"b64data\":\"%\"}}", "malformed"),
        (200, "{}", "result"),
        (200, "null", "result"),
        (200, "{\"other\":[{}],\"result\":{}}", "result"),
    ];
    for (status, body, expected) in table {
        let script = Script::new(move |_| Reply::Http(status, body.into()));
        let server = Server::http(&script).await;
        let (proxy, _parts) = proxy(&server.url("/"), |_| {});
        assert_eq!(name(&rpc(&proxy).await), expected, "{status} {body}");
    }
}

#[tokio::test]
async fn a_refusal_without_end_costs_the_deadline_and_no_memory() {
    let (name, took) = call(|mut stream| {
        Box::pin(async move {
            read_request(&mut stream).await;
            let head = b"HTTP/1.1 500 Oops\r\nContent-Length: 1000000000\r\n\r\n";
            stream.write_all(head).await.unwrap();
            while stream.write_all(&[b' '; 4096]).await.is_ok() {}
        })
    })
    .await;
    assert_eq!(name, "status", "65536 bytes of it are enough");
    assert!(took < LATE, "{took:?}");
}

#[tokio::test]
async fn a_backend_that_dies_and_comes_back_is_asked_again() {
    let script = Script::new(|_| Reply::json("{\"result\":{}}"));
    let server = Server::http(&script).await;
    let address = server.address;
    let (proxy, _parts) = proxy(&server.url("/"), |_| {});
    for _ in 0..3 {
        assert_eq!(name(&rpc(&proxy).await), "result");
    }
    assert_eq!(
        server.accepted.load(Ordering::SeqCst),
        1,
        "one connection is kept"
    );
    server.kill().await;
    for _ in 0..3 {
        assert_eq!(name(&rpc(&proxy).await), "unreachable");
    }
    let _server = Server::http_at(address, &script).await;
    assert_eq!(name(&rpc(&proxy).await), "result");
}
