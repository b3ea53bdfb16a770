//! How errors are told.

use axum::body::Body;
use gyre_config::api::ErrorMode;
use gyre_proto::api;
use http::{Request, StatusCode};
use prost::Message as _;
use tonic::Code;

use super::world::{HTTP_KEY, World, config};
use crate::error::Error;

/// A call that ends with each error that a method of today can end with.
const CALLS: &[(Error, &str, &str)] = &[
    (Error::Internal, "publish", r#"{"channel":"down","data":1}"#),
    (
        Error::UnknownChannel,
        "publish",
        r#"{"channel":"nope:x","data":1}"#,
    ),
    (Error::NotFound, "rpc", r#"{"method":"x"}"#),
    (Error::BadRequest, "publish", "{}"),
    (Error::BadRequest, "broadcast", "{}"),
    (Error::NotAvailable, "presence", r#"{"channel":"a"}"#),
    (Error::NotAvailable, "map_stats", "{}"),
    (
        Error::UnrecoverablePosition,
        "history",
        r#"{"channel":"hist:a","since":{"epoch":"other"}}"#,
    ),
];

async fn post(world: &World, method: &str, body: &str, mode: Option<&str>) -> (StatusCode, String) {
    let mut request = Request::post(format!("/api/{method}")).header("x-api-key", HTTP_KEY);
    if let Some(mode) = mode {
        request = request.header("X-Centrifugo-Error-Mode", mode);
    }
    world
        .send(request.body(Body::from(body.to_owned())).unwrap())
        .await
}

fn bare(error: &Error) -> String {
    format!(
        r#"{{"code":{},"message":"{}"}}"#,
        error.code(),
        error.message()
    )
}

#[tokio::test]
async fn http_tells_errors_in_the_body_or_by_the_status() {
    let world = World::new().await;
    for (error, method, body) in CALLS {
        let enveloped = format!(r#"{{"error":{}}}"#, bare(error));
        for mode in [None, Some("Transport"), Some("")] {
            let answer = post(&world, method, body, mode).await;
            assert_eq!(
                answer,
                (StatusCode::OK, enveloped.clone()),
                "{method} {mode:?}"
            );
        }
        let answer = post(&world, method, body, Some("transport")).await;
        assert_eq!(answer, (error.http_status(), bare(error)), "{method}");
    }
}

#[tokio::test]
async fn grpc_tells_errors_in_the_message_or_by_the_status() {
    let world = World::new().await;
    let key = ("authorization", "apikey grpc-key");
    for (error, method, body) in CALLS {
        let answer = world.grpc(method, body, &[key]).await.unwrap();
        assert_eq!(answer, format!(r#"{{"error":{}}}"#, bare(error)));

        let asked = [key, ("x-centrifugo-error-mode", "transport")];
        let status = world.grpc(method, body, &asked).await.unwrap_err();
        assert_eq!(status.code(), error.grpc_code(), "{method}");
        assert_eq!(status.message(), error.message());
        // google.rpc.Status: 1 code, 2 message, 3 details, of which 2 is the value.
        let detail = error.to_message().encode_to_vec();
        assert!(
            status.details().ends_with(&detail),
            "{:?}",
            status.details()
        );
        assert!(api::Error::decode(detail.as_slice()).unwrap().code == error.code());
    }
}

#[tokio::test]
async fn a_call_cannot_switch_the_configured_mode_off() {
    let mut config = config();
    config.http_api.error_mode = ErrorMode::Transport;
    config.grpc_api.error_mode = ErrorMode::Transport;
    let world = World::with(&config).await.unwrap();
    for mode in [None, Some("application"), Some("")] {
        let answer = post(&world, "publish", "{}", mode).await;
        assert_eq!(answer, (StatusCode::BAD_REQUEST, bare(&Error::BadRequest)));
    }
    let metadata = [
        ("authorization", "apikey grpc-key"),
        ("x-centrifugo-error-mode", ""),
    ];
    let status = world.grpc("publish", "{}", &metadata).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn inner_errors_stay_inside_and_legacy_knows_no_mode() {
    let world = World::new().await;
    let transport = Some("transport");
    let inner = format!(r#"{{"error":{}}}"#, bare(&Error::UnknownChannel));
    let answer = post(
        &world,
        "broadcast",
        r#"{"channels":["nope:x"],"data":1}"#,
        transport,
    )
    .await;
    assert_eq!(
        answer,
        (
            StatusCode::OK,
            format!(r#"{{"result":{{"responses":[{inner}]}}}}"#)
        )
    );
    let commands = r#"{"commands":[{"publish":{"channel":"nope:x","data":1}}]}"#;
    let answer = post(&world, "batch", commands, transport).await;
    assert_eq!(
        answer,
        (StatusCode::OK, format!(r#"{{"replies":[{inner}]}}"#))
    );
    let request = Request::post("/api")
        .header("x-api-key", HTTP_KEY)
        .header("x-centrifugo-error-mode", "transport")
        .body(Body::from(r#"{"params":{"channel":"nope:x"}}"#))
        .unwrap();
    assert_eq!(world.send(request).await, (StatusCode::OK, inner));
}
