//! A Redis that is not there or refuses: processes say so at once, and go on by themselves.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::client::Link;
use crate::http;
use crate::processes::Process;
use crate::servers::{Server, until};
use crate::world::{Redis, config, directory};

/// Longer is a hang. Generous: machines are busy.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// What Redis says of a user or password that it does not know.
const NO_USER: &str = "WRONGPASS";

const PROCESSES: [&str; 2] = ["gyre-gateway", "gyre-api"];

/// Starts a gateway and an API: they live, are not ready, answer in time, and their log has this
/// reason. Then it is mended, and they serve.
async fn is_said(server: Server, why: &str, mend: impl AsyncFnOnce(&mut Server)) {
    let directory = directory();
    let mut redis = Redis::One(server);
    let mut config = config(&redis);
    if why == NO_USER {
        config["engine"]["redis"]["user"] = json!("gyre");
        config["engine"]["redis"]["password"] = json!("secret");
    }
    let processes = PROCESSES.map(|binary| Process::start(binary, &directory, binary, &config));
    for process in &processes {
        waits(process).await;
    }
    let client = Link::open(processes[0].port).await;
    assert!(client.is_err(), "a gateway that nobody knows has clients");
    let begun = Instant::now();
    let answer = publish(&processes[1]).await;
    assert_eq!(answer["error"]["code"], json!(100), "{answer}");
    assert!(begun.elapsed() < ANSWER_MAX, "{:?}", begun.elapsed());
    for process in &processes {
        until("its log says why", || async { process.log().contains(why) }).await;
    }

    mend(&mut redis.servers_mut()[0]).await;
    for process in &processes {
        serves(process).await;
    }
    Link::open(processes[0].port).await.unwrap();
    let answer = publish(&processes[1]).await;
    assert_eq!(answer["result"]["offset"], json!(1), "{answer}");
    drop(std::fs::remove_dir_all(&directory));
}

/// A process lives, and is not ready.
async fn waits(process: &Process) {
    let (status, _) = http::get(process.port, "/health").await.unwrap();
    assert_eq!(status, 200, "it lives");
    let (status, said) = http::get(process.port, "/ready").await.unwrap();
    assert_eq!(status, 503, "{said}");
    assert!(said.contains("engine.redis"), "{said}");
}

/// Waits until a process is ready.
async fn serves(process: &Process) {
    until("it is ready", || async {
        let ready = http::get(process.port, "/ready").await;
        ready.is_ok_and(|(status, _)| status == 200)
    })
    .await;
}

async fn publish(api: &Process) -> Value {
    let body = json!({"channel": "news", "data": {}});
    http::call(api.port, "publish", &body).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn redis_is_not_there_at_start() {
    let mut server = Server::start(&[]).await;
    server.kill();
    let mend = async |server: &mut Server| server.start_again().await;
    is_said(server, "Connection refused", mend).await;
}

/// What the client gets for a command; its pings are answered meanwhile.
async fn answer(link: &mut Link, command: Value) -> Value {
    let closed = Mutex::default();
    link.say(&command).await.unwrap();
    loop {
        let messages = link.read(&closed).await;
        let messages = messages.unwrap_or_else(|end| panic!("{end}, closed with {closed:?}"));
        for message in messages {
            if message == json!({}) {
                link.say(&json!({})).await.unwrap();
            } else if message["id"] == command["id"] {
                return message;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn who_subscribes_while_redis_is_away_stays_and_tries_again() {
    let directory = directory();
    let mut redis = Redis::One(Server::start(&[]).await);
    let config = config(&redis);
    let gateway = Process::start("gyre-gateway", &directory, "gateway", &config);
    let mut link = Link::open(gateway.port).await.unwrap();
    answer(&mut link, json!({"id": 1, "connect": {}})).await;
    redis.servers_mut()[0].kill();
    let subscribe = json!({"id": 2, "subscribe": {"channel": "news", "recover": true}});
    let refused = answer(&mut link, subscribe).await;
    assert_eq!(refused["error"]["code"], json!(100), "{refused}");
    assert_eq!(refused["error"]["temporary"], json!(true), "{refused}");

    redis.servers_mut()[0].start_again().await;
    serves(&gateway).await;
    let mut id = 3;
    let taken = loop {
        let subscribe = json!({"id": id, "subscribe": {"channel": "news", "positioned": true}});
        let taken = answer(&mut link, subscribe).await;
        if taken["error"]["temporary"] != json!(true) {
            break taken;
        }
        id += 1;
    };
    assert_eq!(taken["subscribe"]["positioned"], json!(true), "{taken}");
    drop(std::fs::remove_dir_all(&directory));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn redis_does_not_know_the_password() {
    let server = Server::start(&[]).await;
    let mend = async |server: &mut Server| {
        let user = [
            "ACL", "SETUSER", "gyre", "on", ">secret", "~*", "&*", "+@all",
        ];
        server.run::<()>(&user).await;
    };
    is_said(server, NO_USER, mend).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn redis_is_a_replica() {
    let primary = Server::start(&[]).await;
    let port = primary.port.to_string();
    let server = Server::start(&["--replicaof", "127.0.0.1", &port]).await;
    let mend = async |server: &mut Server| server.run(&["REPLICAOF", "NO", "ONE"]).await;
    is_said(server, "is a replica", mend).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn a_process_that_must_have_redis_ends_without() {
    let mut server = Server::start(&[]).await;
    server.kill();
    let directory = directory();
    let mut config = config(&Redis::One(server));
    config["engine"]["redis"]["fail_at_start"] = json!(true);
    for binary in PROCESSES {
        let process = Process::prepare(binary, &directory, binary, &config);
        let (code, log) = tokio::task::block_in_place(|| process.fail());
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains("redis does not answer at start"), "{log}");
    }
    drop(std::fs::remove_dir_all(&directory));
}
