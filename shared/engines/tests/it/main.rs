//! What the configuration puts on Redis beside engines, against real servers.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod exclusions;
#[expect(dead_code, reason = "the tests of the engine use more of it")]
#[path = "../../../engine-redis/tests/it/servers.rs"]
mod servers;
mod statuses;
#[path = "../../../store/tests/it/suite.rs"]
mod suite;

use gyre_store::{Change, Exclusion, Key, Kind};
use gyre_types::UnixSeconds;

/// The second in which the tests begin.
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

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
