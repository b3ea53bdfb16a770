//! What a publish over HTTP may allocate: at most 12 times more than the framework does for a
//! request that does nothing.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use gyre_api::{Api, Config, Deps};
use gyre_config::{Channel, Client, Rpc, Secret};
use gyre_policy::Policy;
use gyre_runtime::Clock;
use gyre_store::Access;
use gyre_telemetry::Registry;
use http::Request;
use tower::ServiceExt as _;

const BODY: &str = r#"{"channel":"news","data":{"text":"a message of usual size","n":[1,2,3]}}"#;

#[tokio::test]
async fn a_publish_over_http_allocates_little() {
    let empty = Router::new().route("/api/publish", post(|| async { "" }));
    let api = api().await;
    let framework = allocations(&empty).await;
    let publish = allocations(&api).await;
    let own = publish - framework;
    assert!(
        own <= 12,
        "{own} allocations, of {publish} with the framework's"
    );
}

/// Allocations of one request, once everything is warm.
async fn allocations(router: &Router) -> usize {
    let mut least = usize::MAX;
    for _ in 0..4 {
        let request = Request::post("/api/publish").header("x-api-key", "key");
        let request = request.body(Body::from(BODY)).unwrap();
        let router = router.clone();
        let before = gyre_allocator::allocations();
        let response = router.oneshot(request).await.unwrap();
        least = least.min(gyre_allocator::allocations() - before);
        assert_eq!(response.status(), 200);
    }
    least
}

/// The API on a real engine, without subscribers and without gateways.
async fn api() -> Router {
    let mut config = Config::default();
    config.http_api.key = Secret::new("key");
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
    Api::build(&config, deps).await.unwrap().http().unwrap()
}
