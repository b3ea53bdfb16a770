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
