//! The session, driven by a small world of streams, a hub and clients.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops at the first surprise"
)]

mod backend;
mod commands;
mod describe;
mod gaps;
mod life;
mod model;
mod review;
mod revoking;
mod support;
