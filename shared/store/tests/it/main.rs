//! The store from outside: one suite over both databases, what outlives a kill, what expires.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod expiry;
mod kill;
mod outbox;
mod places;
mod postgres;
mod sqlite;
mod suite;
mod writing;

use std::path::PathBuf;

use gyre_store::{Change, Exclusion, Key, Kind};
use gyre_types::UnixSeconds;

/// The second in which the tests begin.
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

/// A database file of its own for a test; what an earlier run left is removed.
pub(crate) fn file(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("gyre-store-{name}"));
    if directory.exists() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
    std::fs::create_dir_all(&directory).unwrap();
    directory.join("gyre.db")
}

pub(crate) fn key(kind: Kind, subject: &str) -> Key {
    Key::new(kind, subject, "").unwrap()
}

/// Seconds from [`NOW`]; `None`: for ever.
pub(crate) fn exclusion(key: Key, issued_before: i64, expires_in: Option<i64>) -> Exclusion {
    Exclusion {
        key,
        issued_before: UnixSeconds(issued_before),
        expire_at: expires_in.map(|seconds| UnixSeconds(NOW.0 + seconds)),
    }
}

pub(crate) fn block(user: &str, expires_in: Option<i64>) -> Change {
    Change::Put(exclusion(key(Kind::User, user), 0, expires_in))
}
