//! One of two gateways hands its clients over.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::client::Clients;
use crate::http;
use crate::judge::{At, Judge};
use crate::processes::Process;
use crate::servers::{Server, until};
use crate::world::{Redis, config, directory};

const CLIENTS: usize = 5_000;

const CHANNELS: usize = 50;

/// Connections handed over per second.
const RATE: f64 = 1_000.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn five_thousand_clients_move_and_miss_nothing() {
    let directory = directory();
    let redis = Redis::One(Server::start(&[]).await);
    let config = draining(&redis);
    let start = |binary, name| Process::start(binary, &directory, name, &config);
    let mut leaving = start("gyre-gateway", "leaving");
    let staying = start("gyre-gateway", "staying");
    let api = start("gyre-api", "api");
    let judge = Judge::default();
    let clients = Clients::new(&judge, &[leaving.port, staying.port]);
    let mut tasks = subscribe(&clients).await;

    let answer = http::call(api.port, "drain", &json!({"gateway": "leaving"}))
        .await
        .unwrap();
    assert_eq!(
        answer["result"]["gateways"].as_array().unwrap().len(),
        2,
        "{answer}"
    );
    let started = Instant::now();
    let mut begun = started;
    let mut published = 0;
    let mut tops = vec![At::default(); CHANNELS];
    while clients.closed.lock().len() < CLIENTS {
        let number = published % CHANNELS;
        published += 1;
        let channel = format!("channel{number}");
        let message = format!("message {published}");
        let body = json!({"channel": channel, "data": message});
        let answer = http::call(api.port, "publish", &body).await.unwrap();
        let at = At {
            epoch: answer["result"]["epoch"].as_str().unwrap().to_owned(),
            offset: answer["result"]["offset"].as_u64().unwrap(),
        };
        judge.acknowledged(&channel, &message, &at);
        tops[number] = at;
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "it takes for ever"
        );
        if clients.closed.lock().is_empty() {
            begun = Instant::now();
        }
    }
    let took = begun.elapsed().as_secs_f64();
    let code = tokio::task::block_in_place(|| leaving.wait());
    assert_eq!(code, Some(0), "nothing was cut: {}", leaving.log());
    for (number, top) in tops.iter().enumerate() {
        let channel = format!("channel{number}");
        until("everybody has everything", || {
            let is_there = judge.all_are_at(&channel, top);
            async move { is_there }
        })
        .await;
    }
    let (broken, line) = judge.verdict();
    println!(
        "{CLIENTS} clients moved in {took:.2} s while {published} messages were published: {line}"
    );
    assert_eq!(broken, [""; 0]);
    assert!(clients.closed.lock().iter().all(|code| *code == 3001));
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let expected = CLIENTS as f64 / RATE;
    assert!(
        (took / expected - 1.0).abs() < 0.3,
        "{took} s, expected {expected}"
    );
    clients.is_over.store(true, Ordering::Relaxed);
    tasks.abort_all();
    drop(std::fs::remove_dir_all(&directory));
}

/// All begin at the gateway that goes.
async fn subscribe(clients: &Clients) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for number in 0..CLIENTS {
        let channel = format!("channel{}", number % CHANNELS);
        tasks.spawn(clients.clone().stay(0, channel));
        if number % 200 == 199 {
            until("they are subscribed", || {
                let count = clients.subscribed.load(Ordering::Relaxed);
                async move { count > number }
            })
            .await;
        }
    }
    tasks
}

fn draining(redis: &Redis) -> serde_json::Value {
    let mut config = config(redis);
    config["drain"] = json!({"rate": 1_000, "timeout": "60s"});
    config["client"]["ping_interval"] = json!("60s");
    config
}
