//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Measures a server of the client protocol: memory and CPU per connection, delivery and publication.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Scenarios: see `gyre-load --list`. Without names all are run."
)]
pub(crate) struct Args {
    /// Scenarios to run, in this order.
    pub scenarios: Vec<String>,

    /// Print the scenarios and stop.
    #[arg(long)]
    pub list: bool,

    /// Command that starts the server under test; `{config}` becomes the path of its configuration.
    #[arg(long, default_value = "gyre -c {config}", conflicts_with_all = ["url", "pid"])]
    pub server: String,

    /// Command of a second server, measured beside the first.
    #[arg(long, conflicts_with_all = ["url", "pid"])]
    pub against: Option<String>,

    /// Address of a server that runs already with the configuration of `--print-config`.
    #[arg(long, requires = "pid", value_name = "HOST:PORT")]
    pub url: Option<String>,

    /// Its process.
    #[arg(long, requires = "url")]
    pub pid: Option<u32>,

    /// Its gRPC port.
    #[arg(long, default_value_t = 10_000, requires = "url")]
    pub grpc_port: u16,

    /// Print the configuration that servers are started with, and stop.
    #[arg(long)]
    pub print_config: bool,

    /// Connections of the scenarios that count memory. At most 18 000: a process has 20 000 descriptors here and there.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=18_000))]
    pub connections: u32,

    /// Clients that come back in the storm.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=18_000))]
    pub storm_clients: u32,

    /// Length of a measurement. Unit: seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,

    /// Length of a measurement of idle connections; 25 holds one ping of each. Unit: seconds.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub idle_seconds: u32,

    /// Leave servers and this process on all cores; by default the server gets core 0 and this process core 1.
    #[arg(long)]
    pub no_pin: bool,

    /// Write the results as JSON as well.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Args {
    /// Servers to measure: commands, or `None` for the one that runs.
    pub(crate) fn commands(&self) -> Vec<Option<&str>> {
        if self.url.is_some() {
            return vec![None];
        }
        [Some(self.server.as_str())]
            .into_iter()
            .chain(self.against.as_deref().map(Some))
            .collect()
    }

    /// Core of this process; `None` leaves it where it is.
    pub(crate) fn generator_core(&self) -> Option<u32> {
        (!self.no_pin).then_some(1)
    }

    /// Core of the server.
    pub(crate) fn server_core(&self) -> Option<u32> {
        (!self.no_pin).then_some(0)
    }
}
