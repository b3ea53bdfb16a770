//! Fetching over real sockets.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]
#![expect(unused_crate_dependencies, reason = "those of the library")]

mod common;
mod fetch;
mod rotation;
