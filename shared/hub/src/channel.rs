use std::sync::atomic::{AtomicU64, Ordering};

use gyre_types::{HubSlot, SubscriptionId};
use smallvec::SmallVec;

use crate::Wants;

/// One subscriber's end of a subscription.
pub(crate) struct Entry<S> {
    pub(crate) subscription: SubscriptionId,
    pub(crate) subscriber: S,
    pub(crate) wants: Wants,
}

enum Place<S> {
    Taken(Entry<S>),
    Free { next: Option<HubSlot> },
}

/// The subscribers of one channel: a slab, with room for one in place.
pub(crate) struct Channel<S> {
    places: SmallVec<[Place<S>; 1]>,
    free: Option<HubSlot>,
    len: u32,
    /// Offset of the last publication that went through; 0: none did.
    last_offset: AtomicU64,
}

impl<S> Channel<S> {
    pub(crate) fn new() -> Self {
        Self {
            places: SmallVec::new(),
            free: None,
            len: 0,
            last_offset: AtomicU64::new(0),
        }
    }

    pub(crate) const fn len(&self) -> u32 {
        self.len
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
        self.len += 1;
        if let Some(slot) = self.free
            && let Some(place) = self.places.get_mut(index(slot))
        {
            if let Place::Free { next } = *place {
                self.free = next;
            }
            *place = Place::Taken(entry);
            return slot;
        }
        // A channel with more than four billion subscribers does not fit into memory.
        let slot = HubSlot(u32::try_from(self.places.len()).unwrap_or(u32::MAX));
        self.places.push(Place::Taken(entry));
        slot
    }

    /// Frees the slot if it is this subscription's.
    pub(crate) fn remove(&mut self, slot: HubSlot, subscription: SubscriptionId) -> bool {
        let Some(place) = self.places.get_mut(index(slot)) else {
            return false;
        };
        match place {
            Place::Taken(entry) if entry.subscription == subscription => {
                *place = Place::Free { next: self.free };
                self.free = Some(slot);
                self.len -= 1;
                true
            }
            Place::Taken(_) | Place::Free { .. } => false,
        }
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry<S>> {
        self.places.iter().filter_map(|place| match place {
            Place::Taken(entry) => Some(entry),
            Place::Free { .. } => None,
        })
    }
}

const fn index(slot: HubSlot) -> usize {
    slot.0 as usize
}
