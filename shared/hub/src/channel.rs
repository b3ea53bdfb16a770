use std::sync::atomic::{AtomicU64, Ordering};

use gyre_types::{HubSlot, SubscriptionId};
use slab::Slab;

use crate::Wants;

/// One subscriber's end of a subscription.
pub(crate) struct Entry<S> {
    pub(crate) subscription: SubscriptionId,
    pub(crate) subscriber: S,
    pub(crate) wants: Wants,
}

/// The subscribers of one channel.
pub(crate) struct Channel<S> {
    entries: Entries<S>,
    /// Offset of the last publication that went through; 0: none did.
    last_offset: AtomicU64,
}

/// Most channels of an installation have one subscriber, so that one costs no list.
enum Entries<S> {
    /// At slot 0; nobody, before the first has come and after the last has left.
    One(Option<Entry<S>>),
    /// For good, once there were two. A channel with more than four billion subscribers does not fit
    /// into memory.
    Many(Box<Slab<Entry<S>>>),
}

/// A table of them has up to twice as many places as channels. Unit: bytes.
const _: () = assert!(size_of::<Channel<std::sync::Arc<()>>>() <= 32);

impl<S> Channel<S> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Entries::One(None),
            last_offset: AtomicU64::new(0),
        }
    }

    pub(crate) fn len(&self) -> u32 {
        match &self.entries {
            Entries::One(one) => u32::from(one.is_some()),
            Entries::Many(many) => u32::try_from(many.len()).unwrap_or(u32::MAX),
        }
    }

    pub(crate) fn last_offset(&self) -> u64 {
        self.last_offset.load(Ordering::Relaxed)
    }

    /// A publication goes through; one without a position changes nothing.
    pub(crate) fn passed(&self, offset: u64) {
        if offset > 0 {
            self.last_offset.store(offset, Ordering::Relaxed);
        }
    }

    /// Where the top is, if nothing went through yet.
    pub(crate) fn note_top(&self, offset: u64) {
        let (none, ordering) = (0, Ordering::Relaxed);
        // Whatever went through knows better.
        let _ = self
            .last_offset
            .compare_exchange(none, offset, ordering, ordering);
    }

    pub(crate) fn insert(&mut self, entry: Entry<S>) -> HubSlot {
        match &mut self.entries {
            Entries::One(one) => match one.take() {
                None => {
                    *one = Some(entry);
                    HubSlot(0)
                }
                Some(first) => {
                    let mut many = Box::new(Slab::with_capacity(2));
                    many.insert(first);
                    let slot = slot_at(many.insert(entry));
                    self.entries = Entries::Many(many);
                    slot
                }
            },
            Entries::Many(many) => slot_at(many.insert(entry)),
        }
    }

    /// Frees the slot if it is this subscription's.
    pub(crate) fn remove(&mut self, slot: HubSlot, subscription: SubscriptionId) -> bool {
        let is_meant = |entry: &Entry<S>| entry.subscription == subscription;
        match &mut self.entries {
            Entries::One(one) => {
                slot == HubSlot(0) && one.take_if(|entry| is_meant(entry)).is_some()
            }
            Entries::Many(many) => {
                let key = slot.0 as usize;
                many.get(key).is_some_and(is_meant) && many.try_remove(key).is_some()
            }
        }
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry<S>> {
        let (one, many) = match &self.entries {
            Entries::One(one) => (one.as_ref(), None),
            Entries::Many(many) => (None, Some(many.iter().map(|(_, entry)| entry))),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

fn slot_at(key: usize) -> HubSlot {
    HubSlot(u32::try_from(key).unwrap_or(u32::MAX))
}
