use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use gyre_engine::{
    Delivered, HistoryQuery, HistoryRead, PublishOptions, Published, Retention, Suppressed,
    epoch_of,
};
use gyre_types::{ChannelName, Epoch, Now, Position, Uptime};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::draft::Draft;
use crate::due::{Agenda, Due, is_sparse};
use crate::stream::{Outdated, Stream};

/// Streams and idempotency keys of one stripe, and when they are over.
#[derive(Debug, Default)]
pub(crate) struct State {
    streams: HashTable<Stream>,
    keys: HashTable<Remembered>,
    agenda: Agenda,
}

/// A channel on its way to the tables: hashed once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) channel: &'a ChannelName,
    pub(crate) hash: u64,
    pub(crate) hasher: &'a RandomState,
}

/// An idempotency key, and what was answered when it was used first.
#[derive(Debug)]
struct Remembered {
    channel: ChannelName,
    key: Arc<str>,
    position: Option<Position>,
    until: Uptime,
}

impl State {
    /// What was answered to this key, if it is still remembered.
    pub(crate) fn remembered(
        &self,
        target: Target<'_>,
        key: &str,
        now: Uptime,
    ) -> Option<Published> {
        let hash = target.hasher.hash_one((target.channel.as_str(), key));
        let first = self.keys.find(hash, |one| one.is(target.channel, key))?;
        (now < first.until).then_some(Published {
            position: first.position,
            suppressed: Some(Suppressed::Idempotency),
        })
    }

    /// Remembers what was answered to the key of these options.
    pub(crate) fn remember(
        &mut self,
        target: Target<'_>,
        options: &PublishOptions<'_>,
        position: Option<Position>,
        now: Uptime,
    ) {
        let hash_key = |channel: &str, key: &str| target.hasher.hash_one((channel, key));
        let remembered = Remembered {
            channel: target.channel.clone(),
            key: options.idempotency_key.into(),
            position,
            until: now + options.idempotency_ttl,
        };
        self.agenda.add(Due {
            at: remembered.until,
            channel: remembered.channel.clone(),
            key: Some(Arc::clone(&remembered.key)),
        });
        let entry = self.keys.entry(
            hash_key(target.channel.as_str(), options.idempotency_key),
            |one| one.is(target.channel, options.idempotency_key),
            |one| hash_key(one.channel.as_str(), &one.key),
        );
        match entry {
            Entry::Occupied(mut over) => *over.get_mut() = remembered,
            Entry::Vacant(free) => {
                free.insert(remembered);
            }
        }
    }

    /// Gives a publication its place in the stream and keeps it there.
    pub(crate) fn keep(
        &mut self,
        target: Target<'_>,
        draft: &Draft<'_>,
        options: &PublishOptions<'_>,
        retention: Retention,
        now: Now,
    ) -> Result<Delivered, Outdated> {
        let stream = stream(&mut self.streams, target, now.uptime);
        stream.renew(retention.meta_ttl, now.uptime);
        let delivered = stream.push(draft, options, retention, now);
        self.agenda.follow(stream);
        delivered
    }

    /// Reads a channel's history, which makes the stream where there is none.
    pub(crate) fn read(
        &mut self,
        target: Target<'_>,
        query: &HistoryQuery<'_>,
        now: Uptime,
    ) -> HistoryRead {
        let stream = stream(&mut self.streams, target, now);
        stream.renew(query.meta_ttl, now);
        self.agenda.follow(stream);
        stream.read(query)
    }

    /// Drops a channel's publications, if it has a stream.
    pub(crate) fn clear(&mut self, target: Target<'_>) {
        let found = self
            .streams
            .find_mut(target.hash, |one| one.channel == *target.channel);
        if let Some(stream) = found {
            stream.clear();
        }
    }

    /// Frees what is over, as long as there is budget: one for each entry of the agenda and each
    /// publication.
    pub(crate) fn sweep(&mut self, hasher: &RandomState, now: Uptime, budget: &mut usize) {
        let mut freed = 0;
        while *budget > freed {
            let Some(due) = self.agenda.next(now) else {
                break;
            };
            freed += 1;
            match &due.key {
                Some(key) => self.forget(hasher, &due.channel, key, now),
                None => freed += self.end(hasher, &due, now),
            }
        }
        if freed > 0 {
            self.shrink(hasher);
        }
        *budget = budget.saturating_sub(freed);
    }

    fn forget(&mut self, hasher: &RandomState, channel: &ChannelName, key: &str, now: Uptime) {
        let hash = hasher.hash_one((channel.as_str(), key));
        // A key that was used again after it was over has another entry.
        let over = |one: &Remembered| one.is(channel, key) && one.until <= now;
        if let Ok(entry) = self.keys.find_entry(hash, over) {
            entry.remove();
        }
    }

    /// Ends the stream or its publications, or neither if it was renewed. How many publications were
    /// dropped.
    fn end(&mut self, hasher: &RandomState, due: &Due, now: Uptime) -> usize {
        let hash = hasher.hash_one(due.channel.as_str());
        let is_due = |one: &Stream| one.channel == due.channel && one.due == due.at;
        let Ok(mut entry) = self.streams.find_entry(hash, is_due) else {
            return 0;
        };
        let stream = entry.get_mut();
        let before = stream.len();
        if stream.is_over(now) {
            entry.remove();
            return before;
        }
        stream.expire(now);
        self.agenda.follow_again(stream);
        before - stream.len()
    }

    /// Gives memory back that a peak has left.
    fn shrink(&mut self, hasher: &RandomState) {
        if is_sparse(self.streams.len(), self.streams.capacity()) {
            let len = self.streams.len() * 2;
            self.streams
                .shrink_to(len, |one| hasher.hash_one(one.channel.as_str()));
        }
        if is_sparse(self.keys.len(), self.keys.capacity()) {
            let len = self.keys.len() * 2;
            self.keys.shrink_to(len, |one| {
                hasher.hash_one((one.channel.as_str(), &*one.key))
            });
        }
        self.agenda.shrink();
    }
}

impl Remembered {
    fn is(&self, channel: &ChannelName, key: &str) -> bool {
        self.channel == *channel && *self.key == *key
    }
}

/// The channel's stream as it is now: made where there is none, begun again where its life is over,
/// without what is over.
fn stream<'s>(
    streams: &'s mut HashTable<Stream>,
    target: Target<'_>,
    now: Uptime,
) -> &'s mut Stream {
    let entry = streams.entry(
        target.hash,
        |one| one.channel == *target.channel,
        |one| target.hasher.hash_one(one.channel.as_str()),
    );
    match entry {
        Entry::Occupied(found) => {
            let stream = found.into_mut();
            if stream.is_over(now) {
                stream.begin_again(new_epoch());
            }
            stream.expire(now);
            stream
        }
        Entry::Vacant(free) => free
            .insert(Stream::new(target.channel.clone(), new_epoch()))
            .into_mut(),
    }
}

/// A random epoch.
fn new_epoch() -> Epoch {
    // Bits 48 to 51 and 64 and 65 of a UUID are not random; what is left and right of them is.
    let [a, b, c, d, e, f, .., g, h] = uuid::Uuid::new_v4().into_bytes();
    epoch_of([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests;
