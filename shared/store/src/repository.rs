use std::fmt;

use gyre_types::UnixSeconds;

use crate::BoxFuture;
use crate::exclusion::{Change, Exclusion, Key, Kind};
use crate::sql::DatabaseError;

/// Where exclusions are kept so that they outlive the process.
///
/// Methods may be dropped half way: then the database has all of it or nothing of it.
pub trait Exclusions: fmt::Debug + Send + Sync {
    /// Whether other processes change it too.
    fn is_shared(&self) -> bool;

    /// Number of the latest change. Numbers grow, and none becomes visible before a smaller one.
    fn version(&self) -> BoxFuture<'_, Result<i64, DatabaseError>>;

    /// At most `limit` changes with numbers above `after`, in their order; of several changes of one
    /// key the latest only. What was removed can be seen for [`REMOVED_SECS`](crate::REMOVED_SECS).
    fn since(
        &self,
        after: i64,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<(i64, Change)>, DatabaseError>>;

    /// Makes all changes in this order, or none. When it answers `Ok`, they survive the end of the
    /// process by whatever signal.
    fn apply<'a>(
        &'a self,
        changes: &'a [Change],
        now: UnixSeconds,
    ) -> BoxFuture<'a, Result<(), DatabaseError>>;

    /// At most `limit` exclusions of a kind that hold, with keys after `after`, sorted by key.
    fn page<'a>(
        &'a self,
        kind: Kind,
        after: Option<&'a Key>,
        now: UnixSeconds,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Exclusion>, DatabaseError>>;

    /// Deletes at most `limit` of what no longer holds; how many there were.
    fn purge(&self, now: UnixSeconds, limit: u32) -> BoxFuture<'_, Result<u64, DatabaseError>>;
}
