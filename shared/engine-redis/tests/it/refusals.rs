//! Servers that refuse: a clear error, in time, and work again as soon as they let us.

use std::sync::Arc;
use std::time::Duration;

use gyre_config::Secret;
use gyre_config::engine::Redis;
use gyre_engine::conformance::Recorder;
use gyre_engine::{Error, HistoryQuery, Publish, PublishOptions, Published, Retention};
use gyre_engine_redis::{Options, TlsClients};
use gyre_protocol::messages::Publication;
use gyre_types::ChannelName;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::Instant;

use crate::servers::{Cluster, Server, until};
use crate::subject::{Opened, section};

/// Any of these means that a refusal took too long.
const IN_TIME: Duration = Duration::from_secs(20);

fn at(server: &Server) -> Redis {
    section(|one| one.address = vec![server.address()])
}

async fn publish(opened: &Opened) -> Result<Published, Error> {
    let publication = Publication::default();
    let publish = Publish {
        publication: &publication,
        options: PublishOptions {
            retention: Some(Retention {
                size: 10,
                ttl: Duration::from_secs(60),
                meta_ttl: None,
            }),
            ..PublishOptions::default()
        },
    };
    let channel = ChannelName::new("news").unwrap();
    opened.engine.broker.publish(&channel, publish).await
}

/// A publish was surely not done, for a reason that names this.
async fn is_refused(opened: &Opened, why: &str) {
    let begun = Instant::now();
    match publish(opened).await {
        Err(Error::Unavailable { reason }) => {
            assert!(reason.contains(why), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert!(begun.elapsed() < IN_TIME, "{:?}", begun.elapsed());
}

async fn works(opened: &Opened) {
    until("publishing works", || async {
        publish(opened).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn nobody_is_there_at_start() {
    let mut server = Server::start(&[]).await;
    server.kill();
    let opened = Opened::new(&at(&server), Arc::new(()));
    is_refused(&opened, "redis").await;
    assert!(opened.redis.ready().await.is_err());
    let channel = ChannelName::new("news").unwrap();
    let read = opened
        .engine
        .broker
        .history(&channel, HistoryQuery::default());
    assert!(matches!(read.await, Err(Error::Unavailable { .. })));
    let members = opened.engine.presence.members(&channel).await;
    assert!(matches!(members, Err(Error::Unavailable { .. })));
    server.start_again().await;
    works(&opened).await;
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn the_password_is_wrong_or_right() {
    let server = Server::start(&["--requirepass", "right"]).await;
    for (password, why) in [("", "NOAUTH"), ("wrong", "WRONGPASS")] {
        let section = Redis {
            password: Secret::new(password),
            ..at(&server)
        };
        let opened = Opened::new(&section, Arc::new(()));
        let reason = opened.redis.ready().await.unwrap_err().to_string();
        assert!(
            reason.contains(why) || reason.contains("Password"),
            "{reason}"
        );
        opened.close().await;
    }
    let section = Redis {
        password: Secret::new("right"),
        ..at(&server)
    };
    let opened = Opened::new(&section, Arc::new(()));
    works(&opened).await;
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_user_may_do_what_the_documentation_says_and_no_more() {
    let server = Server::start(&[]).await;
    let section = Redis {
        user: "gyre".to_owned(),
        password: Secret::new("secret"),
        ..at(&server)
    };
    let (keys, channels) = (
        format!("~{}:*", section.prefix),
        format!("&{}:*", section.prefix),
    );
    let mut user = vec!["ACL", "SETUSER", "gyre", "on", ">secret", &keys, &channels];
    user.extend(allowed());
    server.run::<()>(&user).await;
    let opened = Opened::new(&section, Arc::<Recorder>::default());
    works(&opened).await;
    let channel = ChannelName::new("news").unwrap();
    opened.engine.broker.subscribe(&channel).await.unwrap();
    opened.engine.presence.members(&channel).await.unwrap();
    opened.engine.registry.gateways().await.unwrap();
    opened.close().await;

    let other = Redis {
        prefix: "else".to_owned(),
        ..section
    };
    let opened = Opened::new(&other, Arc::new(()));
    assert!(publish(&opened).await.is_err());
    opened.close().await;
}

/// What the documentation tells operators to allow.
fn allowed() -> Vec<&'static str> {
    let page = include_str!("../../../../docs/redis.md");
    let (_, rule) = page.split_once("&gyre:* ").unwrap();
    let (rule, _) = rule.split_once("```").unwrap();
    rule.split_whitespace().collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn the_server_is_a_replica() {
    let primary = Server::start(&[]).await;
    let port = primary.port.to_string();
    let replica = Server::start(&["--replicaof", "127.0.0.1", &port]).await;
    let opened = Opened::new(&at(&replica), Arc::new(()));
    is_refused(&opened, "is a replica").await;
    replica.run::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    works(&opened).await;
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn the_server_has_no_memory_left() {
    let server = Server::start(&[]).await;
    let opened = Opened::new(&at(&server), Arc::new(()));
    works(&opened).await;
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    is_refused(&opened, "OOM").await;
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert_eq!(publish(&opened).await.unwrap().position.unwrap().offset, 2);
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn the_server_forgets_its_scripts() {
    let server = Server::start(&[]).await;
    let opened = Opened::new(&at(&server), Arc::new(()));
    works(&opened).await;
    server.run::<()>(&["SCRIPT", "FLUSH"]).await;
    publish(&opened).await.unwrap();
    server.run::<()>(&["SCRIPT", "FLUSH"]).await;
    let channels: Vec<_> = (0..10)
        .map(|number| {
            let channel = ChannelName::new(&number.to_string()).unwrap();
            (channel, PublishOptions::default())
        })
        .collect();
    let many = opened
        .engine
        .broker
        .publish_to_many(&channels, &Publication::default())
        .await;
    assert!(many.iter().all(Result::is_ok), "{many:?}");
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn an_older_cluster_has_no_sharded_channels() {
    let cluster = Cluster::start_with(&["--rename-command", "SPUBLISH", ""]).await;
    let section = section(|one| one.cluster_address = cluster.addresses());
    let real = crate::subject::Real::new(section);
    gyre_engine::conformance::presence(&real).await.unwrap();
    let run = crate::checker::Run::start(real.section()).await;
    run.pass(Duration::from_secs(2)).await;
    let report = run.end().await;
    assert!(report.wrong.is_empty() && report.told == 0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn tls_is_spoken() {
    let names = vec!["127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let directory = std::env::temp_dir().join(format!("gyre-redis-tls-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    std::fs::write(path("cert"), cert.pem()).unwrap();
    std::fs::write(path("key"), signing_key.serialize_pem()).unwrap();
    let server = Server::start_with_tls(&path("cert"), &path("key")).await;

    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let trusting = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = TlsClients {
        redis: Some(Arc::new(trusting)),
        sentinel: None,
    };
    let section = section(|one| {
        one.address = vec![format!("rediss://127.0.0.1:{}", server.tls_port())];
    });
    let options = Options::new(&section, &tls, IN_TIME).unwrap();
    let opened = Opened::with(options, Arc::new(()));
    works(&opened).await;
    opened.close().await;

    let stranger = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let tls = TlsClients {
        redis: Some(Arc::new(stranger)),
        sentinel: None,
    };
    let options = Options::new(&section, &tls, IN_TIME).unwrap();
    let opened = Opened::with(options, Arc::new(()));
    let reason = opened.redis.ready().await.unwrap_err().to_string();
    assert!(reason.contains("certificate"), "{reason}");
    opened.close().await;
    std::fs::remove_dir_all(&directory).unwrap();
}
