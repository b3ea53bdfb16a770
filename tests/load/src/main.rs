//! Load generator: what a server costs per connection, per delivery and per publication.
//!
//! It speaks the client protocol over plain WebSocket and the server API over HTTP and gRPC, so it measures any server
//! of the protocol; with `--against` it measures a second one in the same run, scenario by scenario, and prints the
//! ratio. That ratio is what counts: the speed of a machine varies by the minute.
//!
//! It stays on the loopback interface, and every scenario is bounded in time and in connections.

mod args;
mod client;
mod grpc;
mod http;
mod payload;
mod report;
mod scenarios;
mod server;
mod usage;
mod websocket;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::task::LocalSet;

use crate::args::Args;
use crate::report::Report;
use crate::scenarios::Scenario;
use crate::server::Server;

fn main() -> ExitCode {
    match measure(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    if args.list {
        return scenarios::ALL
            .iter()
            .try_for_each(|one| report::line(&format!("{:<16} {}", one.name, one.about)));
    }
    if args.print_config {
        return report::line(&format!("{:#}", server::config(8000, args.grpc_port)));
    }
    let scenarios = scenarios::chosen(&args.scenarios)?;
    if let Some(core) = args.generator_core() {
        server::pin_this_process(core);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut report = Report::default();
    for scenario in scenarios {
        report::progress(&format!("{} …", scenario.name));
        for (column, command) in args.commands().into_iter().enumerate() {
            let measured = LocalSet::new()
                .block_on(&runtime, one(args, scenario, command))
                .with_context(|| {
                    format!(
                        "{} of {}",
                        scenario.name,
                        command.unwrap_or("the running server")
                    )
                })?;
            report.add(scenario.name, column, measured);
        }
    }
    report.print(args.json.as_deref())
}

/// One scenario on a server of its own, so that none inherits another's memory.
async fn one(
    args: &Args,
    scenario: &Scenario,
    command: Option<&str>,
) -> Result<Vec<report::Value>> {
    let server = Server::begin(args, command).await?;
    let measured = (scenario.run)(args, &server).await;
    server.end().await?;
    measured
}
