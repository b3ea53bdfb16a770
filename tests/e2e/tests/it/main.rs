//! Two gateways and two APIs on real Redis, clients that recover, a publisher that repeats what it is
//! not sure of, and a judge who knows what was acknowledged.
//!
//! Every acknowledged publication arrives in order exactly once, or its subscriber was told that it
//! could not be caught up. A test prints its seed; `GYRE_E2E_SEED` repeats it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and says what it does"
)]

mod balancer;
mod client;
mod drain;
mod faults;
mod http;
mod judge;
mod network;
mod outage;
mod partitions;
mod presence;
mod processes;
mod publisher;
mod random;
mod refusals;
mod schedules;
mod sdks;
#[expect(dead_code, reason = "the tests of the engine use more of it")]
#[path = "../../../../shared/engine-redis/tests/it/servers.rs"]
mod servers;
mod states;
#[expect(dead_code, reason = "the tests of single connections use more of it")]
#[path = "../../../../services/standalone/tests/it/websocket.rs"]
mod websocket;
mod world;
