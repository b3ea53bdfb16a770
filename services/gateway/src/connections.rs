//! Which connections this node holds, by user.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gyre_types::{ClientId, UserId};
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use smallvec::SmallVec;

use crate::handle::Handle;

/// Shards of the table. 64: registering is rare beside delivering.
pub(crate) const SHARDS: usize = 64;

type List = SmallVec<[Arc<Handle>; 1]>;
type Shard = HashMap<UserId, List, foldhash::fast::RandomState>;

/// The user has as many connections as one may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TooMany;

/// The connections of this node. Anonymous ones are those of the empty user.
#[derive(Debug)]
pub(crate) struct Connections {
    shards: Box<[RwLock<Shard>]>,
    hasher: foldhash::fast::RandomState,
    connections: AtomicUsize,
    users: AtomicUsize,
    /// Those whose connect command has not been accepted yet, by client.
    waiting: Mutex<HashMap<ClientId, Arc<Handle>, foldhash::fast::RandomState>>,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: foldhash::fast::RandomState::default(),
            connections: AtomicUsize::new(0),
            users: AtomicUsize::new(0),
            waiting: Mutex::default(),
        }
    }
}

impl Connections {
    /// Enters a connection of which nothing is known yet.
    pub(crate) fn wait(&self, handle: &Arc<Handle>) {
        let mut waiting = self.waiting.lock();
        waiting.insert(handle.client.clone(), Arc::clone(handle));
    }

    /// Enters a connection unless its user has `limit` already; 0 is no limit, and anonymous
    /// connections do not count.
    pub(crate) fn enter(
        &self,
        handle: &Arc<Handle>,
        user: &UserId,
        limit: usize,
    ) -> Result<(), TooMany> {
        let mut shard = self.shard(user).write();
        let list = match shard.get_mut(user) {
            Some(list) => list,
            None => {
                self.users.fetch_add(1, Ordering::Relaxed);
                shard.entry(user.clone()).or_default()
            }
        };
        if limit > 0 && !user.is_empty() && list.len() >= limit {
            return Err(TooMany);
        }
        handle.register(user.clone());
        let place = u32::try_from(list.len()).unwrap_or(u32::MAX);
        handle.place.store(place, Ordering::Relaxed);
        list.push(Arc::clone(handle));
        drop(shard);
        self.connections.fetch_add(1, Ordering::Relaxed);
        // In both for a moment, so that a drain finds it in one of them.
        self.waiting.lock().remove(&handle.client);
        Ok(())
    }

    /// Takes a connection out, if it is in.
    pub(crate) fn leave(&self, handle: &Arc<Handle>) {
        let Some(user) = handle.user() else {
            self.waiting.lock().remove(&handle.client);
            return;
        };
        let mut shard = self.shard(user).write();
        let Some(list) = shard.get_mut(user) else {
            return;
        };
        let place = handle.place();
        if list
            .get(place)
            .is_none_or(|other| !Arc::ptr_eq(other, handle))
        {
            return;
        }
        list.swap_remove(place);
        if let Some(moved) = list.get(place) {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            moved.place.store(place, Ordering::Relaxed);
        }
        self.connections.fetch_sub(1, Ordering::Relaxed);
        if list.is_empty() {
            shard.remove(user);
            self.users.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The connections of a user.
    pub(crate) fn of(&self, user: &UserId) -> Vec<Arc<Handle>> {
        let shard = self.shard(user).read();
        shard
            .get(user)
            .map(|list| list.to_vec())
            .unwrap_or_default()
    }

    /// Those of which nothing is known yet.
    pub(crate) fn waiting(&self) -> Vec<Arc<Handle>> {
        self.waiting.lock().values().cloned().collect()
    }

    /// All connections, those included of which nothing is known yet.
    pub(crate) fn everyone(&self) -> Vec<Arc<Handle>> {
        let mut everyone = self.waiting();
        everyone.extend(self.all());
        everyone
    }

    /// All accepted connections, shard by shard.
    pub(crate) fn all(&self) -> Vec<Arc<Handle>> {
        let mut all = Vec::with_capacity(self.len());
        for shard in &self.shards {
            for list in shard.read().values() {
                all.extend(list.iter().cloned());
            }
        }
        all
    }

    /// Calls `visit` with each accepted connection of one of the table's [`SHARDS`].
    pub(crate) fn for_each_in(&self, shard: usize, mut visit: impl FnMut(&Arc<Handle>)) {
        let Some(shard) = self.shards.get(shard) else {
            return;
        };
        for list in shard.read().values() {
            list.iter().for_each(&mut visit);
        }
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// How many different users they have; the anonymous count as one.
    pub(crate) fn users(&self) -> usize {
        self.users.load(Ordering::Relaxed)
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder is below its divisor")]
    fn shard(&self, user: &UserId) -> &RwLock<Shard> {
        let hash = self.hasher.hash_one(user.as_str());
        &self.shards[(hash >> 48) as usize % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_only_so_many_connections() {
        let connections = Connections::default();
        let ann = UserId::new("ann");
        let (first, second, third) = (handle("1"), handle("2"), handle("3"));
        assert_eq!(connections.enter(&first, &ann, 2), Ok(()));
        assert_eq!(connections.enter(&second, &ann, 2), Ok(()));
        assert_eq!(connections.enter(&third, &ann, 2), Err(TooMany));
        connections.leave(&first);
        assert_eq!(connections.enter(&third, &ann, 2), Ok(()));
        assert_eq!(connections.of(&ann).len(), 2);
    }

    #[test]
    fn the_anonymous_are_not_limited() {
        let connections = Connections::default();
        for name in ["1", "2", "3"] {
            let entered = connections.enter(&handle(name), &UserId::default(), 1);
            assert_eq!(entered, Ok(()));
        }
        assert_eq!((connections.len(), connections.users()), (3, 1));
    }

    #[test]
    fn leaving_moves_nobody_out_of_reach() {
        let connections = Connections::default();
        let ann = UserId::new("ann");
        let handles: Vec<_> = (0..10).map(|n| handle(&n.to_string())).collect();
        for handle in &handles {
            connections.enter(handle, &ann, 0).unwrap();
        }
        for handle in handles
            .iter()
            .step_by(2)
            .chain(handles.iter().skip(1).step_by(2))
        {
            connections.leave(handle);
            connections.leave(handle); // A second time changes nothing.
            assert!(
                connections
                    .of(&ann)
                    .iter()
                    .all(|other| !Arc::ptr_eq(other, handle))
            );
        }
        assert_eq!((connections.len(), connections.users()), (0, 0));
    }

    fn handle(client: &str) -> Arc<Handle> {
        Arc::new(Handle::new(ClientId::new(client), 1024))
    }
}
