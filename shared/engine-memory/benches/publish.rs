//! What operations of the engine cost on one thread, in channels without subscribers.

#![expect(
    clippy::print_stdout,
    reason = "a benchmark reports on standard output"
)]

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gyre_engine::{BoxFuture, HistoryQuery, Publish, PublishOptions, Retention};
use gyre_engine_memory::MemoryEngine;
use gyre_protocol::messages::Publication;
use gyre_types::{ChannelName, Now};

/// The best of them counts: the others were disturbed.
const ROUNDS: usize = 15;
const COUNT: u32 = 100_000;
const CHANNELS: usize = 1000;

const RETENTION: Retention = Retention {
    size: 100,
    ttl: Duration::from_secs(300),
    meta_ttl: Some(Duration::from_secs(3600)),
};

fn main() {
    let start = Instant::now();
    let clock = move || Now::default() + start.elapsed();
    let memory = MemoryEngine::open(Arc::new(()), clock);
    let broker = memory.engine().broker;
    let channels: Vec<ChannelName> = (0..CHANNELS)
        .filter_map(|number| ChannelName::new(&format!("channel:{number}")).ok())
        .collect();
    let publication = Publication {
        data: Bytes::from_owner([b'x'; 256]),
        ..Publication::default()
    };
    let passing = PublishOptions::default();
    let kept = PublishOptions {
        retention: Some(RETENTION),
        ..passing
    };

    measure("a boxed future", || {
        let value = black_box([0_u64; 20]);
        let future: BoxFuture<'_, u64> = Box::pin(async move { value.into_iter().sum() });
        black_box(now(black_box(future)));
    });
    measure("the clock", || {
        black_box(clock());
    });
    for (name, options) in [
        ("publish without history", passing),
        ("publish with history", kept),
    ] {
        let mut channels = channels.iter().cycle();
        measure(name, || {
            let publish = Publish {
                publication: &publication,
                options,
            };
            let channel = channels.next();
            let _ = black_box(channel.and_then(|channel| now(broker.publish(channel, publish))));
        });
    }
    let query = HistoryQuery {
        limit: Some(0),
        ..HistoryQuery::default()
    };
    let mut channels = channels.iter().cycle();
    measure("read of a position", || {
        let channel = channels.next();
        let _ = black_box(channel.and_then(|channel| now(broker.history(channel, query))));
    });
}

/// Prints how long the operation takes.
fn measure(name: &str, mut operation: impl FnMut()) {
    let best = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..COUNT).for_each(|_| operation());
            start.elapsed()
        })
        .min()
        .unwrap_or_default();
    println!("{:>4} ns  {name}", (best / COUNT).as_nanos());
}

/// What a future that never waits gives.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
