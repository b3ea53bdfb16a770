//! What each option of the section changes, as the server sees it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gyre_config::Secret;
use gyre_config::engine::Redis;
use gyre_engine::{Error, HistoryQuery, Publish, PublishOptions, Published, Retention};
use gyre_engine_redis::{Options, TlsClients};
use gyre_protocol::messages::Publication;
use gyre_types::ChannelName;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::servers::{Server, until};
use crate::subject::{Opened, section};

/// Any of these means that an option was not heeded.
const IN_TIME: Duration = Duration::from_secs(20);

/// Far beyond the length of a test.
const NEVER: gyre_config::Millis = gyre_config::Millis::from_secs(3600);

fn at(server: &Server, change: impl FnOnce(&mut Redis)) -> Opened {
    let section = section(|one| {
        one.address = vec![server.address()];
        change(one);
    });
    Opened::new(&section, Arc::new(()))
}

async fn publish(opened: &Opened, channel: &str) -> Result<Published, Error> {
    let publication = Publication::default();
    let retention = Retention {
        size: 10,
        ttl: Duration::from_secs(60),
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
    let published = opened.engine.broker.publish(&channel, publish);
    timeout(IN_TIME, published).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn installations_on_one_server_do_not_meet() {
    let server = Server::start(&[]).await;
    let [one, other] = ["one", "other"].map(|prefix| at(&server, |to| to.prefix = prefix.into()));
    publish(&one, "news").await.unwrap();
    let channel = ChannelName::new("news").unwrap();
    let query = HistoryQuery::default();
    let seen = other.engine.broker.history(&channel, query).await.unwrap();
    assert_eq!(seen.top.offset, 0);
    let keys: Vec<String> = server.run(&["KEYS", "*s:*news"]).await;
    assert!(keys.len() == 1 && keys[0].starts_with("one:"), "{keys:?}");
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_database_has_its_number() {
    let server = Server::start(&[]).await;
    let opened = at(&server, |to| to.db = 3);
    publish(&opened, "news").await.unwrap();
    assert!(server.info("keyspace", "db3").await.starts_with("keys="));
    assert_eq!(server.info("keyspace", "db0").await, "");
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn channels_lie_in_as_many_partitions_and_buses_as_configured() {
    const CHANNELS: usize = 200;
    let server = Server::start(&[]).await;
    let opened = at(&server, |to| (to.partitions, to.bus_channels) = (4, 2));
    for number in 0..CHANNELS {
        let name = number.to_string();
        publish(&opened, &name).await.unwrap();
        let channel = ChannelName::new(&name).unwrap();
        opened.engine.broker.subscribe(&channel).await.unwrap();
    }
    let keys: Vec<String> = server.run(&["KEYS", "*:s:*"]).await;
    assert_eq!(keys.len(), CHANNELS);
    let tag = |key: &String| key.split(['{', '}']).nth(1).unwrap().to_owned();
    assert_eq!(keys.iter().map(tag).collect::<BTreeSet<_>>().len(), 4);
    let buses: Vec<String> = server.run(&["PUBSUB", "CHANNELS"]).await;
    assert_eq!(buses.len(), 4 * 2, "{buses:?}");
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_server_that_takes_no_connection_costs_the_timeout() {
    // The system accepts, and nobody speaks.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let section = section(|to| {
        to.address = vec![silent.local_addr().unwrap().to_string()];
        to.connect_timeout = gyre_config::Millis(200);
        to.io_timeout = gyre_config::Millis(600);
    });
    let opened = Opened::new(&section, Arc::new(()));
    let refused = timeout(IN_TIME, opened.redis.ready()).await.unwrap();
    let reason = refused.unwrap_err().to_string();
    assert!(reason.contains("no connection within 200ms"), "{reason}");
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_server_that_does_not_answer_costs_the_timeout() {
    let server = Server::start(&[]).await;
    let opened = at(&server, |to| {
        (to.io_timeout, to.heartbeat_timeout) = (gyre_config::Millis(300), NEVER);
    });
    publish(&opened, "news").await.unwrap();
    server.pause();
    let begun = Instant::now();
    let outcome = publish(&opened, "news").await;
    assert!(
        matches!(outcome, Err(Error::OutcomeUnknown { .. })),
        "{outcome:?}"
    );
    assert!(begun.elapsed() >= Duration::from_millis(300));
    server.resume();
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn silence_is_noticed_after_the_heartbeat_timeout() {
    let server = Server::start(&[]).await;
    let mut both = Vec::new();
    for (name, heartbeat) in [("hasty", gyre_config::Millis(100)), ("patient", NEVER)] {
        let opened = at(&server, |to| {
            (to.client_name, to.heartbeat_timeout) = (name.into(), heartbeat);
        });
        let channel = ChannelName::new("news").unwrap();
        opened.engine.broker.subscribe(&channel).await.unwrap();
        both.push((opened, listeners(&server, name).await));
    }
    server.pause();
    sleep(Duration::from_secs(1)).await;
    server.resume();
    until("the hasty one has another connection", || async {
        let now = listeners(&server, "hasty").await;
        !now.is_empty() && now != both[0].1
    })
    .await;
    assert_eq!(listeners(&server, "patient").await, both[1].1);
    for (opened, _) in both {
        opened.close().await;
    }
}

/// The ids of connections of this name that are subscribed to something.
async fn listeners(server: &Server, name: &str) -> Vec<String> {
    let list: String = server.run(&["CLIENT", "LIST"]).await;
    let ours = list.lines().filter(|line| {
        line.contains(&format!(" name={name} "))
            && !(line.contains(" sub=0 ") && line.contains(" ssub=0 "))
    });
    ours.map(|line| line.split(' ').next().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn replicas_that_do_not_confirm_cost_the_timeout() {
    let server = Server::start(&[]).await;
    let opened = at(&server, |to| {
        (to.wait_replicas, to.wait_timeout) = (1, gyre_config::Millis(300));
        to.io_timeout = NEVER;
    });
    let begun = Instant::now();
    let outcome = publish(&opened, "news").await;
    assert!(
        matches!(outcome, Err(Error::OutcomeUnknown { .. })),
        "{outcome:?}"
    );
    assert!(begun.elapsed() >= Duration::from_millis(300));
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn sentinels_are_told_who_asks() {
    let server = Server::start(&[]).await;
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let provider = || Arc::new(ring::default_provider());
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let tls = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let trusting = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let section = section(|to| {
        to.sentinel_address = vec![address];
        to.sentinel_master_name = "main".to_owned();
        to.sentinel_user = "asker".to_owned();
        to.sentinel_password = Secret::new("letmein");
        to.sentinel_client_name = "gyre-asks".to_owned();
        to.sentinel_tls.enabled = true;
    });
    let clients = TlsClients {
        redis: None,
        sentinel: Some(Arc::new(trusting)),
    };
    let options = Options::new(&section, &clients, IN_TIME).unwrap();
    let opened = Opened::with(options, Arc::new(()));
    let tls = Arc::new(tls);
    let questions = async {
        loop {
            let heard = sentinel(&listener, Arc::clone(&tls), server.port).await;
            for wanted in [
                "AUTH asker letmein",
                "CLIENT SETNAME gyre-asks",
                "SENTINEL MASTER main",
            ] {
                assert!(heard.contains(wanted), "{heard}");
            }
        }
    };
    tokio::select! {
        () = questions => {}
        published = publish(&opened, "news") => drop(published.unwrap()),
    }
    opened.close().await;
}

/// A sentinel for one question: what it was told, as words with spaces between.
async fn sentinel(listener: &TcpListener, tls: Arc<ServerConfig>, port: u16) -> String {
    let (stream, _) = listener.accept().await.unwrap();
    let stream = TlsAcceptor::from(tls).accept(stream).await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut heard = String::new();
    loop {
        let command = command(&mut stream).await;
        heard += &(command.clone() + "\n");
        let port = port.to_string();
        let answer = match command.split(' ').next().unwrap() {
            "HELLO" => "%1\r\n+proto\r\n:3\r\n".to_owned(),
            "SENTINEL" => {
                format!("%3\r\n+ip\r\n+127.0.0.1\r\n+port\r\n+{port}\r\n+config-epoch\r\n+0\r\n")
            }
            _ => "+OK\r\n".to_owned(),
        };
        stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
        if command.starts_with("SENTINEL") {
            stream.get_mut().flush().await.unwrap();
            // As real ones do, it leaves the end to who asked, who may go without a word.
            let _ = stream.read_to_end(&mut Vec::new()).await;
            return heard;
        }
    }
}

/// One command in the form of the protocol: `*2`, `$4`, `PING` and so on, each a line.
async fn command<S: AsyncBufReadExt + Unpin>(stream: &mut S) -> String {
    let mut words = Vec::new();
    for _ in 0..number(stream).await {
        let mut word = vec![0; number(stream).await];
        stream.read_exact(&mut word).await.unwrap();
        stream.read_line(&mut String::new()).await.unwrap();
        words.push(String::from_utf8(word).unwrap());
    }
    words.join(" ")
}

async fn number<S: AsyncBufReadExt + Unpin>(stream: &mut S) -> usize {
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    line.get(1..).unwrap().trim().parse().unwrap()
}
