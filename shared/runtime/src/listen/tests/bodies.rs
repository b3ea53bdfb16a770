//! Bodies of requests that are slow, or that nobody reads.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_refused() -> Outcome {
    let bench = Bench::start()?;
    let answer = bench
        .say(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
        .await?;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_body_that_nobody_reads_leaves_the_connection_whole() -> Outcome {
    let bench = Bench::start()?;
    let mut client = bench.connect().await?;
    let heads = [
        ("Content-Length: 6", "unread"),
        ("Content-Length: 100000", &*"x".repeat(100_000)),
        ("Transfer-Encoding: chunked", "6\r\nunread\r\n0\r\n\r\n"),
    ];
    for (length, body) in heads {
        let head = format!("POST /refused HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n");
        client.write_all(head.as_bytes()).await?;
        bench.begun.notified().await;
        client.write_all(body.as_bytes()).await?;
        let refusal = answer(&mut client).await?;
        assert!(refusal.starts_with("HTTP/1.1 403 "), "{refusal}");
        client.write_all(HELLO).await?;
        assert!(answer(&mut client).await?.ends_with("hello"));
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_not_sent_unasked_is_not_waited_for() -> Outcome {
    let bench = Bench::start()?;
    let head =
        b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n";
    let refusal = bench.say(head).await?.to_lowercase();
    assert!(refusal.starts_with("http/1.1 405 "), "{refusal}");
    assert!(refusal.contains("\r\nconnection: close\r\n"), "{refusal}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_body_that_has_no_end_is_not_waited_for() -> Outcome {
    let bench = Bench::start()?;
    for (length, body) in [("6", "un"), ("16777217", "")] {
        let request =
            format!("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}");
        let refusal = bench.say(request.as_bytes()).await?.to_lowercase();
        assert!(refusal.starts_with("http/1.1 405 "), "{refusal}");
        assert!(refusal.contains("\r\nconnection: close\r\n"), "{refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn over_http2_a_body_that_nobody_reads_is_taken() -> Outcome {
    let bench = Bench::start()?;
    let io = TokioIo::new(bench.connect().await?);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
    bench.parts.tasks.spawn("client", OnExit::Ignore, async {
        drop(connection.await);
    });
    let is_sent = Arc::new(AtomicBool::new(false));
    let (begun, sent) = (Arc::clone(&bench.begun), Arc::clone(&is_sent));
    // More than fits the window of a stream, and nothing of it before the handler has answered.
    let body = stream::unfold(0, move |number| {
        let (begun, sent) = (Arc::clone(&begun), Arc::clone(&sent));
        async move {
            if number == 0 {
                begun.notified().await;
            }
            sent.store(number == 64, Ordering::Relaxed);
            let frame = Frame::data(Bytes::from_static(&[b'x'; 64 * 1024]));
            (number < 64).then_some((Ok::<_, Infallible>(frame), number + 1))
        }
    });
    let request = Request::post("http://x/refused").body(StreamBody::new(Box::pin(body)))?;
    let response = sender.send_request(request).await?;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(is_sent.load(Ordering::Relaxed));
    Ok(())
}
