//! Which gateways there are, and the links to them.
//!
//! A [`Directory`] is asked before each command: a gateway that came a moment ago may hold the very
//! connection that is meant. Where the gateways are comes from section `links` of the configuration:
//! fixed addresses, names that stand for several addresses, or the engine's registry.
//!
//! What a newcomer would get wrong: a gateway that does not answer stays in the list until its lease
//! is over or its address is gone. Whoever calls says so to whoever asked.

#![forbid(unsafe_code)]

mod address;
mod directory;
mod wiring;

pub use address::advertised;
pub use directory::{Directory, Listed, Peer};
pub use wiring::{OpenError, Wiring, key};
