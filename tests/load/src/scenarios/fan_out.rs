//! What a delivery costs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use anyhow::Result;
use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::time::{Duration, MissedTickBehavior, interval};

use super::{float, seconds, until};
use crate::args::Args;
use crate::client::{Client, Crowd, Format, Scratch, Take, gather};
use crate::payload::{self, Latencies};
use crate::report::{Value, value};
use crate::server::Server;
use crate::{grpc, http};

const SUBSCRIBERS: u32 = 1_000;
const RATE: u32 = 50;
const MANY_CHANNELS: u32 = 500;
const MANY_SUBSCRIBERS: u32 = 10;
const MANY_RATE: u32 = 2_000;
/// Requests on their way in `fanout-max`, and connections that share the rate of `many`.
const MAX_LANES: u32 = 2;
const MANY_LANES: u32 = 4;
/// Size of a publication's data.
const DATA_BYTES: usize = 128;
const CHANNEL: &str = "fan";

/// Subscribers that count what they get.
pub(super) struct Audience {
    pub crowd: Crowd,
    pub start: Instant,
    pub latencies: Rc<RefCell<Latencies>>,
    delivered: Rc<Cell<u64>>,
}

impl Audience {
    pub(super) fn of(clients: Vec<Client>, scratch: &Scratch) -> Result<Self> {
        let start = Instant::now();
        let latencies = Rc::new(RefCell::new(Latencies::new()?));
        let delivered = Rc::new(Cell::new(0));
        let (noted, counted) = (Rc::clone(&latencies), Rc::clone(&delivered));
        let take: Rc<Take> = Rc::new(move |frame: &[u8]| {
            let count = noted.borrow_mut().note(start, frame);
            counted.set(counted.get() + count);
        });
        Ok(Self {
            crowd: Crowd::listen(clients, scratch, &take),
            start,
            latencies,
            delivered,
        })
    }

    /// Publishes with `publish`, waits for the last delivery, and says what each cost. `per_publication` is how many
    /// deliveries one publication makes.
    async fn measure(
        &self,
        server: &Server,
        per_publication: u32,
        publish: impl Future<Output = Result<u64>>,
    ) -> Result<Vec<Value>> {
        let already = self.delivered.get();
        let (before, began) = (server.usage()?, Instant::now());
        let published = publish.await?;
        let expected = already + published * u64::from(per_publication);
        until("all deliveries have come", || {
            self.delivered.get() >= expected
        })
        .await?;
        let (took, after) = (began.elapsed().as_secs_f64(), server.usage()?);
        self.crowd.nobody_is_lost()?;
        let deliveries = float(self.delivered.get() - already);
        let latencies = self.latencies.borrow();
        Ok(vec![
            value(
                "CPU per delivery",
                "µs",
                (after.cpu_us - before.cpu_us) / deliveries,
            ),
            value("deliveries", "1/s", deliveries / took),
            value("latency p50", "ms", latencies.ms(0.5)),
            value("latency p99", "ms", latencies.ms(0.99)),
        ])
    }
}

async fn one_channel(server: &Server, format: Format) -> Result<Audience> {
    let scratch = Scratch::new();
    let clients = gather(server.address, SUBSCRIBERS, format, &scratch, |_| {
        vec![CHANNEL.to_owned()]
    })
    .await?;
    Audience::of(clients, &scratch)
}

pub(super) async fn paced(args: &Args, server: &Server) -> Result<Vec<Value>> {
    let audience = one_channel(server, Format::Json).await?;
    let publish = at_rate(server, RATE, args.seconds, audience.start, |_| {
        CHANNEL.to_owned()
    });
    audience.measure(server, SUBSCRIBERS, publish).await
}

pub(super) async fn over_grpc(args: &Args, server: &Server) -> Result<Vec<Value>> {
    let audience = one_channel(server, Format::Protobuf).await?;
    let mut api = grpc::Api::connect(server.grpc).await?;
    let publish = async {
        let mut tick = interval(Duration::from_secs(1) / RATE);
        for number in 1..=u64::from(RATE * args.seconds) {
            tick.tick().await;
            api.publish(
                CHANNEL,
                Bytes::from(payload::data(audience.start, number, DATA_BYTES)),
            )
            .await?;
        }
        Ok(u64::from(RATE * args.seconds))
    };
    audience.measure(server, SUBSCRIBERS, publish).await
}

pub(super) async fn fastest(args: &Args, server: &Server) -> Result<Vec<Value>> {
    let audience = one_channel(server, Format::Json).await?;
    let deadline = Instant::now() + seconds(args.seconds);
    let lane = || async {
        let mut api = http::Api::connect(server.address).await?;
        let mut published = 0;
        while Instant::now() < deadline {
            published += 1;
            api.call(
                "publish",
                &body(
                    CHANNEL,
                    &payload::data(audience.start, published, DATA_BYTES),
                ),
            )
            .await?;
        }
        Ok::<u64, anyhow::Error>(published)
    };
    let publish = async {
        Ok(try_join_all((0..MAX_LANES).map(|_| lane()))
            .await?
            .into_iter()
            .sum())
    };
    audience.measure(server, SUBSCRIBERS, publish).await
}

pub(super) async fn many(args: &Args, server: &Server) -> Result<Vec<Value>> {
    let scratch = Scratch::new();
    let channel = |n: u32| format!("many-{}", n % MANY_CHANNELS);
    let count = MANY_CHANNELS * MANY_SUBSCRIBERS;
    let clients = gather(server.address, count, Format::Json, &scratch, |n| {
        vec![channel(n)]
    })
    .await?;
    let audience = Audience::of(clients, &scratch)?;
    let lane = |lane: u32| {
        let name = move |n: u32| channel(lane + n * MANY_LANES);
        at_rate(
            server,
            MANY_RATE / MANY_LANES,
            args.seconds,
            audience.start,
            name,
        )
    };
    let publish = async {
        Ok(try_join_all((0..MANY_LANES).map(lane))
            .await?
            .into_iter()
            .sum())
    };
    audience.measure(server, MANY_SUBSCRIBERS, publish).await
}

/// Publishes over one HTTP connection, so many a second; what is late is caught up. Returns how many.
async fn at_rate(
    server: &Server,
    rate: u32,
    for_seconds: u32,
    start: Instant,
    channel: impl Fn(u32) -> String,
) -> Result<u64> {
    paced_data(server, rate, for_seconds, |n| {
        body(&channel(n), &payload::data(start, u64::from(n), DATA_BYTES))
    })
    .await
}

/// The same with bodies of the caller's.
pub(super) async fn paced_data(
    server: &Server,
    rate: u32,
    for_seconds: u32,
    body: impl Fn(u32) -> String,
) -> Result<u64> {
    let mut api = http::Api::connect(server.address).await?;
    let mut tick = interval(Duration::from_secs(1) / rate);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0..rate * for_seconds {
        tick.tick().await;
        api.call("publish", &body(number)).await?;
    }
    Ok(u64::from(rate * for_seconds))
}

/// Body of an HTTP publish.
pub(super) fn body(channel: &str, data: &str) -> String {
    format!(r#"{{"channel":"{channel}","data":{data}}}"#)
}
