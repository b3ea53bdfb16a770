//! What a publication costs in allocations. Each operation has one more: its boxed future.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use gyre_allocator::allocations as allocated;
use gyre_engine::{HistoryQuery, Publish, PublishOptions, Retention};
use gyre_engine_memory::MemoryEngine;
use gyre_protocol::messages::Publication;
use gyre_types::{ChannelName, Now};

const RETENTION: Retention = Retention {
    size: 100,
    ttl: Duration::from_secs(300),
    meta_ttl: None,
};

#[test]
fn without_history_one_publication_is_one_allocation() {
    let channel = ChannelName::new("news").unwrap();
    let counted = allocations(&channel, |_| PublishOptions::default());
    assert_eq!(counted, COUNTED * (1 + FUTURE));
}

#[test]
fn with_history_data_is_copied_too() {
    let channel = ChannelName::new("news").unwrap();
    let options = PublishOptions {
        retention: Some(RETENTION),
        with_previous: true,
        ..PublishOptions::default()
    };
    let counted = allocations(&channel, |_| options);
    assert_eq!(counted, COUNTED * (2 + FUTURE));
}

#[test]
fn a_key_that_is_remembered_is_one_more() {
    let channel = ChannelName::new("news").unwrap();
    let keys: Vec<String> = (0..WARM + COUNTED)
        .map(|number| number.to_string())
        .collect();
    let counted = allocations(&channel, |number| PublishOptions {
        retention: Some(RETENTION),
        idempotency_key: &keys[number],
        ..PublishOptions::default()
    });
    // Now and then the table of keys grows.
    let growth = counted - COUNTED * (3 + FUTURE);
    assert!(growth < 50, "{growth}");
}

#[test]
fn a_position_is_read_without_allocation() {
    let engine = MemoryEngine::open(Arc::new(()), Now::default).engine();
    let channel = ChannelName::new("news").unwrap();
    let query = HistoryQuery {
        limit: Some(0),
        ..HistoryQuery::default()
    };
    now(engine.broker.history(&channel, query))
        .unwrap()
        .unwrap();
    let before = allocated();
    now(engine.broker.history(&channel, query))
        .unwrap()
        .unwrap();
    assert_eq!(allocated() - before, FUTURE);
}

const FUTURE: usize = 1;
const WARM: usize = 1000;
const COUNTED: usize = 10_000;

/// Allocations of so many publishes, after those that size the stream.
fn allocations<'a>(channel: &ChannelName, options: impl Fn(usize) -> PublishOptions<'a>) -> usize {
    let engine = MemoryEngine::open(Arc::new(()), Now::default).engine();
    let publication = Publication {
        data: Bytes::from_owner([b'x'; 1024]),
        ..Publication::default()
    };
    let mut before = 0;
    for number in 0..WARM + COUNTED {
        if number == WARM {
            before = allocated();
        }
        let publish = Publish {
            publication: &publication,
            options: options(number),
        };
        assert!(matches!(
            now(engine.broker.publish(channel, publish)),
            Some(Ok(_))
        ));
    }
    allocated() - before
}

/// What a future that never waits gives.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
