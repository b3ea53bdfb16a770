use std::sync::Arc;

use gyre_engine::Delivered;
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_types::{Epoch, UnixMillis};
use parking_lot::Mutex;

use super::*;
use crate::wire;

/// Writes down what it is told.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn taken(&self) -> Vec<String> {
        let mut notes = std::mem::take(&mut *self.0.lock());
        notes.sort();
        notes
    }
}

impl Inlet for Notes {
    fn on_publication(&self, channel: &ChannelName, delivered: Delivered) {
        let offset = delivered.publication.offset;
        self.0.lock().push(format!("{channel} {offset}"));
    }

    fn on_join(&self, channel: &ChannelName, _info: &Arc<ClientInfo>) {
        self.0.lock().push(format!("{channel} join"));
    }

    fn on_leave(&self, channel: &ChannelName, _info: &Arc<ClientInfo>) {
        self.0.lock().push(format!("{channel} leave"));
    }

    fn on_gap(&self, channel: &ChannelName) {
        self.0.lock().push(format!("{channel} gap"));
    }
}

const EAR: u64 = 1;
const OTHER: u64 = 2;
const BUS: u16 = 5;

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

fn message(number: u64, channel: &str, offset: u64) -> Bytes {
    let head = format!("p{number}:{offset}:e:{}:0:{channel}", channel.len());
    let mut text = head.into_bytes();
    text.extend_from_slice(&wire::entry(&Publication::default(), UnixMillis(1)));
    text.into()
}

fn subscribed(names: &[&str]) -> (Lines, Notes) {
    let (mut lines, notes) = (Lines::default(), Notes::default());
    for name in names {
        drop(lines.add(BUS, &channel(name)));
    }
    lines.heard(EAR, BUS, &notes);
    (lines, notes)
}

#[test]
fn only_channels_with_subscribers_are_handed_over() {
    let (mut lines, notes) = subscribed(&["a", "b"]);
    lines.message(EAR, BUS, &message(7, "a", 1), &notes);
    lines.message(EAR, BUS, &message(8, "else", 1), &notes);
    lines.remove(BUS, &channel("b"));
    lines.message(EAR, BUS, &message(9, "b", 1), &notes);
    assert_eq!(notes.taken(), ["a 1"]);
}

#[test]
fn a_hole_in_the_numbers_concerns_all() {
    let (mut lines, notes) = subscribed(&["a", "b"]);
    lines.message(EAR, BUS, &message(7, "a", 1), &notes);
    let gaps = lines.message(EAR, BUS, &message(9, "else", 1), &notes);
    // What can be repaired is; the other, of which nothing is known, is told.
    let (channel, since) = (
        channel("a"),
        Position {
            offset: 1,
            epoch: Epoch::new("e").unwrap(),
        },
    );
    assert_eq!(gaps, [Gap { channel, since }]);
    assert_eq!(notes.taken(), ["a 1", "b gap"]);
    lines.message(EAR, BUS, &message(3, "b", 2), &notes);
    assert_eq!(notes.taken(), ["b 2", "b gap"]);
}

#[test]
fn what_is_heard_again_may_have_lost_something() {
    let (mut lines, notes) = subscribed(&["a"]);
    assert!(lines.unheard(EAR, BUS));
    assert_eq!(lines.not_heard_by(EAR), [BUS]);
    lines.heard(EAR, BUS, &notes);
    assert_eq!(notes.taken(), ["a gap"]);
}

#[test]
fn the_connection_that_confirmed_last_is_heard() {
    let (mut lines, notes) = subscribed(&["a"]);
    lines.heard(OTHER, BUS, &notes);
    assert_eq!(notes.taken(), ["a gap"]);
    lines.message(EAR, BUS, &message(1, "a", 1), &notes);
    lines.message(OTHER, BUS, &message(1, "a", 1), &notes);
    assert_eq!(notes.taken(), ["a 1"]);
    lines.deaf(EAR);
    assert!(lines.not_heard_by(OTHER).is_empty());
    lines.deaf(OTHER);
    assert_eq!(lines.not_heard_by(OTHER), [BUS]);
}

#[test]
fn whatever_is_not_ours_counts_as_lost() {
    let (mut lines, notes) = subscribed(&["a"]);
    lines.message(EAR, BUS, &Bytes::from_static(b"else"), &notes);
    assert_eq!(notes.taken(), ["a gap"]);
}

#[test]
fn a_line_goes_some_time_after_its_last_subscriber() {
    let (mut lines, notes) = subscribed(&["a"]);
    lines.remove(BUS, &channel("a"));
    assert!(lines.sweep(EAR).is_empty());
    drop(lines.add(BUS, &channel("a")));
    lines.remove(BUS, &channel("a"));
    assert!(lines.sweep(EAR).is_empty());
    assert!(lines.sweep(OTHER).is_empty());
    assert_eq!(lines.sweep(EAR), [BUS]);
    assert!(
        lines.add(BUS, &channel("a")).is_some(),
        "it is asked for again"
    );
    lines.heard(EAR, BUS, &notes);
    assert_eq!(notes.taken(), Vec::<String>::new());
}
