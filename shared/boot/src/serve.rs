use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use gyre_config::{Config, Loaded, Problems, Warning};
use gyre_runtime::process::{self, Failure, Status};
use gyre_runtime::{Identity, Parts};
use gyre_telemetry::logs::{self, FATAL, Level};
use gyre_telemetry::{Registry, VERSION};
use prometheus::IntGauge;

use crate::command::{Given, load};
use crate::links::{self, Links};
use crate::reload::Reloader;
use crate::{Role, Running};

/// Where the system says what this machine is called.
const HOST_NAME_FILE: &str = "/proc/sys/kernel/hostname";

/// Reads the configuration, starts with it, and serves until the process is told to stop.
pub fn serve<F>(given: &Given, role: Role, start: F) -> ExitCode
where
    F: AsyncFnOnce(&Config, &Parts) -> Result<Running, Failure>,
{
    let Loaded {
        mut config,
        warnings,
    } = match load(given, false) {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(&problems),
    };
    let levels = match logs::init(level(&config), option(&config.log.file)) {
        Ok(levels) => levels,
        Err(error) => return refuse_for(&error),
    };
    warn(&warnings);
    if links::settle(&mut config, role) == Links::Missing {
        tracing::warn!(
            "links.key is not set: commands of the server API reach connections of this process only"
        );
    }
    let registry = match Registry::new(&config.prometheus.namespace) {
        Ok(registry) => registry,
        Err(error) => return fatal(&error, Status::BadConfiguration),
    };
    let parts = Parts::new(registry, Identity::new(&node_name(&config), VERSION));
    let pid_file = option(&config.pid_file);
    if let Some(Err(error)) = pid_file.map(write_pid) {
        return fatal(&error, Status::BadConfiguration);
    }
    let timeout = config.shutdown.timeout.duration().unwrap_or_default();
    let code = process::run(&parts, timeout, async |parts: &Parts| {
        let running = start(&config, parts).await?;
        let reloader = Reloader {
            given: given.clone(),
            role,
            config: config.clone(),
            levels,
            running,
            version: version(parts)?,
        };
        reloader.run(parts);
        Ok(())
    });
    if let Some(Err(error)) = pid_file.map(fs::remove_file) {
        tracing::warn!(%error, "pid_file cannot be removed");
    }
    code
}

/// Counts how often the configuration took effect.
///
/// # Errors
///
/// The metric is there already.
pub fn version(parts: &Parts) -> Result<IntGauge, Failure> {
    let version = parts.registry.gauge(
        "config_version",
        "How often the configuration took effect: 1 at the start, one more with each reload.",
    );
    let version = version.map_err(Failure::failed)?;
    version.set(1);
    Ok(version)
}

/// Tells what is odd about a configuration that can be used.
pub(crate) fn warn(warnings: &[Warning]) {
    for warning in warnings {
        tracing::warn!(%warning, "configuration");
    }
}

/// Tells every problem, each as an event of its own.
fn refuse(problems: &Problems) -> ExitCode {
    // Nothing said yet where logs go.
    drop(logs::init(Level::default(), None));
    for problem in &problems.problems {
        tracing::error!(target: FATAL, %problem, "configuration cannot be used");
    }
    warn(&problems.warnings);
    Status::BadConfiguration.into()
}

fn refuse_for(error: &logs::Error) -> ExitCode {
    drop(logs::init(Level::default(), None));
    fatal(error, Status::BadConfiguration)
}

fn fatal(error: &(dyn Error + 'static), status: Status) -> ExitCode {
    tracing::error!(target: FATAL, error, "start failed");
    status.into()
}

/// Why the process id could not be written.
#[derive(Debug, thiserror::Error)]
#[error("pid_file {path:?} cannot be written")]
struct PidFile {
    path: String,
    source: std::io::Error,
}

fn write_pid(path: &Path) -> Result<(), PidFile> {
    fs::write(path, std::process::id().to_string()).map_err(|source| PidFile {
        path: path.display().to_string(),
        source,
    })
}

/// A path, unless the option is empty.
fn option(path: &str) -> Option<&Path> {
    Some(Path::new(path)).filter(|_| !path.is_empty())
}

/// What goes to the log.
#[must_use]
pub const fn level(config: &Config) -> Level {
    match config.log.level {
        gyre_config::log::Level::None => Level::None,
        gyre_config::log::Level::Trace => Level::Trace,
        gyre_config::log::Level::Debug => Level::Debug,
        gyre_config::log::Level::Info => Level::Info,
        gyre_config::log::Level::Warn => Level::Warn,
        gyre_config::log::Level::Error => Level::Error,
        gyre_config::log::Level::Fatal => Level::Fatal,
    }
}

/// The configured name, or one made of host name and port.
fn node_name(config: &Config) -> String {
    if !config.node.name.is_empty() {
        return config.node.name.clone();
    }
    let host = fs::read_to_string(HOST_NAME_FILE).unwrap_or_else(|_| "gyre".to_owned());
    format!("{}_{}", host.trim(), config.http_server.port)
}
