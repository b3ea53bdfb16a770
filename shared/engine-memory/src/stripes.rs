use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use gyre_types::ChannelName;

/// Number of stripes; a power of two.
///
/// A long fan-out in one channel holds up one other in 1024, and all empty stripes together take
/// 128 KiB.
const COUNT: usize = 1024;

/// Some state, spread over stripes by the names of channels.
#[derive(Debug)]
pub(crate) struct Stripes<T> {
    hasher: RandomState,
    stripes: Box<[Aligned<T>]>,
}

/// Two stripes never share a cache line: a lock taken in one does not slow its neighbours.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Aligned<T>(T);

impl<T: Default> Default for Stripes<T> {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            stripes: std::iter::repeat_with(Aligned::default)
                .take(COUNT)
                .collect(),
        }
    }
}

impl<T> Stripes<T> {
    /// Hash of a channel's name; for [`Self::of`] and for the tables in the stripe.
    pub(crate) fn hash(&self, channel: &ChannelName) -> u64 {
        self.hasher.hash_one(channel.as_str())
    }

    /// The hasher that all stripes share.
    pub(crate) const fn hasher(&self) -> &RandomState {
        &self.hasher
    }

    /// The stripe of what has this hash.
    #[expect(clippy::indexing_slicing, reason = "the remainder is below the length")]
    pub(crate) fn of(&self, hash: u64) -> &T {
        // Tables use the lowest and the highest bits; these are neither.
        let [.., a, b, _, _] = hash.to_be_bytes();
        &self.stripes[usize::from(u16::from_be_bytes([a, b])) % COUNT].0
    }

    /// Every stripe once, beginning with the one of this number.
    pub(crate) fn from(&self, first: usize) -> impl Iterator<Item = &T> {
        let (before, after) = self.stripes.split_at(first % COUNT);
        after.iter().chain(before).map(|stripe| &stripe.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn channels_spread_evenly() {
        let stripes = Stripes::<AtomicUsize>::default();
        for number in 0..COUNT * 64 {
            let channel = ChannelName::new(&format!("channel:{number}")).unwrap();
            stripes
                .of(stripes.hash(&channel))
                .fetch_add(1, Ordering::Relaxed);
        }
        let counts: Vec<usize> = stripes
            .from(0)
            .map(|one| one.load(Ordering::Relaxed))
            .collect();
        assert!(
            counts.iter().all(|count| (16..160).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn a_walk_from_anywhere_meets_each_once() {
        let stripes = Stripes::<AtomicUsize>::default();
        for first in [0, 1, COUNT - 1, COUNT, usize::MAX] {
            stripes.from(first).for_each(|one| {
                one.fetch_add(1, Ordering::Relaxed);
            });
        }
        let mut counts = BTreeMap::<usize, usize>::new();
        for one in stripes.from(0) {
            *counts.entry(one.load(Ordering::Relaxed)).or_default() += 1;
        }
        assert_eq!(counts, BTreeMap::from([(5, COUNT)]));
    }
}
