//! `metricsdoc`: which metrics there are.

use std::io::Write;

use clap::Command;
use gyre_config::Config;
use gyre_runtime::{Identity, Parts, process};
use gyre_telemetry::metrics::Description;
use gyre_telemetry::{Registry, VERSION};

use super::Failure;
use crate::compose;

/// How the page begins.
const HEAD: &str = "\
# Metrics

Printed by `gyre metricsdoc`, which asks a process that runs; a test keeps this page true.

They are served at `prometheus.handler_prefix` in the text format of Prometheus. `gyre` is the value of
`prometheus.namespace`; with `centrifugo` in its place, dashboards of that server find what they look for.
A metric with labels shows once something was counted.

| Name | Type | Labels | Meaning |
|---|---|---|---|
";

pub(crate) fn command() -> Command {
    Command::new("metricsdoc").about("Prints which metrics there are, in Markdown")
}

pub(crate) fn print(out: &mut dyn Write) -> Result<(), Failure> {
    let config = everything();
    let told = |error: &dyn std::error::Error| Failure::Refused(error.to_string());
    let registry = Registry::new(&config.prometheus.namespace).map_err(|error| told(&error))?;
    let parts = Parts::new(registry, Identity::new("metricsdoc", VERSION));
    process::rehearse(&parts, async |parts: &Parts| {
        compose::start(&config, parts).await?;
        gyre_boot::version(parts)?;
        Ok(())
    })
    .map_err(|failure| told(&*failure.error))?;
    out.write_all(HEAD.as_bytes())?;
    for one in parts.registry.describe() {
        out.write_all(row(&one).as_bytes())?;
    }
    Ok(())
}

/// A configuration that serves everything that counts, for nobody: on ports that the system chooses.
fn everything() -> Config {
    let mut config = Config::default();
    let loopback = || "127.0.0.1".to_owned();
    (config.http_server.address, config.http_server.port) = (loopback(), 0);
    (config.grpc_api.address, config.grpc_api.port) = (loopback(), 0);
    config.grpc_api.enabled = true;
    config.grpc_api.insecure = true;
    config.prometheus.enabled = true;
    config.prometheus.instrument_http_handlers = true;
    config.prometheus.recovered_publications_histogram = true;
    // Nothing is told there: nobody enters a channel.
    "http://127.0.0.1:9".clone_into(&mut config.channel.proxy.state.endpoint);
    config.channel.without_namespace.state_proxy_enabled = true;
    config
}

fn row(one: &Description) -> String {
    let labels = one.labels.iter().map(|label| format!("`{label}`"));
    let labels = labels.collect::<Vec<_>>().join(", ");
    format!(
        "| `{}` | {} | {labels} | {} |\n",
        one.name, one.kind, one.help
    )
}
