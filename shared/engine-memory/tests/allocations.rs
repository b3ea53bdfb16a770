//! What a publication costs in allocations. Each operation has one more: its boxed future.

#![expect(unsafe_code, reason = "a counting global allocator has to be unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use gyre_engine::{HistoryQuery, Publish, PublishOptions, Retention};
use gyre_engine_memory::MemoryEngine;
use gyre_protocol::messages::Publication;
use gyre_types::{ChannelName, Now};

thread_local! {
    /// Allocations of this thread: the test harness has threads of its own, which allocate.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to `System` as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
    let before = ALLOCATIONS.get();
    now(engine.broker.history(&channel, query))
        .unwrap()
        .unwrap();
    assert_eq!(ALLOCATIONS.get() - before, FUTURE);
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
            before = ALLOCATIONS.get();
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
    ALLOCATIONS.get() - before
}

/// What a future that never waits gives.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
