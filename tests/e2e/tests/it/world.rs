//! Everything of a test: Redis, two gateways, two APIs, clients and publishers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::Clients;
use crate::http::{self, KEY};
use crate::judge::{At, Judge};
use crate::outage::Outage;
use crate::processes::Process;
use crate::publisher::Publisher;
use crate::servers::{Cluster, Server};

/// Channels of a test. Eight: they lie on all primaries.
const CHANNELS: usize = 8;

/// Subscribers of each.
const SUBSCRIBERS: usize = 2;

/// Longest wait for the first subscriptions.
const SUBSCRIBE_MAX: Duration = Duration::from_secs(20);

/// Redis under a test.
pub(crate) enum Redis {
    One(Server),
    Cluster(Cluster),
}

impl Redis {
    fn section(&self) -> Value {
        match self {
            Self::One(server) => json!({"address": [server.address()]}),
            Self::Cluster(cluster) => json!({"cluster_address": cluster.addresses()}),
        }
    }

    pub(crate) fn servers(&self) -> &[Server] {
        match self {
            Self::One(server) => std::slice::from_ref(server),
            Self::Cluster(cluster) => &cluster.servers,
        }
    }

    pub(crate) fn servers_mut(&mut self) -> &mut [Server] {
        match self {
            Self::One(server) => std::slice::from_mut(server),
            Self::Cluster(cluster) => &mut cluster.servers,
        }
    }

    /// Waits until it serves as it did before.
    async fn is_whole(&self) {
        match self {
            Self::One(server) => server.answers().await,
            Self::Cluster(cluster) => cluster.is_whole().await,
        }
    }
}

pub(crate) struct World {
    pub(crate) redis: Redis,
    pub(crate) gateways: Vec<Process>,
    pub(crate) apis: Vec<Process>,
    pub(crate) clients: Clients,
    pub(crate) judge: Judge,
    /// The last fault that was measured.
    pub(crate) outage: Option<Outage>,
    publishing: Arc<AtomicBool>,
    pub(crate) tasks: JoinSet<()>,
    publishers: JoinSet<()>,
    directory: PathBuf,
}

/// What every process is configured with.
pub(crate) fn config(redis: &Redis) -> Value {
    json!({
        "engine": {"type": "redis", "redis": redis.section()},
        "links": {"key": "shared"},
        "health": {"enabled": true},
        "http_api": {"key": KEY},
        "drain": {"rate": 20, "timeout": "60s"},
        "client": {"insecure": true, "ping_interval": "5s", "pong_timeout": "3s"},
        "channel": {"without_namespace": {
            "history_size": 5000, "history_ttl": "10m", "allow_recovery": true,
            "allow_positioning": true, "presence": true,
        }},
    })
}

pub(crate) fn directory() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("gyre-e2e-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

impl World {
    /// Starts everything; subscribers are there before anything is published.
    pub(crate) async fn start(redis: Redis) -> Self {
        let directory = directory();
        let config = config(&redis);
        let start = |binary, name| Process::start(binary, &directory, name, &config);
        let gateways = vec![start("gyre-gateway", "g0"), start("gyre-gateway", "g1")];
        let apis = vec![start("gyre-api", "a0"), start("gyre-api", "a1")];
        let ports = |of: &[Process]| of.iter().map(|one| one.port).collect::<Vec<u16>>();
        let judge = Judge::default();
        let mut world = Self {
            clients: Clients::new(&judge, &ports(&gateways)),
            publishing: Arc::default(),
            tasks: JoinSet::new(),
            publishers: JoinSet::new(),
            redis,
            gateways,
            apis,
            judge,
            outage: None,
            directory,
        };
        world.subscribe().await;
        let publisher = Publisher {
            judge: world.judge.clone(),
            apis: ports(&world.apis),
            is_over: Arc::clone(&world.publishing),
        };
        for channel in channels() {
            world.publishers.spawn(publisher.clone().publish(channel));
        }
        world
    }

    async fn subscribe(&mut self) {
        for (number, channel) in channels().enumerate() {
            for turn in 0..SUBSCRIBERS {
                let client = self.clients.clone();
                self.tasks
                    .spawn(client.stay(number + turn, channel.clone()));
            }
        }
        let started = tokio::time::Instant::now();
        while self.clients.subscribed.load(Ordering::Relaxed) < CHANNELS * SUBSCRIBERS {
            let end = self.clients.last_end.lock().clone();
            assert!(
                started.elapsed() < SUBSCRIBE_MAX,
                "not everybody is subscribed: {end}"
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Lets it run for a while: faults are spread over time, and so is what they do.
    pub(crate) async fn go_on(&self, time: Duration) {
        sleep(time).await;
    }

    /// Waits until everything works again and everybody has what there is, then judges.
    pub(crate) async fn end(mut self, what: &str) {
        self.redis.is_whole().await;
        self.publishing.store(true, Ordering::Relaxed);
        while self.publishers.join_next().await.is_some() {}
        for channel in channels() {
            self.catch_up(&channel).await;
        }
        let (broken, line) = self.judge.verdict();
        println!("{what}: {line}");
        let codes = self.clients.closed.lock().clone();
        let are_fine = codes.iter().all(|code| [3001, 3010].contains(code));
        if !broken.is_empty() || !are_fine {
            for process in self.gateways.iter().chain(&self.apis) {
                println!("{}", process.log());
            }
        }
        assert!(broken.is_empty(), "{what}: {broken:#?}");
        assert!(are_fine, "{what}: closed with {codes:?}");
        self.clients.is_over.store(true, Ordering::Relaxed);
        self.tasks.abort_all();
        drop(std::fs::remove_dir_all(&self.directory));
    }

    /// Everybody in a channel has come to its top: nothing is on its way any more.
    async fn catch_up(&self, channel: &str) {
        let port = self.apis[0].port;
        for _ in 0..600 {
            let body = json!({"channel": channel, "limit": 0});
            if let Ok(answer) = http::call(port, "history", &body).await
                && let Some(epoch) = answer["result"]["epoch"].as_str()
            {
                let top = At {
                    epoch: epoch.to_owned(),
                    offset: answer["result"]["offset"].as_u64().unwrap_or_default(),
                };
                if self.judge.all_are_at(channel, &top) {
                    return;
                }
            }
            sleep(Duration::from_millis(100)).await;
        }
        println!("{channel}: not everybody came to the top");
        for (number, at) in self.judge.places(channel) {
            println!("{number}: {at:?}");
        }
        for process in self.gateways.iter().chain(&self.apis) {
            println!("{}", process.log());
        }
        panic!("{channel}: subscribers were left behind without a word");
    }
}

/// The channels of a test.
pub(crate) fn channels() -> impl Iterator<Item = String> {
    (0..CHANNELS).map(|number| format!("channel{number}"))
}
