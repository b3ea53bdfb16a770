//! What lasts as long as its process, and what comes back when Redis has forgotten it.

use std::sync::Arc;
use std::time::Duration;

use gyre_config::Millis;
use gyre_config::engine::Redis;
use gyre_engine::{Gateway, Status};
use gyre_protocol::messages::ClientInfo;
use gyre_types::{ChannelName, ClientId};

use crate::servers::{Server, until};
use crate::subject::{Opened, section};

fn short(server: &Server) -> Redis {
    section(|one| {
        one.address = vec![server.address()];
        one.presence_ttl = Millis::from_secs(3);
        one.gateway_ttl = Millis::from_secs(3);
    })
}

fn gateway(id: &str) -> Gateway {
    Gateway {
        id: id.to_owned(),
        name: "name".to_owned(),
        address: "host:1".to_owned(),
    }
}

async fn add(opened: &Opened, channel: &ChannelName, id: &str) {
    let info = Arc::new(ClientInfo {
        user: id.into(),
        client: id.into(),
        ..ClientInfo::default()
    });
    let client = ClientId::new(id);
    opened
        .engine
        .presence
        .add(channel, &client, info)
        .await
        .unwrap();
}

async fn members(opened: &Opened, channel: &ChannelName) -> Vec<String> {
    let members = opened.engine.presence.members(channel).await.unwrap();
    let stats = opened.engine.presence.stats(channel).await.unwrap();
    assert_eq!((stats.clients, stats.users), (members.len(), members.len()));
    members
        .into_keys()
        .map(|id| id.as_str().to_owned())
        .collect()
}

async fn gateways(opened: &Opened) -> Vec<String> {
    let gateways = opened.engine.registry.gateways().await.unwrap();
    gateways.into_iter().map(|one| one.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn what_a_dead_process_left_goes_with_its_lease() {
    let server = Server::start(&[]).await;
    let section = short(&server);
    let (one, other) = (
        Opened::new(&section, Arc::new(())),
        Opened::new(&section, Arc::new(())),
    );
    one.redis.ready().await.unwrap();
    other.redis.ready().await.unwrap();
    let channel = ChannelName::new("room").unwrap();
    add(&one, &channel, "a").await;
    add(&other, &channel, "b").await;
    one.engine.registry.announce(gateway("one")).await.unwrap();
    other
        .engine
        .registry
        .announce(gateway("other"))
        .await
        .unwrap();
    assert_eq!(members(&other, &channel).await, ["a", "b"]);
    assert_eq!(gateways(&other).await, ["one", "other"]);

    one.close().await;
    until("its members go", || async {
        members(&other, &channel).await == ["b"]
    })
    .await;
    until("its entry goes", || async {
        gateways(&other).await == ["other"]
    })
    .await;
    // Much longer than the lease, which is renewed.
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(members(&other, &channel).await, ["b"]);
    assert_eq!(gateways(&other).await, ["other"]);
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn what_redis_forgot_is_written_again() {
    let mut server = Server::start(&[]).await;
    let opened = Opened::new(&short(&server), Arc::new(()));
    opened.redis.ready().await.unwrap();
    let channel = ChannelName::new("room").unwrap();
    for id in ["a", "b", "c"] {
        add(&opened, &channel, id).await;
    }
    let gone = ClientId::new("c");
    opened
        .engine
        .presence
        .remove(&channel, &gone)
        .await
        .unwrap();
    opened
        .engine
        .registry
        .announce(gateway("one"))
        .await
        .unwrap();
    server.kill();
    server.start_again().await;
    opened.redis.ready().await.unwrap();
    until("members are back", || async {
        members(&opened, &channel).await == ["a", "b"]
    })
    .await;
    until("the entry is back", || async {
        gateways(&opened).await == ["one"]
    })
    .await;
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn statuses_are_kept_and_forgotten() {
    let server = Server::start(&[]).await;
    let opened = Opened::new(&short(&server), Arc::new(()));
    let statuses = opened.redis.statuses();
    let users = |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
    statuses
        .act(&users(&["ann", "ann", ""]), "dnd")
        .await
        .unwrap();
    statuses.act(&users(&["ann"]), "").await.unwrap();
    statuses.appear(&users(&["bob"])).await.unwrap();
    let found = statuses
        .statuses(&users(&["bob", "nobody", "ann", ""]))
        .await
        .unwrap();
    assert!(found[0].online.is_some() && found[0].active.is_none());
    assert_eq!(found[1], Status::default());
    assert!(found[2].active.is_some() && found[2].online.is_none());
    assert_eq!(found[2].state, "dnd");
    assert_eq!(found[3], Status::default());
    statuses.forget(&users(&["ann", "nobody"])).await.unwrap();
    assert_eq!(
        statuses.statuses(&users(&["ann"])).await.unwrap(),
        [Status::default()]
    );
    opened.close().await;
}
