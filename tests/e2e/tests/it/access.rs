//! Who is kept out everywhere, kept on Redis.

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::client::Link;
use crate::http;
use crate::processes::Process;
use crate::servers::Server;
use crate::world::{Redis, config, directory};

/// `{"sub":"ann"}`, with a signature that nobody looks at.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4ifQ.AAAA";

/// Connects as ann: the link, or the code that it is closed with.
async fn connect(gateway: &Process) -> Result<Link, Vec<u16>> {
    let mut link = Link::open(gateway.port).await.unwrap();
    let connect = json!({"id": 1, "connect": {"token": TOKEN}});
    link.say(&connect).await.unwrap();
    match closed(&mut link).await {
        Ok(_) => Ok(link),
        Err(codes) => Err(codes),
    }
}

/// What comes next, or the code that the link is closed with.
async fn closed(link: &mut Link) -> Result<Vec<Value>, Vec<u16>> {
    let codes = Mutex::default();
    let read = link.read(&codes).await;
    read.map_err(|_| codes.into_inner())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn a_blocked_user_is_out_everywhere_and_after_a_restart() {
    let directory = directory();
    let server = Server::start(&[]).await;
    let storage = json!({"storage_type": "redis", "redis": {"address": [server.address()]}});
    let redis = Redis::One(server);
    let mut config = config(&redis);
    config["client"] = json!({"insecure_skip_token_signature_verify": true});
    config["user_block"] = storage;
    let start = |binary, name| Process::start(binary, &directory, name, &config);
    let (one, mut other) = (start("gyre-gateway", "one"), start("gyre-gateway", "other"));
    let (api, second) = (start("gyre-api", "api"), start("gyre-api", "second"));
    let mut links = [connect(&one).await.unwrap(), connect(&other).await.unwrap()];

    let ann = json!({"user": "ann"});
    let answer = http::call(api.port, "block_user", &ann).await.unwrap();
    assert_eq!(answer, json!({"result": {}}));
    for link in &mut links {
        assert_eq!(closed(link).await, Err(vec![3507]));
    }
    other.kill();
    other.start_again();
    for gateway in [&one, &other] {
        assert_eq!(connect(gateway).await.err(), Some(vec![3507]));
    }

    // The API of another process lets her in again.
    let answer = http::call(second.port, "unblock_user", &ann).await.unwrap();
    assert_eq!(answer, json!({"result": {}}));
    for gateway in [&one, &other] {
        assert!(connect(gateway).await.is_ok());
    }
    drop(std::fs::remove_dir_all(&directory));
}
