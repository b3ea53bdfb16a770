//! A backend that is slow, that fills caches, and that is told which channels are in use.

use std::sync::Arc;

use bytes::Bytes;
use gyre_config::Millis;
use gyre_engine::{Publish, PublishOptions, Retention};
use gyre_protocol::messages::Publication;
use gyre_types::ChannelName;
use serde_json::{Value, json};

use crate::fake::Answer;
use crate::world::{Client, World};

#[tokio::test]
async fn a_slow_backend_holds_its_own_client_alone() {
    let world = World::serve(|_config| {}).await;
    let (mut slow, mut other) = (world.connect().await, world.connect().await);
    let say = world.backend.hold("rpc");
    let first = slow.send(json!({"rpc": {"method": "slow"}})).await;
    let second = slow.send(json!({"unsubscribe": {"channel": "a"}})).await;
    world.backend.called("rpc", 1).await;

    world
        .backend
        .next("rpc", Answer::Say(json!({"result": {"data": 2}})));
    let reply = other.ask(json!({"rpc": {"method": "fast"}})).await;
    assert_eq!(reply["rpc"], json!({"data": 2}));

    say.send(json!({"result": {"data": 1}})).unwrap();
    // In order: the second command has waited for the first.
    assert_eq!(slow.reply(first).await["rpc"], json!({"data": 1}));
    assert_eq!(slow.reply(second).await["unsubscribe"], json!({}));
    world.stop().await;
}

#[tokio::test]
async fn commands_go_side_by_side_as_far_as_the_option_says() {
    let world = World::serve(|config| config.client.concurrency = 2).await;
    let mut client = world.connect().await;
    let held = [world.backend.hold("rpc"), world.backend.hold("rpc")];
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(client.send(json!({"rpc": {"method": "m"}})).await);
    }
    world.backend.called("rpc", 2).await;
    world
        .backend
        .next("rpc", Answer::Say(json!({"result": {"data": 3}})));
    let [first, second] = held;
    second.send(json!({"result": {"data": 2}})).unwrap();
    // One place is free now, and the third has it.
    for (id, data) in [(ids[1], 2), (ids[2], 3)] {
        assert_eq!(client.reply(id).await["rpc"], json!({ "data": data }));
    }
    first.send(json!({"result": {"data": 1}})).unwrap();
    assert_eq!(client.reply(ids[0]).await["rpc"], json!({"data": 1}));
    world.stop().await;
}

#[tokio::test]
async fn a_connection_that_ends_drops_its_questions() {
    let world = World::serve(|config| {
        config.client.concurrency = 4;
        // A call that is given up ends its stream; over HTTP/1 this backend would not look.
        config.rpc.proxy.http.h2c = true;
        config.channel.proxy.subscribe.http.h2c = true;
    })
    .await;
    let mut client = world.connect().await;
    let _held = [world.backend.hold("rpc"), world.backend.hold("subscribe")];
    client.send(json!({"rpc": {"method": "m"}})).await;
    client
        .send(json!({"subscribe": {"channel": "ask:a"}}))
        .await;
    world.backend.called("rpc", 1).await;
    world.backend.called("subscribe", 1).await;
    drop(client);
    world.backend.dropped(2).await;
    world.stop().await;
}

#[tokio::test]
async fn what_the_backend_says_of_a_connection_goes_with_it() {
    let world = World::serve(|config| {
        config.client.proxy.connect.enabled = true;
        config.rpc.proxy.include_connection_meta = true;
    })
    .await;
    let caps = json!([{"channels": ["none:*"], "match": "wildcard", "allow": ["sub", "pub"]}]);
    let said = json!({"result": {
        "user": "ann", "caps": caps, "labels": {"plan": "free"}, "meta": {"m": 1},
    }});
    world.backend.next("connect", Answer::Say(said));
    let mut client = world.connect().await;
    let reply = client
        .ask(json!({"subscribe": {"channel": "none:a"}}))
        .await;
    assert_eq!(reply["subscribe"], json!({}), "{reply}");
    let publish = |channel| json!({"publish": {"channel": channel, "data": 1}});
    assert_eq!(client.ask(publish("none:b")).await["publish"], json!({}));
    assert_eq!(client.ask(publish("ask:b")).await["error"]["code"], 103);

    world
        .backend
        .next("rpc", Answer::Say(json!({"result": {}})));
    client.ask(json!({"rpc": {"method": "m"}})).await;
    let asked = &world.backend.called("rpc", 1).await[0];
    assert_eq!(asked["user"], "ann");
    assert_eq!(asked["labels"], json!({"plan": "free"}));
    assert_eq!(asked["meta"], json!({"m": 1}));

    // More of them than are looked at is an answer that is not understood.
    let many = vec![caps[0].clone(); 65];
    let said = json!({"result": {"user": "ann", "caps": many}});
    world.backend.next("connect", Answer::Say(said));
    let mut other = Client::open(world.address).await;
    let reply = other.ask(json!({"connect": {}})).await;
    assert_eq!(reply["error"]["code"], 100, "{reply}");
    world.stop().await;
}

#[tokio::test]
async fn an_empty_cache_is_filled_once_for_a_crowd() {
    const CROWD: usize = 50;
    let world = World::serve(|_config| {}).await;
    let say = world.backend.hold("cache_empty");
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut client = world.connect().await;
        let id = client
            .send(json!({"subscribe": {"channel": "cache:a"}}))
            .await;
        crowd.push((client, id));
    }
    let asked = world.backend.called("cache_empty", 1).await;
    assert_eq!(asked, [json!({"channel": "cache:a"})]);
    publish(&world, "cache:a", b"7").await;
    say.send(json!({"result": {"populated": true}})).unwrap();
    for (mut client, id) in crowd {
        let reply = client.reply(id).await;
        let result = &reply["subscribe"];
        assert_eq!(result["recovered"], true, "{reply}");
        assert_eq!(result["publications"][0]["data"], 7, "{reply}");
    }
    let mut late = world.connect().await;
    let reply = late.ask(json!({"subscribe": {"channel": "cache:a"}})).await;
    assert_eq!(reply["subscribe"]["publications"][0]["data"], 7);
    assert_eq!(world.backend.called("cache_empty", 1).await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_cache_that_stays_empty_is_no_obstacle_and_a_backend_that_is_silent_is() {
    let world = World::serve(|_config| {}).await;
    let mut client = world.connect().await;
    let nothing = json!({"result": {"populated": false}});
    world.backend.next("cache_empty", Answer::Say(nothing));
    let reply = client
        .ask(json!({"subscribe": {"channel": "cache:a"}}))
        .await;
    assert_eq!(reply["subscribe"]["was_recovering"], true, "{reply}");
    assert!(reply["subscribe"].get("recovered").is_none(), "{reply}");

    world.backend.next("cache_empty", Answer::Fail);
    let reply = client
        .ask(json!({"subscribe": {"channel": "cache:b"}}))
        .await;
    assert_eq!(reply["error"]["code"], 100, "{reply}");
    // The connection lives, and nothing of the subscription is left.
    world
        .backend
        .next("cache_empty", Answer::Say(json!({"result": {}})));
    let reply = client
        .ask(json!({"subscribe": {"channel": "cache:b"}}))
        .await;
    assert!(reply.get("subscribe").is_some(), "{reply}");
    world.stop().await;
}

#[tokio::test]
async fn the_backend_is_told_of_the_first_subscriber_and_of_the_last() {
    let world = World::serve(|config| {
        config.channel.state.vacated_event_delay = Millis(50);
    })
    .await;
    world
        .backend
        .always("state", json!({"result": {}}), std::time::Duration::ZERO);
    let (mut first, mut second) = (world.connect().await, world.connect().await);
    let subscribe = || json!({"subscribe": {"channel": "seen:a"}});
    first.ask(subscribe()).await;
    second.ask(subscribe()).await;
    first
        .ask(json!({"subscribe": {"channel": "cache:not-seen"}}))
        .await;
    let told = world.backend.called("state", 1).await;
    assert_eq!(
        events(&told),
        [("seen:a".to_owned(), "occupied".to_owned())]
    );

    first
        .ask(json!({"unsubscribe": {"channel": "seen:a"}}))
        .await;
    drop(second);
    let told = world.backend.called("state", 2).await;
    let vacated = ("seen:a".to_owned(), "vacated".to_owned());
    assert_eq!(events(&told)[1..], [vacated]);
    first.ask(subscribe()).await;
    let told = world.backend.called("state", 3).await;
    let occupied = ("seen:a".to_owned(), "occupied".to_owned());
    assert_eq!(events(&told)[2..], [occupied]);
    world.stop().await;
}

/// Channel and type of every event, in order.
fn events(told: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    told.iter()
        .flat_map(|call| call["events"].as_array().cloned().unwrap_or_default())
        .map(|event| (text(&event["channel"]), text(&event["type"])))
        .collect()
}

async fn publish(world: &World, channel: &str, data: &'static [u8]) {
    let publication = Publication {
        data: Bytes::from_static(data),
        ..Publication::default()
    };
    let retention = Retention {
        size: 1,
        ttl: std::time::Duration::from_secs(60),
        meta_ttl: None,
    };
    let publish = Publish {
        publication: &publication,
        options: PublishOptions {
            retention: Some(retention),
            ..PublishOptions::default()
        },
    };
    let channel = ChannelName::new(channel).unwrap();
    let broker = Arc::clone(&world.engine.broker);
    broker.publish(&channel, publish).await.unwrap();
}
