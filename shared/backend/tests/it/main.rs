//! Calls over real sockets: what backends get, what becomes of what they answer, and of those that
//! misbehave.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]
#![expect(unused_crate_dependencies, reason = "those of the library")]

mod backend;
mod events;
mod faults;
mod faults_grpc;
mod guards;
mod notices;
mod passing;
mod secure;
mod states;
mod streams;
mod world;
