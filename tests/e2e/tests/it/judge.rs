//! Who knows what was acknowledged, and what each subscriber has seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A place in a stream.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct At {
    pub(crate) epoch: String,
    pub(crate) offset: u64,
}

/// A time in which a subscriber was told of every publication after `from` up to `to`.
#[derive(Clone, Debug)]
struct Stretch {
    from: At,
    to: u64,
}

#[derive(Debug, Default)]
struct Subscriber {
    channel: String,
    stretches: Vec<Stretch>,
    /// Messages in the order of their arrival.
    seen: Vec<String>,
    /// How often it was told that it could not be caught up.
    told: usize,
    /// When something arrived last, and the longest time between two arrivals.
    last: Option<Instant>,
    silence: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// Acknowledged messages and where they are, by channel.
    acknowledged: BTreeMap<String, BTreeMap<String, At>>,
    /// What lies at a place, as anybody said.
    contents: BTreeMap<(String, At), String>,
    subscribers: Vec<Subscriber>,
    surprises: Vec<String>,
}

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judge {
    state: Arc<Mutex<State>>,
}

impl Judge {
    pub(crate) fn subscriber(&self, channel: &str) -> usize {
        let mut state = self.state.lock();
        state.subscribers.push(Subscriber {
            channel: channel.to_owned(),
            ..Subscriber::default()
        });
        state.subscribers.len() - 1
    }

    pub(crate) fn acknowledged(&self, channel: &str, message: &str, at: &At) {
        let mut state = self.state.lock();
        state.lies_at(channel, at, message);
        let of_channel = state.acknowledged.entry(channel.to_owned()).or_default();
        of_channel.insert(message.to_owned(), at.clone());
    }

    /// Begins anew at a place: it was told that what lies between is not to be had.
    pub(crate) fn told(&self, subscriber: usize, at: &At) {
        let mut state = self.state.lock();
        let one = &mut state.subscribers[subscriber];
        one.told += usize::from(!one.stretches.is_empty());
        one.stretches.push(Stretch {
            from: at.clone(),
            to: at.offset,
        });
    }

    /// Receives a publication, live or recovered.
    pub(crate) fn received(&self, subscriber: usize, offset: u64, message: &str) {
        let mut state = self.state.lock();
        let one = &mut state.subscribers[subscriber];
        let channel = one.channel.clone();
        let Some(stretch) = one.stretches.last_mut() else {
            return state.surprise(format!("{subscriber}: a publication before its reply"));
        };
        let expected = stretch.to + 1;
        let at = At {
            epoch: stretch.from.epoch.clone(),
            offset,
        };
        stretch.to = offset;
        one.seen.push(message.to_owned());
        one.silence = one.silence_until(Instant::now());
        one.last = Some(Instant::now());
        if offset != expected {
            state.surprise(format!(
                "{subscriber} in {channel}: {offset} after {}",
                expected - 1
            ));
        }
        state.lies_at(&channel, &at, message);
    }

    /// Where a subscriber is.
    pub(crate) fn at(&self, subscriber: usize) -> Option<At> {
        let state = self.state.lock();
        let last = state.subscribers[subscriber].stretches.last()?;
        Some(At {
            epoch: last.from.epoch.clone(),
            offset: last.to,
        })
    }

    /// Every subscriber of a channel is at this place.
    pub(crate) fn all_are_at(&self, channel: &str, at: &At) -> bool {
        let state = self.state.lock();
        let mut of_channel = state
            .subscribers
            .iter()
            .filter(|one| one.channel == channel);
        of_channel.all(|one| {
            let last = one.stretches.last();
            last.is_some_and(|last| last.from.epoch == at.epoch && last.to == at.offset)
        })
    }

    /// Where the subscribers of a channel are.
    pub(crate) fn places(&self, channel: &str) -> Vec<(usize, Option<At>)> {
        let count = self.state.lock().subscribers.len();
        let is_there = |number: &usize| self.state.lock().subscribers[*number].channel == channel;
        let numbers: Vec<usize> = (0..count).filter(is_there).collect();
        numbers
            .into_iter()
            .map(|number| (number, self.at(number)))
            .collect()
    }

    /// Measures silences from now on.
    pub(crate) fn listen(&self) {
        for one in &mut self.state.lock().subscribers {
            one.last = Some(Instant::now());
            one.silence = Duration::ZERO;
        }
    }

    /// Longest silence of any subscriber, by channel.
    pub(crate) fn silences(&self) -> BTreeMap<String, Duration> {
        let now = Instant::now();
        let mut silences = BTreeMap::new();
        for one in &self.state.lock().subscribers {
            let longest: &mut Duration = silences.entry(one.channel.clone()).or_default();
            *longest = one.silence_until(now).max(*longest);
        }
        silences
    }

    /// What was promised and not kept; and a line about how it went.
    pub(crate) fn verdict(&self) -> (Vec<String>, String) {
        let state = self.state.lock();
        let mut broken = state.surprises.clone();
        for (number, one) in state.subscribers.iter().enumerate() {
            let seen: BTreeSet<&String> = one.seen.iter().collect();
            if seen.len() != one.seen.len() {
                broken.push(format!("{number} in {}: something came twice", one.channel));
            }
            for (message, at) in state.acknowledged.get(&one.channel).into_iter().flatten() {
                if one.owes(at) && !seen.contains(message) {
                    broken.push(format!(
                        "{number} in {}: {message} at {at:?} is missing",
                        one.channel
                    ));
                }
            }
        }
        let count = |state: &State| {
            state
                .acknowledged
                .values()
                .map(BTreeMap::len)
                .sum::<usize>()
        };
        let seen: usize = state.subscribers.iter().map(|one| one.seen.len()).sum();
        let told: usize = state.subscribers.iter().map(|one| one.told).sum();
        let line = format!(
            "{} acknowledged, {seen} received, told {told} times",
            count(&state)
        );
        (broken, line)
    }
}

impl Subscriber {
    fn silence_until(&self, now: Instant) -> Duration {
        let current = self.last.map(|last| now.duration_since(last));
        self.silence.max(current.unwrap_or_default())
    }

    /// Whether it had to receive what lies at a place: it lies in a stretch, or after the last.
    fn owes(&self, at: &At) -> bool {
        let inside = |stretch: &Stretch| {
            stretch.from.epoch == at.epoch
                && stretch.from.offset < at.offset
                && at.offset <= stretch.to
        };
        let after = self
            .stretches
            .last()
            .is_some_and(|last| last.from.epoch == at.epoch && at.offset > last.to);
        after || self.stretches.iter().any(inside)
    }
}

impl State {
    fn surprise(&mut self, what: String) {
        self.surprises.push(what);
    }

    fn lies_at(&mut self, channel: &str, at: &At, message: &str) {
        let place = (channel.to_owned(), at.clone());
        let before = self
            .contents
            .entry(place)
            .or_insert_with(|| message.to_owned());
        if before != message {
            let before = before.clone();
            self.surprise(format!("{channel}: {at:?} was {before} and is {message}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> At {
        At {
            epoch: "e".to_owned(),
            offset,
        }
    }

    #[test]
    fn a_loss_without_a_word_is_seen() {
        let judge = Judge::default();
        let one = judge.subscriber("a");
        judge.told(one, &at(0));
        judge.acknowledged("a", "x", &at(1));
        assert_eq!(judge.verdict().0.len(), 1, "it did not come");
        judge.received(one, 1, "x");
        assert_eq!(judge.verdict().0, [""; 0]);
        judge.acknowledged("a", "y", &at(2));
        judge.received(one, 3, "z");
        assert_eq!(judge.verdict().0.len(), 2, "a hole, and what lay in it");
    }

    #[test]
    fn a_loss_that_was_told_is_none() {
        let judge = Judge::default();
        let one = judge.subscriber("a");
        judge.told(one, &at(0));
        judge.acknowledged("a", "x", &at(1));
        let new = At {
            epoch: "f".to_owned(),
            offset: 1,
        };
        judge.told(one, &new);
        assert_eq!(judge.verdict().0, [""; 0]);
    }

    #[test]
    fn a_place_is_given_out_once() {
        let judge = Judge::default();
        judge.acknowledged("a", "x", &at(1));
        judge.acknowledged("a", "y", &at(1));
        assert_eq!(judge.verdict().0.len(), 1);
    }
}
