use std::sync::Arc;

use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_types::Epoch;
use parking_lot::Mutex;

use super::*;

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl Inlet for Notes {
    fn on_publication(&self, _channel: &ChannelName, delivered: Delivered) {
        let offset = delivered.publication.offset;
        self.0.lock().push(offset.to_string());
    }

    fn on_join(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {
        self.0.lock().push("join".to_owned());
    }

    fn on_leave(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {
        self.0.lock().push("leave".to_owned());
    }

    fn on_gap(&self, _channel: &ChannelName) {
        self.0.lock().push("gap".to_owned());
    }
}

fn at(offset: u64, epoch: &str) -> Position {
    Position {
        offset,
        epoch: Epoch::new(epoch).unwrap(),
    }
}

fn publication(offset: u64) -> Arc<Publication> {
    Arc::new(Publication {
        offset,
        ..Publication::default()
    })
}

fn message(offset: u64) -> Content {
    Content::Publication(Delivered {
        publication: publication(offset),
        epoch: Epoch::new("e").unwrap(),
        previous: None,
    })
}

fn history(top: Position, offsets: &[u64]) -> Option<History> {
    Some(History {
        top,
        publications: offsets.iter().map(|offset| publication(*offset)).collect(),
    })
}

/// A channel that is heard, and what is taken of it.
struct Bench {
    heard: Heard,
    notes: Notes,
    channel: ChannelName,
}

impl Bench {
    fn new() -> Self {
        Self {
            heard: Heard::default(),
            notes: Notes::default(),
            channel: ChannelName::new("news").unwrap(),
        }
    }

    fn take(&mut self, content: Content) {
        self.heard.take(&self.channel, content, &self.notes);
    }

    fn doubt(&mut self) -> Option<Position> {
        self.heard.doubt(&self.channel, &self.notes)
    }

    fn repair(&mut self, found: Option<History>) -> Option<Position> {
        self.heard.repair(&self.channel, found, &self.notes)
    }
}

#[test]
fn what_was_missed_comes_before_what_came_meanwhile() {
    let mut bench = Bench::new();
    bench.take(message(1));
    assert_eq!(bench.doubt(), Some(at(1, "e")));
    bench.take(message(4));
    bench.take(Content::Join(Arc::default()));
    bench.take(message(5));
    assert_eq!(bench.notes.taken(), ["1"]);
    assert_eq!(bench.repair(history(at(4, "e"), &[2, 3, 4])), None);
    assert_eq!(bench.notes.taken(), ["2", "3", "4", "join", "5"]);
    assert_eq!(bench.doubt(), Some(at(5, "e")));
}

#[test]
fn what_is_lost_during_a_repair_is_read_again() {
    let mut bench = Bench::new();
    bench.take(message(1));
    bench.doubt();
    assert_eq!(bench.doubt(), None);
    assert_eq!(bench.repair(history(at(2, "e"), &[2])), Some(at(1, "e")));
    assert_eq!(bench.repair(history(at(3, "e"), &[2, 3])), None);
    assert_eq!(bench.notes.taken(), ["1", "2", "3"]);
}

#[test]
fn what_cannot_be_repaired_is_told() {
    for found in [
        None,
        history(at(3, "f"), &[2, 3]),
        history(at(4, "e"), &[3, 4]),
        history(at(4, "e"), &[2, 3]),
        history(at(0, "e"), &[]),
    ] {
        let mut bench = Bench::new();
        bench.take(message(1));
        bench.doubt();
        bench.take(message(9));
        assert_eq!(bench.repair(found), None);
        assert_eq!(bench.notes.taken(), ["1", "gap", "9"]);
    }
}

#[test]
fn a_channel_of_which_nothing_is_known_is_told() {
    let mut bench = Bench::new();
    bench.take(message(0));
    assert_eq!(bench.doubt(), None);
    assert_eq!(bench.notes.taken(), ["0", "gap"]);
    bench.heard.learn(at(7, "e"), UnixMillis(1));
    bench.heard.learn(at(8, "e"), UnixMillis(1));
    assert_eq!(bench.doubt(), Some(at(7, "e")));
    assert_eq!(bench.repair(history(at(7, "e"), &[])), None);
    assert_eq!(bench.notes.taken(), Vec::<String>::new());
}

const KEPT: Retention = Retention {
    size: 10,
    ttl: std::time::Duration::from_secs(60),
    meta_ttl: Some(std::time::Duration::from_secs(60)),
};

/// What somebody who comes back with an offset finds without asking.
fn back(bench: &mut Bench, offset: u64) -> Option<Vec<u64>> {
    let query = HistoryQuery {
        since: Some((offset, "")),
        ..HistoryQuery::default()
    };
    let found = bench.heard.find(&query, KEPT, UnixMillis(1))?;
    Some(found.publications.iter().map(|one| one.offset).collect())
}

fn top(bench: &mut Bench, now: i64) -> Option<u64> {
    let query = HistoryQuery {
        limit: Some(0),
        ..HistoryQuery::default()
    };
    let found = bench.heard.find(&query, KEPT, UnixMillis(now));
    found.map(|found| found.top.offset)
}

/// A channel of which publications 3 to 5 are at hand.
fn with_a_tail() -> Bench {
    let mut bench = Bench::new();
    bench.take(message(4));
    let read = history(at(4, "e"), &[3, 4]).unwrap();
    assert!(bench.heard.keep(&read, KEPT, &Budget::default()));
    bench.take(message(5));
    assert_eq!(back(&mut bench, 2), Some(vec![3, 4, 5]));
    bench
}

#[tokio::test]
async fn the_position_is_known_while_it_is_young() {
    let mut bench = Bench::new();
    assert_eq!(top(&mut bench, 1), None);
    bench.take(message(7));
    assert_eq!(top(&mut bench, 29_999), Some(7));
    assert_eq!(top(&mut bench, 30_000), None, "half of the stream's life");
    assert_eq!(back(&mut bench, 6), None, "nothing was kept");
}

#[tokio::test]
async fn nothing_is_found_while_a_gap_is_repaired_and_all_afterwards() {
    let mut bench = with_a_tail();
    bench.doubt();
    bench.take(message(7));
    assert_eq!((back(&mut bench, 2), top(&mut bench, 1)), (None, None));
    bench.repair(history(at(7, "e"), &[6, 7]));
    assert_eq!(back(&mut bench, 2), Some(vec![3, 4, 5, 6, 7]));
    bench.doubt();
    bench.repair(None);
    assert_eq!((back(&mut bench, 2), top(&mut bench, 1)), (None, None));
}

#[tokio::test]
async fn what_is_removed_or_of_another_epoch_is_not_found() {
    let mut bench = with_a_tail();
    bench.take(Content::Removed);
    assert_eq!((back(&mut bench, 2), top(&mut bench, 1)), (None, Some(5)));

    let mut bench = with_a_tail();
    bench.take(Content::Publication(Delivered {
        publication: publication(6),
        epoch: Epoch::new("f").unwrap(),
        previous: None,
    }));
    assert_eq!((back(&mut bench, 5), top(&mut bench, 1)), (None, Some(6)));
    let read = history(at(6, "e"), &[5, 6]).unwrap();
    assert!(!bench.heard.keep(&read, KEPT, &Budget::default()));
}

#[test]
fn no_more_is_held_than_the_limit() {
    let mut bench = Bench::new();
    bench.take(message(1));
    bench.doubt();
    for _ in 0..HELD_MAX {
        bench.take(Content::Join(Arc::default()));
    }
    assert_eq!(bench.notes.taken(), ["1"]);
    bench.take(message(2));
    let notes = bench.notes.taken();
    assert_eq!(notes.len(), HELD_MAX + 2);
    assert_eq!((&*notes[0], &*notes[HELD_MAX + 1]), ("gap", "2"));
    assert_eq!(bench.repair(history(at(2, "e"), &[2])), None);
    assert_eq!(bench.notes.taken(), Vec::<String>::new());
}
