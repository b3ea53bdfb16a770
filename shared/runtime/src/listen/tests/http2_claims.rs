//! Requests over HTTP/2 that an intercept claims: of several on one connection.

use http::{HeaderMap, HeaderValue, Method, Response};
use http_body_util::Full;
use hyper::client::conn::http2::SendRequest;
use hyper::ext::Protocol;

use super::*;

type Sender = SendRequest<Full<Bytes>>;

async fn client(bench: &Bench) -> Result<Sender, Box<dyn StdError>> {
    let io = TokioIo::new(bench.connect().await?);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
    bench.parts.tasks.spawn("client", OnExit::Ignore, async {
        drop(connection.await);
    });
    Ok(sender)
}

fn request(path: &str, body: &'static str) -> Result<Request<Full<Bytes>>, http::Error> {
    let body = Full::new(Bytes::from_static(body.as_bytes()));
    Request::post(format!("http://x{path}")).body(body)
}

#[tokio::test]
async fn a_claimed_request_is_answered_by_its_intercept_beside_others() -> Outcome {
    let mut bench = Bench::start()?;
    let mut sender = client(&bench).await?;
    let answered = sender.send_request(request("/grab?a=1", "the body")?);
    let mut taken = bench.take().await?;
    assert_eq!((taken.head.path(), taken.head.query()), ("/grab", "a=1"));
    assert_eq!(taken.head.version, Version::HTTP_2);
    let mut body = String::new();
    taken.stream.read_to_string(&mut body).await?;
    assert_eq!(body, "the body");

    // What nobody claims is answered meanwhile.
    let hello = Request::get("http://x/hello").body(Full::default())?;
    assert_eq!(sender.send_request(hello).await?.status(), 200);

    let status = HeaderValue::from_static("0");
    taken.responder.trailers(Arc::new(HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        status,
    )])));
    let head = Response::builder().header("x-mine", "yes").body(())?;
    assert!(taken.responder.begin(head).is_empty());
    taken.stream.write_all(b"one").await?;
    let response = answered.await?;
    assert_eq!(response.headers()["x-mine"], "yes");
    let mut body = response.into_body();
    let first = body.frame().await.ok_or("no frame")??;
    assert_eq!(first.into_data().ok().ok_or("no data")?, "one");
    taken.stream.write_all(b"two").await?;
    taken.stream.flush().await?;
    taken.stream.shutdown().await?;
    let rest = body.collect().await?;
    assert_eq!(rest.trailers().ok_or("no trailers")?["grpc-status"], "0");
    assert_eq!(rest.to_bytes(), "two");
    Ok(())
}

#[tokio::test]
async fn a_client_that_drops_its_request_is_noticed() -> Outcome {
    let mut bench = Bench::start()?;
    let mut sender = client(&bench).await?;
    let answered = sender.send_request(request("/grab", "")?);
    let mut taken = bench.take().await?;
    assert!(taken.responder.begin(Response::new(())).is_empty());
    drop(answered.await?);
    std::future::poll_fn(|cx| taken.stream.poll_gone(cx)).await;
    Ok(())
}

#[tokio::test]
async fn whoever_loses_a_request_has_it_answered_with_500() -> Outcome {
    let mut bench = Bench::start()?;
    let mut sender = client(&bench).await?;
    let answered = sender.send_request(request("/grab", "")?);
    drop(bench.take().await?);
    assert_eq!(answered.await?.status(), StatusCode::INTERNAL_SERVER_ERROR);
    Ok(())
}

#[tokio::test]
async fn a_tunnel_for_a_websocket_carries_bytes_both_ways() -> Outcome {
    let mut bench = Bench::start()?;
    let mut sender = client(&bench).await?;
    // The server's settings have come with the first answer.
    let hello = Request::get("http://x/hello").body(Full::default())?;
    assert_eq!(sender.send_request(hello).await?.status(), 200);
    let connect = |path: &str, protocol| {
        Request::builder()
            .method(Method::CONNECT)
            .uri(format!("http://x{path}"))
            .extension(Protocol::from_static(protocol))
            .body(Full::default())
    };
    let other = sender
        .send_request(connect("/grab", "connect-udp")?)
        .await?;
    assert_eq!(other.status(), StatusCode::NOT_IMPLEMENTED);
    let nobody = sender
        .send_request(connect("/nobody", "websocket")?)
        .await?;
    assert_eq!(nobody.status(), StatusCode::NOT_FOUND);

    let answered = sender.send_request(connect("/grab", "websocket")?);
    let mut taken = bench.take().await?;
    assert_eq!(taken.head.method, Method::CONNECT);
    assert!(taken.responder.begin(Response::new(())).is_empty());
    let response = answered.await?;
    assert_eq!(response.status(), StatusCode::OK);
    let mut ours = TokioIo::new(hyper::upgrade::on(response).await?);
    ours.write_all(b"ping").await?;
    let mut read = [0; 4];
    taken.stream.read_exact(&mut read).await?;
    assert_eq!(&read, b"ping");
    taken.stream.write_all(b"pong").await?;
    ours.read_exact(&mut read).await?;
    assert_eq!(&read, b"pong");
    drop(ours);
    std::future::poll_fn(|cx| taken.stream.poll_gone(cx)).await;
    Ok(())
}
