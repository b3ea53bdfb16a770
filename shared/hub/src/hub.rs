use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gyre_protocol::prepared::{Prepared, PreparedKind};
use gyre_types::{ChannelName, HubSlot, SubscriptionId};
use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;
use parking_lot::RwLock;

use crate::channel::{Channel, Entry};

/// Shards of the table. A power of two; 256 keeps writers of different channels apart on any
/// machine that we know, and costs 16 KiB empty.
pub const SHARDS: usize = 256;

/// What a subscriber wants of a channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wants {
    /// Publications, joins and leaves.
    Everything,
    /// Publications alone: others' coming and going does not wake it.
    Publications,
}

/// Result of [`Hub::subscribe`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Joined {
    /// Needed to leave.
    pub slot: HubSlot,
    /// The name as the table holds it, so that all subscribers share one text.
    pub channel: ChannelName,
    /// Whether nobody of this node wanted the channel before.
    pub is_first: bool,
}

/// Result of [`Hub::unsubscribe`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Left {
    /// Nobody of this node wants the channel now.
    Last,
    /// Others still do.
    Others,
    /// The slot was not this subscription's.
    Unknown,
}

/// How much the hub holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Channels with a subscriber.
    pub channels: usize,
    /// Subscriptions.
    pub subscriptions: usize,
}

/// The hub's way to one connection.
pub trait Subscriber {
    /// Takes a delivery. Must not block: it runs under a shard's lock.
    fn offer(&self, subscription: SubscriptionId, prepared: &Arc<Prepared>);
}

// Clients choose the names: a fixed seed would let them choose names that collide.
type Shard<S> = HashMap<ChannelName, Channel<S>, foldhash::fast::RandomState>;

/// Channel to subscribers of this node.
pub struct Hub<S> {
    shards: Box<[RwLock<Shard<S>>]>,
    hasher: foldhash::fast::RandomState,
    subscriptions: AtomicUsize,
    channels: AtomicUsize,
}

impl<S> std::fmt::Debug for Hub<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("counts", &self.counts())
            .finish()
    }
}

impl<S> Default for Hub<S> {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: foldhash::fast::RandomState::default(),
            subscriptions: AtomicUsize::new(0),
            channels: AtomicUsize::new(0),
        }
    }
}

impl<S> Hub<S> {
    /// Adds a subscriber. From here on what is published reaches it.
    pub fn subscribe(
        &self,
        channel: &ChannelName,
        subscription: SubscriptionId,
        subscriber: S,
        wants: Wants,
    ) -> Joined {
        let entry = Entry {
            subscription,
            subscriber,
            wants,
        };
        let mut shard = self.shard(channel).write();
        let (name, subscribers, is_first) = match shard.entry_ref(channel.as_str()) {
            EntryRef::Occupied(occupied) => {
                let name = occupied.key().clone();
                (name, occupied.into_mut(), false)
            }
            EntryRef::Vacant(vacant) => {
                self.channels.fetch_add(1, Ordering::Relaxed);
                let subscribers = vacant.insert_with_key(channel.clone(), Channel::new());
                (channel.clone(), subscribers, true)
            }
        };
        let slot = subscribers.insert(entry);
        self.subscriptions.fetch_add(1, Ordering::Relaxed);
        Joined {
            slot,
            channel: name,
            is_first,
        }
    }

    /// Removes a subscriber. Deliveries that it was offered before may still lie in its queue.
    pub fn unsubscribe(
        &self,
        channel: &ChannelName,
        slot: HubSlot,
        subscription: SubscriptionId,
    ) -> Left {
        let mut shard = self.shard(channel).write();
        let Some(subscribers) = shard.get_mut(channel.as_str()) else {
            return Left::Unknown;
        };
        if !subscribers.remove(slot, subscription) {
            return Left::Unknown;
        }
        self.subscriptions.fetch_sub(1, Ordering::Relaxed);
        if subscribers.len() > 0 {
            return Left::Others;
        }
        shard.remove(channel.as_str());
        self.channels.fetch_sub(1, Ordering::Relaxed);
        Left::Last
    }

    /// Subscribers of a channel on this node.
    #[must_use]
    pub fn len(&self, channel: &ChannelName) -> usize {
        let shard = self.shard(channel).read();
        shard
            .get(channel.as_str())
            .map_or(0, |subscribers| subscribers.len() as usize)
    }

    /// Offset of the last publication with a position that went through, or of the top that was
    /// [noted](Self::note_top); 0: there was none. `None`: the channel has no subscriber.
    #[must_use]
    pub fn last_offset(&self, channel: &ChannelName) -> Option<u64> {
        let shard = self.shard(channel).read();
        shard.get(channel.as_str()).map(Channel::last_offset)
    }

    /// Notes where the stream's top is, for a channel of which no publication went through yet.
    pub fn note_top(&self, channel: &ChannelName, offset: u64) {
        let shard = self.shard(channel).read();
        if let Some(subscribers) = shard.get(channel.as_str()) {
            subscribers.note_top(offset);
        }
    }

    /// How much the hub holds.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            channels: self.channels.load(Ordering::Relaxed),
            subscriptions: self.subscriptions.load(Ordering::Relaxed),
        }
    }

    /// Calls `visit` with each channel's name and number of subscribers, shard by shard.
    pub fn for_each_channel(&self, mut visit: impl FnMut(&ChannelName, u32)) {
        for shard in 0..SHARDS {
            self.for_each_channel_in(shard, &mut visit);
        }
    }

    /// The same for one of the table's [`SHARDS`], so that a caller may pause between them.
    pub fn for_each_channel_in(&self, shard: usize, mut visit: impl FnMut(&ChannelName, u32)) {
        let Some(shard) = self.shards.get(shard) else {
            return;
        };
        for (name, subscribers) in shard.read().iter() {
            visit(name, subscribers.len());
        }
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder is below its divisor")]
    fn shard(&self, channel: &ChannelName) -> &RwLock<Shard<S>> {
        let hash = self.hasher.hash_one(channel.as_str());
        // The tables inside use the low bits.
        let index = (hash >> 48) as usize % SHARDS;
        &self.shards[index]
    }
}

impl<S: Subscriber> Hub<S> {
    /// Offers a push to every subscriber of the channel that wants it; returns how many. It is only
    /// prepared if there is one.
    // hot path: delivery 2/6
    pub fn fan_out(&self, channel: &ChannelName, prepare: impl FnOnce() -> Prepared) -> usize {
        let shard = self.shard(channel).read();
        let Some(subscribers) = shard.get(channel.as_str()) else {
            return 0;
        };
        let prepared = &Arc::new(prepare());
        match prepared.kind() {
            PreparedKind::Publication => {
                subscribers.passed(prepared.offset());
                offer(subscribers.entries(), prepared)
            }
            PreparedKind::Top => offer(subscribers.entries(), prepared),
            PreparedKind::Join | PreparedKind::Leave => offer(
                subscribers
                    .entries()
                    .filter(|entry| entry.wants == Wants::Everything),
                prepared,
            ),
        }
    }
}

fn offer<'a, S: Subscriber + 'a>(
    entries: impl Iterator<Item = &'a Entry<S>>,
    prepared: &Arc<Prepared>,
) -> usize {
    entries
        .map(|entry| entry.subscriber.offer(entry.subscription, prepared))
        .count()
}

#[cfg(test)]
mod tests {
    use gyre_protocol::messages::{ClientInfo, Publication};
    use gyre_types::Epoch;
    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn delivers_to_those_who_want_it() {
        let hub = Hub::default();
        let news = channel("news");
        let (all, some) = (Recorder::default(), Recorder::default());
        hub.subscribe(&news, id(1), all.clone(), Wants::Everything);
        hub.subscribe(&news, id(2), some.clone(), Wants::Publications);

        assert_eq!(hub.fan_out(&news, || publication(&news)), 2);
        assert_eq!(hub.fan_out(&news, || join(&news)), 1);
        assert_eq!(hub.fan_out(&channel("other"), || unreachable!()), 0);

        assert_eq!(*all.0.lock(), [id(1), id(1)]);
        assert_eq!(*some.0.lock(), [id(2)]);
    }

    #[test]
    fn slots_are_used_again_and_late_leavers_hurt_nobody() {
        let hub = Hub::default();
        let news = channel("news");
        let first = hub.subscribe(&news, id(1), Recorder::default(), Wants::Everything);
        let second = hub.subscribe(&news, id(2), Recorder::default(), Wants::Everything);
        assert_eq!(hub.unsubscribe(&news, first.slot, id(1)), Left::Others);

        let third = hub.subscribe(&news, id(3), Recorder::default(), Wants::Everything);
        assert_eq!(third.slot, first.slot);
        assert_eq!(hub.unsubscribe(&news, first.slot, id(1)), Left::Unknown);
        assert_eq!(hub.len(&news), 2);

        assert_eq!(hub.unsubscribe(&news, second.slot, id(2)), Left::Others);
        assert_eq!(hub.unsubscribe(&news, third.slot, id(3)), Left::Last);
        assert_eq!(hub.counts(), Counts::default());
        assert_eq!(hub.unsubscribe(&news, third.slot, id(3)), Left::Unknown);
    }

    #[test]
    fn all_subscribers_share_one_name() {
        let hub = Hub::default();
        let first = hub.subscribe(
            &channel("news"),
            id(1),
            Recorder::default(),
            Wants::Everything,
        );
        let second = hub.subscribe(
            &channel("news"),
            id(2),
            Recorder::default(),
            Wants::Everything,
        );
        assert!(std::ptr::eq(
            first.channel.as_str(),
            second.channel.as_str()
        ));
        let mut seen = Vec::new();
        hub.for_each_channel(|name, len| seen.push((name.to_string(), len)));
        assert_eq!(seen, [("news".to_owned(), 2)]);
    }

    #[derive(Clone, Default)]
    struct Recorder(Arc<Mutex<Vec<SubscriptionId>>>);

    impl Subscriber for Recorder {
        fn offer(&self, subscription: SubscriptionId, _prepared: &Arc<Prepared>) {
            self.0.lock().push(subscription);
        }
    }

    fn channel(name: &str) -> ChannelName {
        ChannelName::new(name).unwrap()
    }

    fn id(slot: u32) -> SubscriptionId {
        SubscriptionId {
            slot,
            generation: 1,
        }
    }

    fn publication(channel: &ChannelName) -> Prepared {
        let publication = Arc::new(Publication::default());
        Prepared::publication(channel, publication, Epoch::default(), None)
    }

    fn join(channel: &ChannelName) -> Prepared {
        Prepared::join(channel, Arc::new(ClientInfo::default()))
    }
}
