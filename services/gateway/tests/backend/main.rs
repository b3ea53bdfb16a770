//! Connections over real sockets that ask a backend in this process.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod beside;
#[path = "../common/mod.rs"]
mod common;
mod crowd;
mod fake;
mod life;
mod names;
mod world;
