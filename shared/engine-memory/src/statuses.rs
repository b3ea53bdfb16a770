use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gyre_engine::{BoxFuture, Error, Status, Statuses};
use gyre_types::{Now, UnixSeconds};
use hashbrown::HashMap;
use parking_lot::Mutex;

/// Most statuses that are kept; the one that changed longest ago makes room.
///
/// 1 000 000: some 200 MB with users of 40 bytes.
pub const STATUSES_MAX: usize = 1_000_000;

/// Statuses in this process.
pub struct MemoryStatuses<C> {
    clock: C,
    /// Unit: seconds.
    kept: i64,
    max: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<Arc<str>, Entry, foldhash::fast::RandomState>,
    /// The same users, by their last change.
    by_change: BTreeSet<(UnixSeconds, Arc<str>)>,
}

#[derive(Debug)]
struct Entry {
    status: Status,
    changed_at: UnixSeconds,
}

impl<C: Fn() -> Now + Send + Sync> MemoryStatuses<C> {
    /// Statuses are forgotten as long as `kept` after their last change, counted in whole seconds.
    #[must_use]
    pub fn new(kept: Duration, clock: C) -> Self {
        Self::with_max(kept, clock, STATUSES_MAX)
    }

    fn with_max(kept: Duration, clock: C, max: usize) -> Self {
        Self {
            clock,
            kept: i64::try_from(kept.as_secs()).unwrap_or(i64::MAX),
            max,
            table: Mutex::default(),
        }
    }

    fn change(&self, users: &[String], change: impl Fn(&mut Status, UnixSeconds)) {
        let now = (self.clock)().unix_seconds();
        let mut table = self.table.lock();
        table.expire(now, self.kept);
        for user in users.iter().filter(|user| !user.is_empty()) {
            table.change(user, now, self.max, &change);
        }
    }
}

impl Table {
    fn expire(&mut self, now: UnixSeconds, kept: i64) {
        while let Some((changed_at, _)) = self.by_change.first()
            && changed_at.0.saturating_add(kept) <= now.0
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, user)) = self.by_change.pop_first() {
            self.entries.remove(&*user);
        }
    }

    fn change(
        &mut self,
        user: &str,
        now: UnixSeconds,
        max: usize,
        change: impl Fn(&mut Status, UnixSeconds),
    ) {
        let (name, mut status) = match self.entries.remove_entry(user) {
            Some((name, entry)) => {
                let place = (entry.changed_at, name);
                self.by_change.remove(&place);
                (place.1, entry.status)
            }
            None => (Arc::from(user), Status::default()),
        };
        while self.entries.len() >= max {
            self.drop_oldest();
        }
        change(&mut status, now);
        self.by_change.insert((now, Arc::clone(&name)));
        let entry = Entry {
            status,
            changed_at: now,
        };
        self.entries.insert(name, entry);
    }
}

impl<C: Fn() -> Now + Send + Sync> Statuses for MemoryStatuses<C> {
    fn act<'a>(&'a self, users: &'a [String], state: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.change(users, |status, now| {
                status.active = Some(now);
                if !state.is_empty() {
                    state.clone_into(&mut status.state);
                }
            });
            Ok(())
        })
    }

    fn appear<'a>(&'a self, users: &'a [String]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.change(users, |status, now| status.online = Some(now));
            Ok(())
        })
    }

    fn statuses<'a>(&'a self, users: &'a [String]) -> BoxFuture<'a, Result<Vec<Status>, Error>> {
        Box::pin(async move {
            let now = (self.clock)().unix_seconds();
            let mut table = self.table.lock();
            table.expire(now, self.kept);
            let found = |user: &String| table.entries.get(user.as_str());
            let status = |user| found(user).map(|entry| entry.status.clone());
            Ok(users
                .iter()
                .map(|user| status(user).unwrap_or_default())
                .collect())
        })
    }

    fn forget<'a>(&'a self, users: &'a [String]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let mut table = self.table.lock();
            for user in users {
                if let Some((name, entry)) = table.entries.remove_entry(user.as_str()) {
                    table.by_change.remove(&(entry.changed_at, name));
                }
            }
            Ok(())
        })
    }
}

impl<C> fmt::Debug for MemoryStatuses<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.table.lock().entries.len();
        f.debug_struct("MemoryStatuses")
            .field("known", &known)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use futures_util::FutureExt as _;
    use gyre_types::UnixMillis;

    use super::*;

    #[test]
    fn the_one_that_changed_longest_ago_makes_room() {
        let millis = Arc::new(AtomicI64::new(0));
        let clock = {
            let millis = Arc::clone(&millis);
            move || Now {
                unix: UnixMillis(millis.fetch_add(1000, Ordering::Relaxed)),
                ..Now::default()
            }
        };
        let statuses = MemoryStatuses::with_max(Duration::from_secs(100), clock, 2);
        for user in ["ann", "bob", "ann", "cid"] {
            let told = statuses.act(&[user.to_owned()], "").now_or_never();
            told.unwrap().unwrap();
        }
        let users = ["ann", "bob", "cid"].map(str::to_owned);
        let found = statuses.statuses(&users).now_or_never().unwrap().unwrap();
        let known = found.iter().map(|status| status.active.is_some());
        assert_eq!(known.collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(statuses.table.lock().by_change.len(), 2);
    }
}
