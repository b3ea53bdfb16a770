//! What several processes say together: channels that come into use and go out of it, and when users were
//! there.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep};

use crate::client::Link;
use crate::http;
use crate::processes::Process;
use crate::servers::{Server, until};
use crate::world::{Redis, config, directory};

/// A backend that takes every event, and remembers them as `+channel` and `-channel`.
struct Backend {
    port: u16,
    told: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Backend {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = Arc::<Mutex<Vec<String>>>::default();
        let (mut serving, all) = (JoinSet::new(), Arc::clone(&told));
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let all = Arc::clone(&all);
                // A gateway that is killed breaks its connection.
                connections.spawn(async move { drop(answer(stream, &all).await) });
            }
        });
        Self {
            port,
            told,
            _serving: serving,
        }
    }

    async fn was_told(&self, expected: &[&str]) {
        until("the backend was told", || async {
            self.told.lock().len() >= expected.len()
        })
        .await;
        assert_eq!(*self.told.lock(), expected);
    }
}

/// Answers the calls of one connection.
async fn answer(mut stream: TcpStream, told: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut text = String::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        text.push_str(&String::from_utf8_lossy(&piece[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.to_lowercase();
        let length = length
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() < length.unwrap().parse().unwrap() {
            continue;
        }
        let body: Value = serde_json::from_str(body)?;
        for event in body["events"].as_array().unwrap() {
            let sign = if event["type"] == "occupied" {
                '+'
            } else {
                '-'
            };
            told.lock()
                .push(format!("{sign}{}", event["channel"].as_str().unwrap()));
        }
        text.clear();
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).await?;
    }
}

async fn subscribed(port: u16) -> Link {
    let mut link = Link::open(port).await.unwrap();
    link.say(&json!({"id": 1, "connect": {}})).await.unwrap();
    let subscribe = json!({"id": 2, "subscribe": {"channel": "room"}});
    link.say(&subscribe).await.unwrap();
    loop {
        let messages = link.read(&Mutex::default()).await.unwrap();
        if messages.iter().any(|message| message["id"] == json!(2)) {
            return link;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn a_channel_is_in_use_while_any_gateway_has_a_subscriber() {
    let directory = directory();
    let redis = Redis::One(Server::start(&[]).await);
    let backend = Backend::start().await;
    let mut config = config(&redis);
    config["engine"]["redis"]["presence_ttl"] = json!("3s");
    let endpoint = format!("http://127.0.0.1:{}/", backend.port);
    config["channel"]["proxy"] = json!({"state": {"endpoint": endpoint}});
    config["channel"]["state"] = json!({"vacated_event_delay": "100ms"});
    config["channel"]["without_namespace"]["state_proxy_enabled"] = json!(true);
    let start = |name| Process::start("gyre-gateway", &directory, name, &config);
    let (living, mut dying) = (start("living"), start("dying"));

    let first = subscribed(living.port).await;
    backend.was_told(&["+room"]).await;
    let second = subscribed(dying.port).await;
    drop(first);
    // Much longer than the delay; were it told, it would be told by now.
    sleep(Duration::from_secs(1)).await;
    backend.was_told(&["+room"]).await;
    dying.kill();
    backend.was_told(&["+room", "-room"]).await;
    drop(second);
    let _third = subscribed(living.port).await;
    backend.was_told(&["+room", "-room", "+room"]).await;
    drop(std::fs::remove_dir_all(&directory));
}

/// A connection of a user who may have one only, and how it ended: `None` as long as it has not.
struct Only {
    link: Link,
    closed: Mutex<Vec<u16>>,
}

impl Only {
    async fn connect(port: u16) -> Self {
        let link = Link::open_with(port, "X-User: ann\r\n").await.unwrap();
        let mut only = Self {
            link,
            closed: Mutex::default(),
        };
        only.link
            .say(&json!({"id": 1, "connect": {}}))
            .await
            .unwrap();
        only
    }

    /// Reads until it is closed.
    async fn end(&mut self) -> u16 {
        while self.link.read(&self.closed).await.is_ok() {}
        self.closed.lock().first().copied().unwrap_or_default()
    }

    /// Reads until it has an answer to a command.
    async fn is_served(&mut self) {
        let rpc = json!({"id": 7, "presence": {"channel": "#ann"}});
        self.link.say(&rpc).await.unwrap();
        loop {
            let messages = self.link.read(&self.closed).await.unwrap();
            if messages.iter().any(|message| message["id"] == json!(7)) {
                return;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn a_user_with_one_connection_has_it_at_one_gateway_only() {
    let directory = directory();
    let redis = Redis::One(Server::start(&[]).await);
    let mut config = config(&redis);
    config["client"] = json!({
        "user_id_http_header": "X-User",
        "subscribe_to_user_personal_channel": {"enabled": true, "single_connection": true},
    });
    let start = |name| Process::start("gyre-gateway", &directory, name, &config);
    let (one, other) = (start("one"), start("other"));
    let mut first = Only::connect(one.port).await;
    first.is_served().await;
    let mut second = Only::connect(other.port).await;
    assert_eq!(first.end().await, 3504);
    second.is_served().await;
    // Two that come at the same moment do not end each other.
    for _ in 0..20 {
        let (mut a, mut b) = tokio::join!(Only::connect(one.port), Only::connect(other.port));
        let (code, mut left) = tokio::select! {
            code = a.end() => (code, b),
            code = b.end() => (code, a),
        };
        assert_eq!(code, 3504);
        // What may be on its way to it arrives before the answer.
        sleep(Duration::from_millis(100)).await;
        left.is_served().await;
    }
    drop(std::fs::remove_dir_all(&directory));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn what_one_process_is_told_of_a_user_another_one_knows() {
    let directory = directory();
    let redis = Redis::One(Server::start(&[]).await);
    let mut config = config(&redis);
    config["user_status"] = json!({"enabled": true});
    let start = |binary, name| Process::start(binary, &directory, name, &config);
    let (one, other) = (start("gyre-api", "one"), start("gyre-api", "other"));
    let body = json!({"users": ["ann"], "state": "dnd"});
    let told = http::call(one.port, "update_user_status", &body)
        .await
        .unwrap();
    assert_eq!(told, json!({"result": {}}));
    let read = |users: &[&str]| {
        let body = json!({"users": users});
        async move {
            http::call(other.port, "get_user_status", &body)
                .await
                .unwrap()
        }
    };
    let status = &read(&["ann"]).await["result"]["statuses"][0];
    assert_eq!(status["state"], json!("dnd"), "{status}");
    assert!(status["active"].as_i64().unwrap() > 1_600_000_000);
    let body = json!({"users": ["ann"]});
    http::call(one.port, "delete_user_status", &body)
        .await
        .unwrap();
    let status = &read(&["ann"]).await["result"]["statuses"][0];
    assert_eq!(*status, json!({"user": "ann"}));
    drop(std::fs::remove_dir_all(&directory));
}
