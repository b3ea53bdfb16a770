//! What an operation costs a server.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::join_all;
use gyre_engine::{HistoryQuery, Publish, PublishOptions, Retention};
use gyre_protocol::messages::Publication;
use gyre_types::ChannelName;
use tokio::task::unconstrained;

use crate::servers::{Cluster, PRIMARIES, Server, until};
use crate::subject::{Opened, section};

/// How often each of these commands was called, by clients and by scripts.
async fn calls<const N: usize>(server: &Server, commands: [&str; N]) -> [u64; N] {
    let text: String = server.run(&["INFO", "commandstats"]).await;
    commands.map(|command| {
        let name = format!("cmdstat_{command}:calls=");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        let count = line.and_then(|line| line.split(',').next());
        count.map_or(0, |count| count.parse().unwrap())
    })
}

/// Scripts that clients ran, but for those that say what processes agree on: they are the ones that set.
async fn scripts(server: &Server) -> u64 {
    let [by_hash, by_text, set] = calls(server, ["evalsha", "eval", "set"]).await;
    by_hash + by_text - set
}

/// The same of all primaries of a cluster: replicas are told to set as well, and run nothing.
async fn scripts_of(cluster: &Cluster) -> u64 {
    let mut sum = 0;
    for server in cluster.servers.iter().take(PRIMARIES) {
        sum += scripts(server).await;
    }
    sum
}

/// Reads of publications, and of anything about streams.
async fn reads(server: &Server) -> (u64, u64) {
    let all = ["xrange", "xrevrange", "hmget"];
    let [forward, backward, meta] = calls(server, all).await;
    (forward + backward, forward + backward + meta)
}

fn kept() -> PublishOptions<'static> {
    PublishOptions {
        retention: Some(Retention {
            size: 10,
            ttl: std::time::Duration::from_secs(60),
            meta_ttl: None,
        }),
        ..PublishOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn an_operation_is_one_command() {
    let server = Server::start(&[]).await;
    let section = section(|one| one.address = vec![server.address()]);
    let opened = Opened::new(&section, Arc::new(()));
    opened.redis.ready().await.unwrap();
    let broker = &opened.engine.broker;
    let channel = ChannelName::new("news").unwrap();
    let publication = Publication::default();

    let before = scripts(&server).await;
    for options in [kept(), PublishOptions::default()] {
        for _ in 0..50 {
            let publish = Publish {
                publication: &publication,
                options,
            };
            broker.publish(&channel, publish).await.unwrap();
        }
    }
    assert_eq!(scripts(&server).await - before, 100);
    let before = scripts(&server).await;
    broker
        .history(&channel, HistoryQuery::default())
        .await
        .unwrap();
    broker.remove_history(&channel).await.unwrap();
    opened.engine.presence.members(&channel).await.unwrap();
    assert_eq!(scripts(&server).await - before, 3);
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn equal_reads_at_once_are_few() {
    let server = Server::start(&[]).await;
    let section = section(|one| one.address = vec![server.address()]);
    let opened = Opened::new(&section, Arc::new(()));
    opened.redis.ready().await.unwrap();
    let broker = &opened.engine.broker;
    let channel = ChannelName::new("news").unwrap();
    let before = scripts(&server).await;
    {
        let reads = (0..1000).map(|_| broker.history(&channel, HistoryQuery::default()));
        let mut reads = pin!(unconstrained(join_all(reads)));
        // All ask before any is answered.
        server.pause();
        let is_waiting = poll_fn(|cx| Poll::Ready(reads.as_mut().poll(cx).is_pending())).await;
        server.resume();
        assert!(is_waiting, "nobody answers");
        for read in reads.await {
            assert_eq!(read.unwrap().top.offset, 0);
        }
    }
    // The first, and one for all who came meanwhile.
    assert_eq!(scripts(&server).await - before, 2);
    opened.close().await;
}

/// What a subscriber that comes back with an offset asks.
fn back(offset: u64) -> HistoryQuery<'static> {
    HistoryQuery {
        since: Some((offset, "")),
        limit: Some(300),
        heard: kept().retention,
        ..HistoryQuery::default()
    }
}

async fn publish(opened: &Opened, channel: &ChannelName, count: u64) {
    for _ in 0..count {
        let publish = Publish {
            publication: &Publication::default(),
            options: kept(),
        };
        opened
            .engine
            .broker
            .publish(channel, publish)
            .await
            .unwrap();
    }
}

/// A thousand come back at once, each with another position.
async fn storm(opened: &Opened, channel: &ChannelName, top: u64) {
    let broker = &opened.engine.broker;
    let back = (0..1000).map(|number| async move {
        let offset = top - number % 10;
        let found = broker.history(channel, back(offset)).await.unwrap();
        let offsets = found.publications.iter().map(|one| one.offset);
        assert!(offsets.eq(offset + 1..=top), "{offset} of {top}: {found:?}");
        assert_eq!(found.top.offset, top);
    });
    unconstrained(join_all(back)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_thousand_that_come_back_at_once_are_three_reads_and_then_none() {
    let server = Server::start(&[]).await;
    let section = section(|one| one.address = vec![server.address()]);
    let (opened, other) = (
        Opened::new(&section, Arc::new(())),
        Opened::new(&section, Arc::new(())),
    );
    opened.redis.ready().await.unwrap();
    let channel = ChannelName::new("news").unwrap();
    publish(&other, &channel, 30).await;
    opened.engine.broker.subscribe(&channel).await.unwrap();

    let (before, _) = reads(&server).await;
    storm(&opened, &channel, 30).await;
    let (after, _) = reads(&server).await;
    // One that nobody else was waiting with, one for all who came meanwhile, and one more if some of them
    // were late.
    assert!((1..=3).contains(&(after - before)), "{}", after - before);

    publish(&other, &channel, 5).await;
    let top = || HistoryQuery {
        limit: Some(0),
        heard: kept().retention,
        ..HistoryQuery::default()
    };
    let broker = &opened.engine.broker;
    until("they have arrived", || async {
        broker.history(&channel, top()).await.unwrap().top.offset == 35
    })
    .await;
    let before = reads(&server).await;
    storm(&opened, &channel, 35).await;
    let tops = (0..1000).map(|_| broker.history(&channel, top()));
    for top in unconstrained(join_all(tops)).await {
        assert_eq!(top.unwrap().top.offset, 35);
    }
    assert_eq!(reads(&server).await, before, "the tail answers");
    opened.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_process_has_two_connections_to_a_primary() {
    let cluster = Cluster::start().await;
    let section = section(|one| {
        one.cluster_address = cluster.addresses();
        one.client_name = "counted".to_owned();
    });
    let opened = Opened::new(&section, Arc::new(()));
    opened.redis.ready().await.unwrap();
    let before = scripts_of(&cluster).await;
    for number in 0..200 {
        let channel = ChannelName::new(&number.to_string()).unwrap();
        opened.engine.broker.subscribe(&channel).await.unwrap();
        let publication = Publication::default();
        let publish = Publish {
            publication: &publication,
            options: kept(),
        };
        opened
            .engine
            .broker
            .publish(&channel, publish)
            .await
            .unwrap();
    }
    assert_eq!(scripts_of(&cluster).await - before, 200, "one each");
    for (index, server) in cluster.servers.iter().enumerate() {
        let list: String = server.run(&["CLIENT", "LIST"]).await;
        let count = list
            .lines()
            .filter(|line| line.contains("name=counted"))
            .count();
        assert_eq!(count, if index < PRIMARIES { 2 } else { 1 }, "{list}");
    }
    opened.close().await;
}
