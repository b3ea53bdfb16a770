//! Namespaces whose backends have names.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gyre_config::channel::{Namespace, RecoveryMode};
use gyre_config::{Config, Millis, NamedProxy};
use serde_json::json;

use crate::fake::Answer;
use crate::world::World;

/// What is asked of backends, each of which has the name `my_…` and answers at a path of that name.
const EVENTS: [&str; 6] = [
    "rpc",
    "subscribe",
    "publish",
    "sub_refresh",
    "cache_empty",
    "state",
];

fn name(event: &str) -> String {
    format!("my_{event}")
}

fn named(config: &mut Config) {
    let base = config.rpc.proxy.endpoint.trim_end_matches("rpc").to_owned();
    let mut proxy = |event: &str, endpoint: String| {
        let mut proxy = NamedProxy {
            name: name(event),
            ..NamedProxy::default()
        };
        proxy.proxy.endpoint = endpoint;
        proxy.proxy.timeout = Millis::from_secs(20);
        config.proxies.push(proxy);
    };
    for event in EVENTS {
        proxy(event, format!("{base}{}", name(event)));
    }
    // Streams go over gRPC only, and nobody listens there.
    proxy("stream", "grpc://127.0.0.1:9".to_owned());
    config.client.presence_update_interval = Millis(100);
    let mut namespace = |of: &str| {
        let mut namespace = Namespace {
            name: of.to_owned(),
            ..Namespace::default()
        };
        namespace.options.allow_subscribe_for_client = true;
        namespace.options.allow_subscribe_for_anonymous = true;
        config.channel.namespaces.push(namespace);
        config.channel.namespaces.len() - 1
    };
    let [asked, cached, streamed] = ["asked", "cached", "streamed"].map(&mut namespace);
    let options = &mut config.channel.namespaces[asked].options;
    options.subscribe_proxy_enabled = true;
    options.subscribe_proxy_name = name("subscribe");
    options.publish_proxy_enabled = true;
    options.publish_proxy_name = name("publish");
    options.sub_refresh_proxy_enabled = true;
    options.sub_refresh_proxy_name = name("sub_refresh");
    options.state_proxy_enabled = true;
    options.state_proxy_name = name("state");
    let options = &mut config.channel.namespaces[cached].options;
    options.history_size = 1;
    options.history_ttl = Millis::from_secs(60);
    options.force_recovery = true;
    options.force_recovery_mode = RecoveryMode::Cache;
    options.auto_cache_recover = true;
    options.cache_empty_proxy_enabled = true;
    options.cache_empty_proxy_name = name("cache_empty");
    let options = &mut config.channel.namespaces[streamed].options;
    options.subscribe_stream_proxy_enabled = true;
    options.subscribe_stream_proxy_name = name("stream");
    config.rpc.without_namespace.proxy_name = name("rpc");
}

#[tokio::test]
async fn every_namespace_names_its_backends() {
    let world = World::serve(named).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let expire_at = now.as_secs() + 1;
    let subscribed = json!({"result": {"expire_at": expire_at}});
    world
        .backend
        .next(&name("subscribe"), Answer::Say(subscribed));
    for event in ["rpc", "publish", "cache_empty", "state"] {
        world
            .backend
            .always(&name(event), json!({"result": {}}), Duration::ZERO);
    }
    let mut client = world.connect().await;
    client.ask(json!({"rpc": {"method": "m"}})).await;
    client
        .ask(json!({"subscribe": {"channel": "cached:a"}}))
        .await;
    let reply = client
        .ask(json!({"subscribe": {"channel": "asked:a"}}))
        .await;
    assert!(reply.get("subscribe").is_some(), "{reply}");
    client
        .ask(json!({"publish": {"channel": "asked:a", "data": 1}}))
        .await;
    for event in EVENTS {
        assert_eq!(
            world.backend.called(&name(event), 1).await.len(),
            1,
            "{event}"
        );
    }
    let reply = client
        .ask(json!({"subscribe": {"channel": "streamed:a"}}))
        .await;
    assert_eq!(reply["error"]["code"], 100, "{reply}");
    let metrics = world.metrics();
    assert!(metrics.contains("name=\"my_stream\""), "{metrics}");
    world.stop().await;
}
