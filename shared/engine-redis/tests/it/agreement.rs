//! Processes that would keep things elsewhere on the same Redis are told, and do nothing.

use std::sync::Arc;

use gyre_config::engine::Redis;
use gyre_engine::{Error, HistoryQuery};
use gyre_runtime::Health;
use gyre_types::ChannelName;

use crate::servers::{Cluster, Server, until};
use crate::subject::{Opened, section};

async fn is_refused(opened: &Opened, told: &str) {
    until("somebody disagrees", || async {
        opened.redis.agreed().await.is_err()
    })
    .await;
    let refused = opened.redis.agreed().await.unwrap_err().to_string();
    assert!(refused.contains(told), "{refused}");
    assert!(matches!(opened.redis.health(), Health::Failed(_)));
    let channel = ChannelName::new("news").unwrap();
    let broker = &opened.engine.broker;
    let read = broker.history(&channel, HistoryQuery::default()).await;
    let subscribed = broker.subscribe(&channel).await;
    for failed in [read.map(drop), subscribed] {
        match failed {
            Err(Error::Unavailable { reason }) => assert!(reason.contains(told), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Others are refused; the last of them, which is still there.
async fn others_are_refused(first: &Redis) -> Opened {
    let one = Opened::new(first, Arc::new(()));
    one.redis.ready().await.unwrap();
    assert_eq!(one.redis.agreed().await, Ok(()));
    assert_eq!(one.redis.health(), Health::Good);

    let fewer = Redis {
        partitions: 128,
        ..first.clone()
    };
    let other = Opened::new(&fewer, Arc::new(()));
    is_refused(&other, "have partitions=256 bus_channels=64").await;
    is_refused(&other, "this one has partitions=128 bus_channels=64").await;
    other.close().await;
    let more = Redis {
        bus_channels: 65,
        ..first.clone()
    };
    let other = Opened::new(&more, Arc::new(()));
    is_refused(&other, "this one has partitions=256 bus_channels=65").await;

    let same = Opened::new(first, Arc::new(()));
    assert_eq!(same.redis.agreed().await, Ok(()));
    let elsewhere = section(|one| {
        one.address.clone_from(&first.address);
        one.cluster_address.clone_from(&first.cluster_address);
        one.partitions = 128;
    });
    let elsewhere = Opened::new(&elsewhere, Arc::new(()));
    assert_eq!(elsewhere.redis.agreed().await, Ok(()));
    for opened in [one, same, elsewhere] {
        opened.close().await;
    }
    other
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn who_has_other_settings_is_told_what_and_where() {
    let server = Server::start(&[]).await;
    let first = section(|one| one.address = vec![server.address()]);
    let other = others_are_refused(&first).await;
    // The settings of those that ended hold for a while, then those of who is left.
    until("the settings of the dead are forgotten", || async {
        other.redis.agreed().await.is_ok()
    })
    .await;
    other.redis.ready().await.unwrap();
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn so_it_is_with_a_cluster() {
    let cluster = Cluster::start().await;
    let first = section(|one| one.cluster_address = cluster.addresses());
    others_are_refused(&first).await.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn servers_that_share_the_channels_stand_in_one_order() {
    let (a, b) = (Server::start(&[]).await, Server::start(&[]).await);
    let first = section(|one| one.address = vec![a.address(), b.address()]);
    let one = Opened::new(&first, Arc::new(()));
    until("both are there", || async {
        one.redis.health() == Health::Good
    })
    .await;
    assert_eq!(one.redis.agreed().await, Ok(()));
    let turned = Redis {
        address: vec![b.address(), a.address()],
        ..first.clone()
    };
    let other = Opened::new(&turned, Arc::new(()));
    is_refused(&other, "server=2/2").await;
    let alone = Redis {
        address: vec![b.address()],
        ..first
    };
    let third = Opened::new(&alone, Arc::new(()));
    is_refused(
        &third,
        "this one has partitions=256 bus_channels=64 server=1/1",
    )
    .await;
    for opened in [one, other, third] {
        opened.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn health_says_what_cannot_be_reached() {
    let (a, mut b) = (Server::start(&[]).await, Server::start(&[]).await);
    let both = section(|one| one.address = vec![a.address(), b.address()]);
    let opened = Opened::new(&both, Arc::new(()));
    until("both are there", || async {
        opened.redis.health() == Health::Good
    })
    .await;
    b.kill();
    let half = Health::Degraded("1 of 2 redis servers cannot be reached".to_owned());
    until("one is missed", || async { opened.redis.health() == half }).await;
    a.pause();
    let gone = Health::Failed("redis cannot be reached".to_owned());
    until("both are missed", || async {
        opened.redis.health() == gone
    })
    .await;
    a.resume();
    b.start_again().await;
    until("both are back", || async {
        opened.redis.health() == Health::Good
    })
    .await;
    opened.close().await;
}
