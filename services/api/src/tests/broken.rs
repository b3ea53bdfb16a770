//! Bodies that are not requests.

use axum::body::Body;
use futures_util::stream;
use proptest::prelude::*;

use super::world::World;
use crate::http::body::BODY_BYTES_MAX;
use crate::methods::MethodId;

#[tokio::test]
async fn what_is_no_request_is_400_and_does_nothing() {
    let world = World::new().await;
    for broken in [
        "",
        "{",
        "[]",
        "\"x\"",
        "7",
        "true",
        "{}x",
        "{\"channel\":\"a\",\"data\":1}{}",
        "{\"channel\":7,\"data\":1}",
        "{\"channel\":\"a\",\"data\":1,\"version\":-1}",
        "{\"channel\":\"a\",\"data\":1,\"version\":1.5}",
        "{\"channel\":\"a\",\"data\":1,\"tags\":[\"a\"]}",
    ] {
        let (status, body) = world.post("/api/publish", broken).await;
        assert_eq!(
            (status.as_u16(), body.as_str()),
            (400, "Bad Request"),
            "{broken}"
        );
    }
    let in_a_batch =
        r#"{"commands":[{"publish":{"channel":"a","data":1}},{"publish":{"channel":1}}]}"#;
    assert_eq!(world.post("/api/batch", in_a_batch).await.0, 400);
    assert!(world.fake.take_log().is_empty());
}

#[tokio::test]
async fn a_body_above_the_limit_is_413() {
    let world = World::new().await;
    let body = |len| {
        let blanks = " ".repeat(len);
        format!("{blanks}{{\"channel\":\"a\",\"data\":1}}")
    };
    let fits = BODY_BYTES_MAX - body(0).len();
    assert_eq!(world.post("/api/publish", body(fits)).await.0, 200);
    assert_eq!(world.post("/api/publish", body(fits + 1)).await.0, 413);
    let pieces = vec![
        Ok::<_, std::io::Error>(" ".repeat(BODY_BYTES_MAX)),
        Ok("{}".to_owned()),
    ];
    let chunked = Body::from_stream(stream::iter(pieces));
    assert_eq!(world.post("/api/publish", chunked).await.0, 413);
}

proptest! {
    #[test]
    fn no_bytes_are_our_fault(bytes: Vec<u8>, method in 0..MethodId::COUNT + 2) {
        fed(method, bytes);
    }

    #[test]
    fn no_text_that_looks_like_a_request_is_our_fault(
        text in r#"(\{|\[|\}|\]|:|,|null|-1|1e9|"channel"|"data"|"a"|"hist:b"|"since"|"commands"|"publish"|"nodes"|"method"|"params"|"tags"){0,14}"#,
        method in 0..MethodId::COUNT + 2,
    ) {
        fed(method, text.into_bytes());
    }
}

fn fed(method: usize, body: Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let path = match MethodId::ALL.get(method) {
        Some(method) => format!("/api/{}", method.name()),
        None if method == MethodId::COUNT => "/api/batch".to_owned(),
        None => "/api".to_owned(),
    };
    let (status, answer) = runtime
        .unwrap()
        .block_on(async { World::new().await.post(&path, body).await });
    assert!(!status.is_server_error(), "{status} {answer}");
}
