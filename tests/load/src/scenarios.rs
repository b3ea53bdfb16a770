//! What can be measured. Each scenario gets a server of its own.

mod commands;
mod connections;
mod fan_out;
mod publish;
mod slow;
mod storm;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::{Instant, sleep};

use crate::args::Args;
use crate::report::Value;
use crate::server::Server;

type Measuring<'a> = Pin<Box<dyn Future<Output = Result<Vec<Value>>> + 'a>>;

/// One thing to measure.
pub(crate) struct Scenario {
    /// Name on the command line and in the results.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Runs it against a fresh server.
    pub run: for<'a> fn(&'a Args, &'a Server) -> Measuring<'a>,
}

macro_rules! scenarios {
    ($($name:literal: $about:literal => $run:path,)*) => {
        &[$(Scenario { name: $name, about: $about, run: |args, server| Box::pin($run(args, server)) },)*]
    };
}

/// All scenarios, in the order in which they run.
pub(crate) const ALL: &[Scenario] = scenarios! {
    "idle": "connections that do nothing: memory and CPU of each" => connections::idle,
    "own-channels": "connections with ten channels of their own" => connections::own_channels,
    "shared-channels": "connections with ten channels that all share" => connections::shared_channels,
    "fanout": "one channel, 1000 subscribers, 50 publications a second over HTTP" => fan_out::paced,
    "fanout-max": "the same as fast as it goes, two requests on their way" => fan_out::fastest,
    "fanout-grpc": "the same as fanout, published over gRPC, Protobuf clients" => fan_out::over_grpc,
    "many": "500 channels with ten subscribers each, 2000 publications a second" => fan_out::many,
    "publish-http": "publications over HTTP, eight on their way" => publish::over_http,
    "publish-grpc": "publications over gRPC, 64 on their way" => publish::over_grpc,
    "publish-history": "publications with history over gRPC, 64 on their way" => publish::with_history,
    "batch": "HTTP batches of 100 publications" => publish::batch,
    "broadcast": "HTTP broadcasts to 100 channels" => publish::broadcast,
    "storm": "all clients come back at once and recover while publishing goes on" => storm::storm,
    "history": "history of 50 publications over one connection" => commands::history,
    "rpc": "RPC ping over one connection" => commands::rpc,
    "presence": "presence of 100 members over one connection" => commands::presence,
    "subscribe": "subscribe and unsubscribe over one connection" => commands::subscribe,
    "slow": "10 of 200 readers stop: latency of the others" => slow::slow,
};

/// The scenarios with these names; all for no names.
pub(crate) fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>> {
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let find = |name: &String| {
        ALL.iter()
            .find(|scenario| scenario.name == name)
            .with_context(|| format!("no scenario `{name}`; see --list"))
    };
    names.iter().map(find).collect()
}

/// How long the last deliveries may take to arrive.
const SETTLE_MAX: Duration = Duration::from_secs(20);

/// Waits until something is so, looking again every few milliseconds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + SETTLE_MAX;
    while !holds() {
        ensure!(
            Instant::now() < deadline,
            "not within {SETTLE_MAX:?}: {what}"
        );
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// A length of time from the command line.
fn seconds(count: u32) -> Duration {
    Duration::from_secs(u64::from(count))
}

/// A count as a number to divide by.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run are far below 2^52"
)]
fn float(count: u64) -> f64 {
    count as f64
}
