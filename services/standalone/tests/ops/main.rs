//! What operators do with the real binary.

mod commands;
mod metrics;
mod reload;
#[path = "../it/server.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod server;
mod tls;
mod traces;

type Outcome = Result<(), Box<dyn std::error::Error>>;
