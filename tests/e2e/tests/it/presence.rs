//! Who is in a channel and which gateways there are, when a gateway dies.

use serde_json::{Value, json};

use crate::client::Link;
use crate::http;
use crate::processes::Process;
use crate::servers::{Server, until};
use crate::world::{Redis, config, directory};

/// How many an API's answer shows, if it answers.
async fn count(port: u16, method: &str, pointer: &str) -> Option<usize> {
    let body = json!({"channel": "room"});
    let answer = http::call(port, method, &body).await.ok()?;
    match answer.pointer(pointer)? {
        Value::Object(members) => Some(members.len()),
        Value::Array(nodes) => Some(nodes.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn members_of_a_dead_gateway_vanish_with_its_lease() {
    let directory = directory();
    let redis = Redis::One(Server::start(&[]).await);
    let mut config = config(&redis);
    config["engine"]["redis"]["presence_ttl"] = json!("2s");
    config["engine"]["redis"]["gateway_ttl"] = json!("2s");
    let start = |binary, name| Process::start(binary, &directory, name, &config);
    let (mut dying, living) = (
        start("gyre-gateway", "dying"),
        start("gyre-gateway", "living"),
    );
    let api = start("gyre-api", "api");
    let mut links = Vec::new();
    for port in [dying.port, living.port, living.port] {
        let mut link = Link::open(port).await.unwrap();
        link.say(&json!({"id": 1, "connect": {}})).await.unwrap();
        let subscribe = json!({"id": 2, "subscribe": {"channel": "room"}});
        link.say(&subscribe).await.unwrap();
        links.push(link);
    }
    let members = |expected: usize| async move {
        count(api.port, "presence", "/result/presence").await == Some(expected)
    };
    until("all three are seen, whichever gateway they are at", || {
        members(3)
    })
    .await;
    dying.kill();
    let answer = http::call(api.port, "disconnect", &json!({"user": "nobody"})).await;
    let named = answer.unwrap()["error"]["unanswered"].to_string();
    assert_eq!(named, "[\"dying\"]", "the API says who did not answer");
    until("the dead gateway's member is gone", || members(2)).await;
    until("the dead gateway is out of the registry", || async {
        count(api.port, "info", "/result/nodes").await == Some(1)
    })
    .await;
    let answer = http::call(api.port, "disconnect", &json!({"user": "nobody"})).await;
    assert_eq!(answer.unwrap(), json!({"result": {}}));
    drop(std::fs::remove_dir_all(&directory));
}
