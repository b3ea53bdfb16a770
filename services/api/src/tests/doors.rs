//! Who is let in, and what is where.

use axum::body::Body;
use bytes::Bytes;
use gyre_config::{ByteSize, Secret};
use gyre_proto::api::PublishRequest;
use gyre_proto::api::centrifugo_api_client::CentrifugoApiClient;
use http::{Method, Request};
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

use super::world::{HTTP_KEY, World, config, request};
use crate::BuildError;

const PUBLISH: &str = r#"{"channel":"a","data":1}"#;

async fn status(world: &World, method: Method, path: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world
        .send(request.body(Body::from(PUBLISH)).unwrap())
        .await
        .0
        .as_u16()
}

#[tokio::test]
async fn path_then_method_then_key() {
    let world = World::new().await;
    let key = &[("x-api-key", HTTP_KEY)][..];
    let table = [
        (Method::POST, "/api/publish", key, 200),
        (Method::POST, "/api/publish?api_key=http-key", &[], 200),
        (
            Method::POST,
            "/api/publish",
            &[("authorization", "APIKEY http-key")],
            200,
        ),
        (Method::POST, "/api/publish", &[], 401),
        (Method::POST, "/api/channels", &[], 401),
        (Method::POST, "/api/batch", &[], 401),
        (Method::POST, "/api", &[], 401),
        (Method::GET, "/api/publish", &[], 405),
        (Method::HEAD, "/api/publish", &[], 405),
        (Method::DELETE, "/api/publish", key, 405),
        (Method::OPTIONS, "/api/publish", key, 405),
        (Method::GET, "/api", key, 405),
        (Method::POST, "/api/no_such_method", key, 404),
        (Method::POST, "/api/publish/", key, 404),
        (Method::POST, "/publish", key, 404),
    ];
    for (method, path, headers, expected) in table {
        let text = format!("{method} {path} {headers:?}");
        assert_eq!(
            status(&world, method, path, headers).await,
            expected,
            "{text}"
        );
        let is_done = !world.fake.take_log().is_empty();
        assert_eq!(is_done, expected == 200, "{text}");
    }
}

#[tokio::test]
async fn refusals_carry_json() {
    let world = World::new().await;
    let request = |method| Request::builder().method(method).uri("/api/info");
    let (_, body) = world
        .send(request(Method::POST).body(Body::empty()).unwrap())
        .await;
    assert_eq!(body, r#"{"error":{"code":101,"message":"unauthorized"}}"#);
    let (_, body) = world
        .send(request(Method::GET).body(Body::empty()).unwrap())
        .await;
    assert_eq!(body, r#"{"error":{"code":107,"message":"bad request"}}"#);
}

#[tokio::test]
async fn the_prefix_moves_all_methods() {
    for (prefix, publish, legacy) in [
        ("/v1/server/", "/v1/server/publish", "/v1/server"),
        ("v1", "/v1/publish", "/v1"),
        ("/", "/publish", "/"),
    ] {
        let mut config = config();
        config.http_api.handler_prefix = prefix.to_owned();
        let world = World::with(&config).await.unwrap();
        assert_eq!(world.post(publish, PUBLISH).await.0, 200, "{prefix}");
        let command = r#"{"method":"publish","params":{"channel":"a","data":1}}"#;
        assert_eq!(world.post(legacy, command).await.1, r#"{"result":{}}"#);
        assert_eq!(world.post("/api/publish", PUBLISH).await.0, 404, "{prefix}");
    }
}

#[tokio::test]
async fn doors_open_by_consent_only() {
    let mut config = config();
    config.http_api.key = Secret::default();
    config.grpc_api.key = Secret::default();
    assert!(matches!(
        World::with(&config).await,
        Err(BuildError::GrpcWithoutKey)
    ));
    config.grpc_api.insecure = true;
    let world = World::with(&config).await.unwrap();
    assert_eq!(world.post("/api/publish", PUBLISH).await.0, 401);
    assert!(world.grpc("publish", PUBLISH, &[]).await.is_ok());

    config.http_api.insecure = true;
    config.grpc_api.enabled = false;
    let world = World::with(&config).await.unwrap();
    assert_eq!(world.post("/api/publish", PUBLISH).await.0, 200);
    assert!(world.grpc.is_none());

    config.http_api.disabled = true;
    assert!(World::with(&config).await.unwrap().http.is_none());
}

#[tokio::test]
async fn grpc_without_the_key_is_unauthenticated_and_does_nothing() {
    let world = World::new().await;
    for metadata in [
        &[][..],
        &[("authorization", "apikey wrong")],
        &[("authorization", "Apikey grpc-key")],
        &[("authorization", "apikey http-key")],
        &[("x-api-key", "grpc-key")],
    ] {
        let status = world.grpc("publish", PUBLISH, metadata).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{metadata:?}");
    }
    assert!(world.fake.take_log().is_empty());
}

#[tokio::test]
async fn a_message_above_the_limit_is_resource_exhausted() {
    let mut config = config();
    config.grpc_api.max_receive_message_size = ByteSize(1024);
    let world = World::with(&config).await.unwrap();
    let metadata = [("authorization", "apikey grpc-key")];
    for (len, is_fine) in [(900, true), (1100, false)] {
        for compressed in [false, true] {
            let mut client = CentrifugoApiClient::new(world.grpc.clone().unwrap());
            if compressed {
                client = client.send_compressed(CompressionEncoding::Gzip);
            }
            let message = PublishRequest {
                channel: "a".to_owned(),
                data: Bytes::from(vec![b'x'; len]),
                ..PublishRequest::default()
            };
            let answer = client.publish(request(message, &metadata)).await;
            match is_fine {
                true => assert_eq!(answer.unwrap().into_inner().error, None),
                false => assert_eq!(answer.unwrap_err().code(), Code::ResourceExhausted),
            }
        }
    }
}

#[tokio::test]
async fn probes_need_no_key_and_descriptions_do() {
    let mut config = config();
    config.grpc_api.reflection = true;
    let world = World::with(&config).await.unwrap();
    let grpc = || world.grpc.clone().unwrap();
    let answer = HealthClient::new(grpc())
        .check(HealthCheckRequest::default())
        .await;
    assert_eq!(answer.unwrap().into_inner().status, 1, "serving");
    let named = HealthCheckRequest {
        service: "centrifugal.centrifugo.api.CentrifugoApi".to_owned(),
    };
    assert_eq!(
        HealthClient::new(grpc())
            .check(named.clone())
            .await
            .unwrap()
            .into_inner()
            .status,
        1
    );
    world.api.drain().await;
    for asked in [HealthCheckRequest::default(), named] {
        let answer = HealthClient::new(grpc()).check(asked).await;
        assert_eq!(answer.unwrap().into_inner().status, 2, "not serving");
    }

    let ask = |metadata: &[(&'static str, &'static str)]| {
        let question = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let request = request(futures_util::stream::iter([question]), metadata);
        let mut client = ServerReflectionClient::new(grpc());
        async move { client.server_reflection_info(request).await }
    };
    assert_eq!(ask(&[]).await.unwrap_err().code(), Code::Unauthenticated);
    let mut answers = ask(&[("authorization", "apikey grpc-key")])
        .await
        .unwrap()
        .into_inner();
    let answer = format!("{:?}", answers.message().await.unwrap());
    assert!(
        answer.contains("centrifugal.centrifugo.api.CentrifugoApi"),
        "{answer}"
    );
}
