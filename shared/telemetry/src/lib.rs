//! What a process tells about itself: logs, metrics, and which build it is.
//!
//! Knows no option tree: the composition hands over plain values. There is no global registry; what
//! a newcomer would get wrong is that a [`Registry`] writes the prefix, so names are given without.

#![forbid(unsafe_code)]

pub mod logs;
pub mod metrics;
pub mod traces;

pub use logs::Level;
pub use metrics::Registry;
pub use traces::Traces;

/// Version of this build, as in `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
