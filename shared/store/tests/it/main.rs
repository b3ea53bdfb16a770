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

pub(crate) use suite::{NOW, block, exclusion, key};

/// A database file of its own for a test; what an earlier run left is removed.
pub(crate) fn file(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("gyre-store-{name}"));
    if directory.exists() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
    std::fs::create_dir_all(&directory).unwrap();
    directory.join("gyre.db")
}
