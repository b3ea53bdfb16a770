//! What a publish may allocate: at most 12 times more than the framework does for a request that does
//! nothing.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::future::{Ready, ready};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use bytes::Bytes;
use gyre_api::{Api, Config, Deps};
use gyre_config::{Channel, Client, Rpc, Secret};
use gyre_policy::Policy;
use gyre_proto::api::{PublishRequest, PublishResponse};
use gyre_runtime::Clock;
use gyre_store::Access;
use gyre_telemetry::Registry;
use http::{Request, Version};
use http_body_util::BodyExt as _;
use prost::Message as _;
use tonic::server::UnaryService;
use tonic_prost::ProstCodec;
use tower::ServiceExt as _;

const PUBLISH: &str = "/centrifugal.centrifugo.api.CentrifugoApi/Publish";

const BODY: &str = r#"{"channel":"news","data":{"text":"a message of usual size","n":[1,2,3]}}"#;

#[tokio::test]
async fn a_publish_over_http_allocates_little() {
    let empty = Router::new().route("/api/publish", post(|| async { "" }));
    let request = || {
        let request = Request::post("/api/publish").header("x-api-key", "key");
        request.body(Body::from(BODY)).unwrap()
    };
    is_little(&empty, &api().await.http().unwrap(), &request).await;
}

#[tokio::test]
async fn a_publish_over_grpc_allocates_little() {
    let nothing = |request| async {
        let mut grpc =
            tonic::server::Grpc::new(ProstCodec::<PublishResponse, PublishRequest>::default());
        grpc.unary(Nothing, request).await
    };
    let empty = Router::new().route(PUBLISH, post(nothing));
    let message = PublishRequest {
        channel: "news".to_owned(),
        data: BODY.as_bytes().into(),
        ..PublishRequest::default()
    };
    let message = message.encode_to_vec();
    let head = [
        &[0],
        &u32::try_from(message.len()).unwrap().to_be_bytes()[..],
    ]
    .concat();
    let frame = Bytes::from([head, message].concat());
    let request = || {
        let request = Request::post(PUBLISH)
            .version(Version::HTTP_2)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", "apikey key");
        request.body(Body::from(frame.clone())).unwrap()
    };
    is_little(&empty, &api().await.grpc().unwrap(), &request).await;
}

/// A gRPC method that does nothing.
struct Nothing;

impl UnaryService<PublishRequest> for Nothing {
    type Response = PublishResponse;
    type Future = Ready<Result<tonic::Response<PublishResponse>, tonic::Status>>;

    fn call(&mut self, _: tonic::Request<PublishRequest>) -> Self::Future {
        ready(Ok(tonic::Response::new(PublishResponse::default())))
    }
}

async fn is_little(empty: &Router, api: &Router, request: &dyn Fn() -> Request<Body>) {
    let framework = allocations(empty, request).await;
    let publish = allocations(api, request).await;
    let own = publish - framework;
    assert!(
        own <= 12,
        "{own} allocations, of {publish} with the framework's"
    );
}

/// Allocations of one request, once everything is warm.
async fn allocations(router: &Router, request: &dyn Fn() -> Request<Body>) -> usize {
    let mut least = usize::MAX;
    for _ in 0..4 {
        let (router, request) = (router.clone(), request());
        let before = gyre_allocator::allocations();
        let response = router.oneshot(request).await.unwrap();
        least = least.min(gyre_allocator::allocations() - before);
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap();
        let is_grpc = body
            .trailers()
            .is_some_and(|end| end.contains_key("grpc-status"));
        assert!(!is_grpc || body.trailers().unwrap()["grpc-status"] == "0");
    }
    least
}

/// The API on a real engine, without subscribers and without gateways.
async fn api() -> Api {
    let mut config = Config::default();
    config.http_api.key = Secret::new("key");
    config.grpc_api.enabled = true;
    config.grpc_api.key = Secret::new("key");
    let clock = || gyre_types::Now::default();
    let engine = gyre_engine_memory::MemoryEngine::open(Arc::new(()), clock);
    let rules = Policy::new(&Channel::default(), &Client::default(), &Rpc::default());
    let nobody = tower::service_fn(|_request| async {
        Ok(tonic::Status::unavailable("there are no gateways").into_http())
    });
    let deps = Deps {
        engine: engine.engine(),
        policy: Arc::new(rules.unwrap()),
        access: Access::in_memory(&Clock::start()).0,
        statuses: None,
        gateways: gyre_links::Directory::local("g", "g", gyre_rpc::local(nobody)),
        telemetry: Registry::new("gyre").unwrap(),
        clock: Clock::start(),
    };
    Api::build(&config, deps).await.unwrap()
}
