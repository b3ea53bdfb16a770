//! What gRPC itself brings to a call: deadlines and compression.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use bytes::{BufMut as _, Bytes, BytesMut};
use gyre_proto::api::centrifugo_api_client::CentrifugoApiClient;
use gyre_proto::api::{ConnectionsRequest, HistoryRequest, HistoryResponse, PublishRequest};
use http::Request;
use prost::Message as _;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tower::ServiceExt as _;

use super::world::{World, request};

const METADATA: &[(&str, &str)] = &[("authorization", "apikey grpc-key")];

#[tokio::test(start_paused = true)]
async fn a_call_ends_when_its_caller_waits_no_longer() {
    let world = World::new().await;
    let mut client = CentrifugoApiClient::new(world.grpc.clone().unwrap());
    for seconds in [1, 3] {
        let user = "slow".to_owned();
        let mut call = request(
            ConnectionsRequest {
                user,
                ..ConnectionsRequest::default()
            },
            METADATA,
        );
        call.set_timeout(Duration::from_secs(seconds));
        let started = tokio::time::Instant::now();
        let status = client.connections(call).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(started.elapsed().as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_does_not_answer_is_named() {
    let world = World::new().await;
    let started = tokio::time::Instant::now();
    let answer = world.post("/api/connections", r#"{"user":"slow"}"#).await;
    assert_eq!(
        answer.1,
        r#"{"error":{"code":151,"message":"some gateways did not answer","unanswered":["g"]}}"#
    );
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn the_gateways_that_answer_do_what_was_asked_of_all() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = free.local_addr().unwrap().to_string();
    drop(free);
    let world = World::beside(&gone).await;
    let answer = world.post("/api/disconnect", r#"{"user":"ann"}"#).await;
    assert_eq!(
        answer.1,
        format!(
            r#"{{"error":{{"code":151,"message":"some gateways did not answer","unanswered":["{gone}"]}}}}"#
        )
    );
    let log = world.fake.take_log();
    assert_eq!(log.len(), 1, "{log:?}");
    let answer = world.post("/api/info", "{}").await;
    let end = format!(r#"],"unanswered":["{gone}"]}}}}"#);
    assert!(answer.1.ends_with(&end), "{}", answer.1);
}

#[tokio::test]
async fn a_call_in_time_does_not_notice_its_deadline() {
    let world = World::new().await;
    let mut client = CentrifugoApiClient::new(world.grpc.clone().unwrap());
    let mut call = request(publish("hist:a", 10), METADATA);
    call.set_timeout(Duration::from_secs(60));
    let answer = client.publish(call).await.unwrap().into_inner();
    assert_eq!(answer.result.unwrap().offset, 1);
}

fn publish(channel: &str, len: usize) -> PublishRequest {
    PublishRequest {
        channel: channel.to_owned(),
        data: format!("\"{}\"", "x".repeat(len)).into(),
        ..PublishRequest::default()
    }
}

/// Calls `History` with these headers; answers the response's encoding and its message.
async fn history(
    world: &World,
    headers: &[(&str, &str)],
    compressed: bool,
) -> (Option<String>, Bytes) {
    let message = HistoryRequest {
        channel: "hist:a".to_owned(),
        limit: 10,
        ..HistoryRequest::default()
    };
    let message = match compressed {
        true => gzip(&message.encode_to_vec()),
        false => message.encode_to_vec(),
    };
    let mut frame = BytesMut::new();
    frame.put_u8(compressed.into());
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(&message);
    let mut call = Request::post("/centrifugal.centrifugo.api.CentrifugoApi/History")
        .header("content-type", "application/grpc")
        .header("authorization", "apikey grpc-key");
    for (name, value) in headers {
        call = call.header(*name, *value);
    }
    let call = call.body(Body::from(frame.freeze())).unwrap();
    let answer = world.grpc.clone().unwrap().oneshot(call).await.unwrap();
    let encoding = answer.headers().get("grpc-encoding");
    let encoding = encoding.map(|encoding| encoding.to_str().unwrap().to_owned());
    (
        encoding,
        to_bytes(answer.into_body(), usize::MAX).await.unwrap(),
    )
}

/// A gzip stream of one stored block.
fn gzip(data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len()).unwrap();
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1];
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&(!len).to_le_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(&crc32(data).to_le_bytes());
    out.extend_from_slice(&u32::from(len).to_le_bytes());
    out
}

fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
    !data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), step)
    })
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_compress() {
    let world = World::new().await;
    let mut client = CentrifugoApiClient::new(world.grpc.clone().unwrap());
    client
        .publish(request(publish("hist:a", 5_000), METADATA))
        .await
        .unwrap();
    let accepts = ("grpc-accept-encoding", "identity,deflate,gzip");

    let (encoding, plain) = history(&world, &[accepts], false).await;
    assert_eq!(encoding, None);
    let message = HistoryResponse::decode(&plain[5..]).unwrap();
    assert_eq!(message.result.unwrap().publications[0].data.len(), 5_002);

    let (encoding, small) = history(&world, &[accepts, ("grpc-encoding", "gzip")], true).await;
    assert_eq!(encoding.as_deref(), Some("gzip"));
    assert!(small.len() < 500, "{}", small.len());

    let (encoding, whole) = history(&world, &[("grpc-encoding", "gzip")], true).await;
    assert_eq!((encoding, whole.len()), (None, plain.len()));
}

#[tokio::test]
async fn a_small_message_may_not_become_a_long_one() {
    let world = World::new().await;
    let client = CentrifugoApiClient::new(world.grpc.clone().unwrap());
    let mut client = client.send_compressed(CompressionEncoding::Gzip);
    let status = client
        .publish(request(publish("a", 64 * 1024 * 1024), METADATA))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(world.fake.take_log().is_empty());
}

#[tokio::test]
async fn a_gateway_is_told_to_go_by_its_name() {
    let world = World::new().await;
    for (body, is_draining) in [("{}", false), (r#"{"gateway":"n"}"#, true)] {
        let answer = world.post("/api/drain", body).await;
        assert_eq!(
            answer.1,
            format!(
                r#"{{"result":{{"gateways":[{{"uid":"u","name":"n","draining":{is_draining},"connections":5,"told":3,"cut":0}}]}}}}"#
            )
        );
    }
    let answer = world.post("/api/drain", r#"{"gateway":"x"}"#).await;
    assert_eq!(answer.1, r#"{"error":{"code":104,"message":"not found"}}"#);
    let answer = world.post("/api/drain", "[").await;
    assert_eq!(answer.0, http::StatusCode::BAD_REQUEST);
}
