//! Gateways hand their clients over.

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

const CHANNELS: usize = 50;

/// Subscribed at once: more would wait for each other.
const SUBSCRIBE_AT_ONCE: usize = 200;

/// Longer is for ever.
const DRAIN_MAX: Duration = Duration::from_secs(60);

/// Gateways that go, and what they have.
struct Leaving {
    gateways: &'static [&'static str],
    /// On all of them together.
    clients: u32,
    /// Connections handed over per second, by all of them together.
    rate: u32,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn five_thousand_clients_move_and_miss_nothing() {
    let leaving = Leaving {
        gateways: &["leaving"],
        clients: 5_000,
        rate: 1_000,
    };
    leaving.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn two_gateways_that_go_share_one_rate() {
    let leaving = Leaving {
        gateways: &["one", "other"],
        clients: 2_000,
        rate: 500,
    };
    leaving.leave().await;
}

impl Leaving {
    async fn leave(&self) {
        let directory = directory();
        let redis = Redis::One(Server::start(&[]).await);
        let mut config = config(&redis);
        config["drain"] = json!({"rate": self.rate, "timeout": "60s"});
        config["client"]["ping_interval"] = json!("60s");
        let start = |binary, name| Process::start(binary, &directory, name, &config);
        let staying = start("gyre-gateway", "staying");
        let names = self.gateways.iter();
        let mut leaving: Vec<Process> = names.map(|name| start("gyre-gateway", name)).collect();
        let api = start("gyre-api", "api");
        let judge = Judge::default();
        let clients = Clients::new(&judge, &[]);
        let mut tasks = JoinSet::new();
        for gateway in &leaving {
            let own = Clients {
                gateways: vec![gateway.port, staying.port],
                ..clients.clone()
            };
            self.subscribe(&own, &mut tasks).await;
        }

        for name in self.gateways {
            let body = json!({"gateway": name});
            let answer = http::call(api.port, "drain", &body).await.unwrap();
            let known = answer["result"]["gateways"].as_array().unwrap().len();
            assert_eq!(known, self.gateways.len() + 1, "{answer}");
        }
        let took = self.publish_until_all_have_moved(&clients, api.port).await;
        for process in &mut leaving {
            let code = tokio::task::block_in_place(|| process.wait());
            assert_eq!(code, Some(0), "nothing was cut: {}", process.log());
        }
        let (broken, line) = judge.verdict();
        println!("{} clients moved in {took:.2?}: {line}", self.clients);
        assert_eq!(broken, [""; 0]);
        assert!(clients.closed.lock().iter().all(|code| *code == 3001));
        let ratio = took.as_secs_f64() * f64::from(self.rate) / f64::from(self.clients);
        assert!((ratio - 1.0).abs() < 0.3, "{ratio} times what was expected");
        clients.is_over.store(true, Ordering::Relaxed);
        tasks.abort_all();
        drop(std::fs::remove_dir_all(&directory));
    }

    /// A gateway's share of the clients begins there.
    async fn subscribe(&self, clients: &Clients, tasks: &mut JoinSet<()>) {
        let before = clients.subscribed.load(Ordering::Relaxed);
        let own = self.clients as usize / self.gateways.len();
        for number in 0..own {
            let channel = format!("channel{}", number % CHANNELS);
            tasks.spawn(clients.clone().stay(0, channel));
            if number % SUBSCRIBE_AT_ONCE == SUBSCRIBE_AT_ONCE - 1 {
                until("they are subscribed", || {
                    let count = clients.subscribed.load(Ordering::Relaxed) - before;
                    async move { count > number }
                })
                .await;
            }
        }
    }

    /// Publishes meanwhile: how long the moving took. In the end everybody has everything.
    async fn publish_until_all_have_moved(&self, clients: &Clients, api: u16) -> Duration {
        let started = Instant::now();
        let mut begun = started;
        let mut tops = vec![At::default(); CHANNELS];
        for number in 0.. {
            let moved = clients.closed.lock().len();
            if moved == 0 {
                begun = Instant::now();
            }
            if moved >= self.clients as usize {
                break;
            }
            assert!(started.elapsed() < DRAIN_MAX, "it takes for ever");
            tops[number % CHANNELS] = publish(&clients.judge, api, number).await;
        }
        let took = begun.elapsed();
        for (number, top) in tops.iter().enumerate() {
            let channel = format!("channel{number}");
            until("everybody has everything", || {
                let is_there = clients.judge.all_are_at(&channel, top);
                async move { is_there }
            })
            .await;
        }
        took
    }
}

/// Publishes a message: where it lies.
async fn publish(judge: &Judge, api: u16, number: usize) -> At {
    let channel = format!("channel{}", number % CHANNELS);
    let message = format!("message {number}");
    let body = json!({"channel": channel, "data": message});
    let answer = http::call(api, "publish", &body).await.unwrap();
    let at = At {
        epoch: answer["result"]["epoch"].as_str().unwrap().to_owned(),
        offset: answer["result"]["offset"].as_u64().unwrap(),
    };
    judge.acknowledged(&channel, &message, &at);
    at
}
