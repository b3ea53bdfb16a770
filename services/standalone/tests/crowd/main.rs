//! The real binary with connections by the thousand. The tests take turns, for each of them is a load.

#![expect(
    clippy::print_stdout,
    reason = "the numbers, for who runs it by hand with --nocapture"
)]

#[expect(dead_code, reason = "the tests of single connections use more of it")]
#[path = "../it/server.rs"]
mod server;
#[expect(dead_code, reason = "the tests of single connections use more of it")]
#[path = "../it/websocket.rs"]
mod websocket;

mod draining;
mod member;
mod slow_quarter;
mod stopping;

use std::error::Error;
use std::time::Duration;

use parking_lot::Mutex;
use server::Server;
use tokio::runtime::Runtime;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

type Outcome = Result<(), Box<dyn Error>>;

/// Longest part of a test. Past it something hangs.
const PART_MAX: Duration = Duration::from_secs(300);

/// What a client's queue holds. Unit: bytes.
const QUEUE_BYTES: usize = 64 * 1024;

static TURN: Mutex<()> = Mutex::new(());

/// Starts a server that needs no tokens and does not ping while a test runs.
fn start() -> Result<Server, Box<dyn Error>> {
    start_with("crowd", "")
}

/// The same with further sections in its configuration.
fn start_with(name: &str, sections: &str) -> Result<Server, Box<dyn Error>> {
    let file = server::directory()?.join(format!("{name}.json"));
    let config = format!(
        "{{{sections}\"client\":{{\"insecure\":true,\"ping_interval\":\"10m\",\"stale_close_delay\":\"10m\",\
         \"queue_max_size\":{QUEUE_BYTES}}},\"prometheus\":{{\"enabled\":true}}}}"
    );
    std::fs::write(&file, config)?;
    let file = file.to_str().ok_or("path is not text")?;
    Server::start(&["-c", file])
}

/// Runs a part of a test.
fn part<T>(runtime: &Runtime, work: impl Future<Output = T>) -> Result<T, Elapsed> {
    runtime.block_on(async { timeout(PART_MAX, work).await })
}
