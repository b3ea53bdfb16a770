//! What publishing over one Redis on this machine costs. Starts `redis-server` by itself.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark reports on standard output and stops at the first surprise"
)]

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use gyre_config::engine::Redis;
use gyre_engine::{
    Broker, Delivered, Engine, HistoryQuery, Inlet, Publish, PublishOptions, Retention,
};
use gyre_engine_redis::{Metrics, Options, RedisEngine, TlsClients};
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_runtime::{Clock, Tasks};
use gyre_telemetry::Registry;
use gyre_types::ChannelName;

const CHANNELS: usize = 1000;
const COUNT: usize = 50_000;
/// Ticks of `/proc/self/stat` in a second.
const TICKS_PER_SECOND: f64 = 100.0;

const RETENTION: Retention = Retention {
    size: 100,
    ttl: Duration::from_secs(300),
    meta_ttl: Some(Duration::from_secs(3600)),
};

/// Counts what arrives.
#[derive(Default)]
struct Counter(AtomicU64);

impl Inlet for Counter {
    fn on_publication(&self, _channel: &ChannelName, _delivered: Delivered) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn on_join(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {}

    fn on_leave(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {}

    fn on_gap(&self, _channel: &ChannelName) {}
}

/// A server that ends with the benchmark.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let port = gyre_ports::free_port().unwrap();
        let child = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::main]
async fn main() {
    let server = Server::start();
    let section = Redis {
        address: vec![format!("127.0.0.1:{}", server.port)],
        ..Redis::default()
    };
    let open = |inlet| async {
        let tasks = Tasks::default();
        let options = Options::new(&section, &TlsClients::default(), RETENTION.ttl).unwrap();
        let metrics = Metrics::new(&Registry::new("gyre").unwrap()).unwrap();
        let opened = RedisEngine::open(options, inlet, &Clock::start(), &tasks, &metrics);
        opened.ready().await.unwrap();
        (opened.engine(), tasks)
    };
    let (publisher, _tasks) = open(Arc::new(Counter::default())).await;
    let kept = PublishOptions {
        retention: Some(RETENTION),
        ..PublishOptions::default()
    };
    let pid = server.child.id();
    for at_once in [1, 64, 512] {
        measure("publish with history", &publisher, kept, at_once, pid).await;
        measure(
            "publish without",
            &publisher,
            PublishOptions::default(),
            at_once,
            pid,
        )
        .await;
    }

    let counter = Arc::new(Counter::default());
    let (subscriber, _others) = open(Arc::clone(&counter)).await;
    for channel in channels() {
        subscriber.broker.subscribe(&channel).await.unwrap();
    }
    measure(
        "with history, to another process",
        &publisher,
        kept,
        64,
        pid,
    )
    .await;
    println!("  arrived: {}", counter.0.load(Ordering::Relaxed));
    reads(&publisher, pid).await;
}

fn channels() -> Vec<ChannelName> {
    let names = (0..CHANNELS).map(|number| ChannelName::new(&format!("channel:{number}")));
    names.collect::<Result<_, _>>().unwrap()
}

async fn measure(
    name: &str,
    engine: &Engine,
    options: PublishOptions<'static>,
    at_once: usize,
    server: u32,
) {
    let count = if at_once == 1 { COUNT / 10 } else { COUNT };
    let publication = Publication {
        data: Bytes::from_owner([b'x'; 256]),
        ..Publication::default()
    };
    let channels = channels();
    let (begun, own, its) = (Instant::now(), cpu("self"), cpu(&server.to_string()));
    let publishers = (0..at_once).map(|publisher| {
        let (channels, publication) = (&channels, &publication);
        let broker = &engine.broker;
        async move {
            for number in 0..count / at_once {
                let channel = &channels[(publisher * 7 + number) % CHANNELS];
                let publish = Publish {
                    publication,
                    options,
                };
                broker.publish(channel, publish).await.unwrap();
            }
        }
    });
    join_all(publishers).await;
    report(
        &format!("{name}, {at_once} at once"),
        count,
        begun,
        own,
        its,
        server,
    );
}

async fn reads(engine: &Engine, server: u32) {
    let channels = channels();
    let broker: &dyn Broker = &*engine.broker;
    let (begun, own, its) = (Instant::now(), cpu("self"), cpu(&server.to_string()));
    let readers = (0..64).map(|reader| {
        let channels = &channels;
        async move {
            for number in 0..COUNT / 64 / 4 {
                let query = HistoryQuery {
                    limit: Some(10),
                    ..HistoryQuery::default()
                };
                let channel = &channels[(reader * 7 + number) % CHANNELS];
                broker.history(channel, query).await.unwrap();
            }
        }
    });
    join_all(readers).await;
    report("read 10, 64 at once", COUNT / 4, begun, own, its, server);
}

fn report(name: &str, count: usize, begun: Instant, own: f64, its: f64, server: u32) {
    let seconds = begun.elapsed().as_secs_f64();
    let (own, its) = (cpu("self") - own, cpu(&server.to_string()) - its);
    let each = |seconds: f64| seconds * 1e6 / count as f64;
    println!(
        "{name:44} {:8.0} /s  {:6.1} µs each, CPU {:5.1} here, {:5.1} in redis",
        count as f64 / seconds,
        each(seconds),
        each(own),
        each(its),
    );
}

/// CPU time of a process so far. Unit: seconds.
fn cpu(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum::<f64>()
        / TICKS_PER_SECOND
}
