//! What an operation costs a server.

use std::sync::Arc;

use gyre_engine::{HistoryQuery, Publish, PublishOptions, Retention};
use gyre_protocol::messages::Publication;
use gyre_types::ChannelName;

use crate::servers::{Cluster, PRIMARIES, Server};
use crate::subject::{Opened, section};

/// How often a command was called by clients.
async fn calls(server: &Server, command: &str) -> u64 {
    let line = server
        .info("commandstats", &format!("cmdstat_{command}"))
        .await;
    let count = line
        .strip_prefix("calls=")
        .and_then(|rest| rest.split(',').next());
    count.map_or(0, |count| count.parse().unwrap())
}

/// Commands that were given to the server by clients, but for those that ask what it is.
async fn commands(server: &Server) -> u64 {
    let mut sum = 0;
    for command in [
        "evalsha", "eval", "publish", "spublish", "get", "set", "hset", "xadd",
    ] {
        sum += calls(server, command).await;
    }
    // What a script calls is counted as well.
    sum - calls(server, "publish").await - calls(server, "xadd").await - calls(server, "hset").await
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

    let before = commands(&server).await;
    for options in [kept(), PublishOptions::default()] {
        for _ in 0..50 {
            let publish = Publish {
                publication: &publication,
                options,
            };
            broker.publish(&channel, publish).await.unwrap();
        }
    }
    assert_eq!(commands(&server).await - before, 100);
    let before = commands(&server).await;
    broker
        .history(&channel, HistoryQuery::default())
        .await
        .unwrap();
    broker.remove_history(&channel).await.unwrap();
    opened.engine.presence.members(&channel).await.unwrap();
    assert_eq!(commands(&server).await - before, 3);
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
    let before = commands(&server).await;
    let reads = (0..1000).map(|_| broker.history(&channel, HistoryQuery::default()));
    for read in futures_util::future::join_all(reads).await {
        assert_eq!(read.unwrap().top.offset, 0);
    }
    assert!(commands(&server).await - before <= 2);
    opened.close().await;
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
