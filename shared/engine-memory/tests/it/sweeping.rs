//! The sweep through the engine's own door: memory comes back from every stripe, in bounded steps.

use std::sync::{Arc, Weak};
use std::time::Duration;

use gyre_engine::{Delivered, HistoryQuery, Inlet, Publish, PublishOptions, Retention};
use gyre_engine_memory::{MemoryEngine, Swept};
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_types::ChannelName;
use parking_lot::Mutex;

use crate::subject::{Clock, block_on};

/// Looks at publications without keeping them.
#[derive(Debug, Default)]
struct Watcher(Mutex<Vec<Weak<Publication>>>);

impl Watcher {
    fn alive(&self) -> usize {
        self.0
            .lock()
            .iter()
            .filter(|one| one.strong_count() > 0)
            .count()
    }
}

impl Inlet for Watcher {
    fn on_publication(&self, _channel: &ChannelName, delivered: Delivered) {
        self.0.lock().push(Arc::downgrade(&delivered.publication));
    }

    fn on_join(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {}

    fn on_leave(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {}

    fn on_gap(&self, _channel: &ChannelName) {}
}

const CHANNELS: usize = 10_000;

#[test]
fn everything_that_is_over_is_freed_step_by_step() {
    let (clock, watcher) = (Clock::default(), Arc::<Watcher>::default());
    let memory = MemoryEngine::open(Arc::clone(&watcher), clock.reader());
    let broker = memory.engine().broker;
    let publication = Publication::default();
    let retention = Retention {
        size: 1,
        ttl: Duration::from_secs(10),
        meta_ttl: Some(Duration::from_secs(20)),
    };
    let options = PublishOptions {
        retention: Some(retention),
        ..PublishOptions::default()
    };
    for number in 0..CHANNELS {
        let channel = ChannelName::new(&number.to_string()).unwrap();
        let publish = Publish {
            publication: &publication,
            options,
        };
        block_on(broker.publish(&channel, publish)).unwrap();
    }
    assert_eq!(memory.sweep(), Swept::All);
    assert_eq!(watcher.alive(), CHANNELS);

    clock.advance(Duration::from_secs(10));
    let mut alive = CHANNELS;
    while memory.sweep() == Swept::Some {
        let left = watcher.alive();
        assert!(left < alive, "a sweep that freed nothing");
        assert!(
            alive - left < CHANNELS / 2,
            "a sweep that freed {}",
            alive - left
        );
        alive = left;
    }
    assert_eq!(watcher.alive(), 0);

    let query = HistoryQuery {
        meta_ttl: retention.meta_ttl,
        ..HistoryQuery::default()
    };
    let channel = ChannelName::new("0").unwrap();
    assert_eq!(
        block_on(broker.history(&channel, query))
            .unwrap()
            .top
            .offset,
        1
    );
}
