use std::time::Duration;

use gyre_protocol::messages::Publication;

use super::*;

/// A state, and what is needed to call it.
#[derive(Default)]
struct Bench {
    state: State,
    hasher: RandomState,
    now: Now,
}

const SECOND: Duration = Duration::from_secs(1);

impl Bench {
    fn call<T>(&mut self, name: &str, call: impl FnOnce(&mut State, Target<'_>, Now) -> T) -> T {
        let channel = ChannelName::new(name).unwrap();
        let target = Target {
            channel: &channel,
            hash: self.hasher.hash_one(name),
            hasher: &self.hasher,
        };
        call(&mut self.state, target, self.now)
    }

    fn keep(&mut self, name: &str, ttl: Duration, meta_ttl: Option<Duration>) -> u64 {
        self.call(name, |state, target, now| {
            let publication = Publication::default();
            let retention = Retention {
                size: 10,
                ttl,
                meta_ttl,
            };
            let options = PublishOptions::default();
            let kept = state.keep(target, &Draft::new(&publication), &options, retention, now);
            kept.unwrap().publication.offset
        })
    }

    fn read(&mut self, name: &str, meta_ttl: Option<Duration>) -> (u64, usize) {
        self.call(name, |state, target, now| {
            let query = HistoryQuery {
                meta_ttl,
                ..HistoryQuery::default()
            };
            let history = state.read(target, &query, now.uptime).unwrap();
            (history.top.offset, history.publications.len())
        })
    }

    fn remember(&mut self, key: &str, ttl: Duration) {
        self.call("keys", |state, target, now| {
            let options = PublishOptions {
                idempotency_key: key,
                idempotency_ttl: ttl,
                ..PublishOptions::default()
            };
            state.remember(target, &options, None, now.uptime);
        });
    }

    fn remembers(&mut self, key: &str) -> bool {
        self.call("keys", |state, target, now| {
            state.remembered(target, key, now.uptime).is_some()
        })
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// Sweeps with this budget; what is left of it.
    fn sweep(&mut self, budget: usize) -> usize {
        let mut left = budget;
        self.state.sweep(&self.hasher, self.now.uptime, &mut left);
        left
    }

    /// Streams, publications, keys, entries of the agenda.
    fn holds(&self) -> [usize; 4] {
        [
            self.state.streams.len(),
            self.state.streams.iter().map(Stream::len).sum(),
            self.state.keys.len(),
            self.state.agenda.len(),
        ]
    }
}

#[test]
fn nothing_is_seen_at_the_millisecond_at_which_it_is_over() {
    let mut bench = Bench::default();
    bench.keep("channel", SECOND, Some(2 * SECOND));
    bench.remember("key", SECOND);
    bench.pass(SECOND - Duration::from_millis(1));
    assert_eq!(bench.read("channel", Some(SECOND)), (1, 1));
    assert!(bench.remembers("key"));
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.read("channel", Some(SECOND)), (1, 0));
    assert!(!bench.remembers("key"));
    bench.pass(SECOND - Duration::from_millis(1));
    assert_eq!(bench.read("channel", Some(SECOND)), (1, 0));
    bench.pass(SECOND);
    assert_eq!(bench.read("channel", Some(SECOND)), (0, 0));
}

#[test]
fn a_stream_without_an_end_outlives_a_year() {
    let mut bench = Bench::default();
    bench.keep("channel", SECOND, None);
    bench.pass(365 * 24 * 3600 * SECOND);
    assert_eq!(bench.sweep(100), 98);
    assert_eq!(bench.holds(), [1, 0, 0, 0]);
    assert_eq!(bench.read("channel", None), (1, 0));
}

#[test]
fn what_is_over_gives_its_memory_back_without_being_read() {
    let mut bench = Bench::default();
    bench.keep("channel", SECOND, Some(3 * SECOND));
    bench.keep("channel", SECOND, Some(3 * SECOND));
    bench.remember("key", 2 * SECOND);
    assert_eq!(bench.holds(), [1, 2, 1, 2]);
    assert_eq!(bench.sweep(100), 100);
    bench.pass(SECOND);
    assert_eq!(bench.sweep(100), 97);
    assert_eq!(bench.holds(), [1, 0, 1, 2]);
    bench.pass(SECOND);
    assert_eq!(bench.sweep(100), 99);
    assert_eq!(bench.holds(), [1, 0, 0, 1]);
    bench.pass(SECOND);
    assert_eq!(bench.sweep(100), 99);
    assert_eq!(bench.holds(), [0, 0, 0, 0]);
}

#[test]
fn what_is_renewed_has_one_entry_and_stays() {
    let mut bench = Bench::default();
    for _ in 0..10 {
        bench.keep("channel", 2 * SECOND, Some(5 * SECOND));
        bench.pass(SECOND);
        let _ = bench.sweep(100);
        let [streams, .., entries] = bench.holds();
        assert_eq!((streams, entries), (1, 1));
    }
    assert_eq!(bench.read("channel", None), (10, 10));
}

#[test]
fn a_life_that_became_shorter_is_noticed() {
    let mut bench = Bench::default();
    bench.keep("channel", 100 * SECOND, Some(100 * SECOND));
    bench.keep("channel", SECOND, Some(2 * SECOND));
    bench.pass(2 * SECOND);
    let _ = bench.sweep(100);
    assert_eq!(bench.holds(), [0, 0, 0, 1]);
    bench.pass(98 * SECOND);
    let _ = bench.sweep(100);
    assert_eq!(bench.holds(), [0, 0, 0, 0]);
}

#[test]
fn a_late_entry_does_not_end_the_next_life() {
    let mut bench = Bench::default();
    bench.keep("channel", SECOND, Some(SECOND));
    bench.remember("key", SECOND);
    bench.pass(SECOND);
    assert_eq!(bench.keep("channel", SECOND, Some(SECOND)), 1);
    bench.remember("key", SECOND);
    let _ = bench.sweep(100);
    assert_eq!(bench.holds(), [1, 1, 1, 2]);
    assert!(bench.remembers("key"));
    bench.pass(SECOND);
    let _ = bench.sweep(100);
    assert_eq!(bench.holds(), [0, 0, 0, 0]);
}

#[test]
fn a_sweep_does_no_more_than_it_may() {
    let mut bench = Bench::default();
    for number in 0..100 {
        bench.keep(&format!("channel {number}"), SECOND, Some(SECOND));
    }
    bench.pass(SECOND);
    // Each costs two: an entry and a publication.
    for left in [95, 90, 85] {
        assert_eq!(bench.sweep(10), 0);
        assert_eq!(bench.holds()[0], left);
    }
    while bench.sweep(10) == 0 {}
    assert_eq!(bench.holds(), [0, 0, 0, 0]);
}

#[test]
fn a_peak_does_not_hold_on_to_its_memory() {
    let mut bench = Bench::default();
    for number in 0..10_000 {
        bench.keep(&format!("channel {number}"), SECOND, Some(SECOND));
        bench.remember(&format!("key {number}"), SECOND);
    }
    bench.pass(SECOND);
    let _ = bench.sweep(usize::MAX);
    let State {
        streams,
        keys,
        agenda,
    } = &bench.state;
    for capacity in [streams.capacity(), keys.capacity(), agenda.capacity()] {
        assert!(capacity <= 64, "{capacity}");
    }
}
