use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use gyre_types::SubscriptionId;
use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::subscription::Subscription;

/// A session's subscriptions: by slot for deliveries, by name for commands.
///
/// A slot's generation changes with each use, so that a delivery for a left channel finds nothing.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Most sessions have one subscription.
    places: SmallVec<[Place; 1]>,
    by_name: HashTable<u32>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place {
    generation: u32,
    subscription: Option<Box<Subscription>>,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(crate) fn insert(&mut self, subscription: Box<Subscription>) -> SubscriptionId {
        let hash = hash(subscription.channel.as_str());
        let slot = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place {
                generation: 0,
                subscription: None,
            });
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        let mut generation = 0;
        if let Some(place) = self.places.get_mut(slot as usize) {
            place.generation = place.generation.wrapping_add(1);
            place.subscription = Some(subscription);
            generation = place.generation;
        }
        let places = &self.places;
        self.by_name
            .insert_unique(hash, slot, |other| hash_at(places, *other));
        SubscriptionId { slot, generation }
    }

    pub(crate) fn remove(&mut self, id: SubscriptionId) -> Option<Box<Subscription>> {
        let place = self.places.get_mut(id.slot as usize)?;
        if place.generation != id.generation {
            return None;
        }
        let subscription = place.subscription.take()?;
        let hash = hash(subscription.channel.as_str());
        if let Ok(entry) = self.by_name.find_entry(hash, |slot| *slot == id.slot) {
            entry.remove();
        }
        self.free.push(id.slot);
        if self.by_name.is_empty() {
            self.by_name.shrink_to(0, |_| 0);
        }
        Some(subscription)
    }

    pub(crate) fn get(&self, id: SubscriptionId) -> Option<&Subscription> {
        let place = self.places.get(id.slot as usize)?;
        if place.generation != id.generation {
            return None;
        }
        place.subscription.as_deref()
    }

    pub(crate) fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        let place = self.places.get_mut(id.slot as usize)?;
        if place.generation != id.generation {
            return None;
        }
        place.subscription.as_deref_mut()
    }

    pub(crate) fn find(&self, channel: &str) -> Option<SubscriptionId> {
        let slot = *self
            .by_name
            .find(hash(channel), |slot| self.name_at(*slot) == Some(channel))?;
        let generation = self.places.get(slot as usize)?.generation;
        Some(SubscriptionId { slot, generation })
    }

    /// All of them, in the order of their slots.
    pub(crate) fn ids(&self) -> Vec<SubscriptionId> {
        self.iter().map(|(id, _)| id).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SubscriptionId, &Subscription)> {
        self.places.iter().zip(0_u32..).filter_map(|(place, slot)| {
            let id = SubscriptionId {
                slot,
                generation: place.generation,
            };
            Some((id, place.subscription.as_deref()?))
        })
    }

    fn name_at(&self, slot: u32) -> Option<&str> {
        let place = self.places.get(slot as usize)?;
        Some(place.subscription.as_ref()?.channel.as_str())
    }
}

fn hash(channel: &str) -> u64 {
    FixedState::with_seed(0).hash_one(channel)
}

fn hash_at(places: &[Place], slot: u32) -> u64 {
    places
        .get(slot as usize)
        .and_then(|place| place.subscription.as_ref())
        .map_or(0, |subscription| hash(subscription.channel.as_str()))
}
