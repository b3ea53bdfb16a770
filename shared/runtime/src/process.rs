//! The life of a process: start, serve, drain.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use gyre_telemetry::logs::FATAL;
use tokio::runtime::Builder;
use tokio::time::sleep;

use crate::drain::FAREWELL;
use crate::signals::Signals;
use crate::{Parts, Stopped};

/// How long a rehearsed process may drain. One second: it has no connections.
const REHEARSAL_GRACE: Duration = Duration::from_secs(1);

/// How a process ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// Nothing was cut. Exit code 0.
    Clean,
    /// It could not start, lost a part it needs, or had to drop work. Exit code 1.
    Failed,
    /// Its configuration cannot be used. Exit code 64.
    BadConfiguration,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Clean => 0,
            Status::Failed => 1,
            Status::BadConfiguration => 64,
        })
    }
}

/// Why a process could not start.
#[derive(Debug)]
pub struct Failure {
    /// What it ends with.
    pub status: Status,
    /// What went wrong.
    pub error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// Something was not there: exit code 1.
    pub fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            status: Status::Failed,
            error: error.into(),
        }
    }

    /// The configuration asks for what cannot be: exit code 64.
    pub fn bad_configuration(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            status: Status::BadConfiguration,
            error: error.into(),
        }
    }
}

/// Runs `start`, then serves until SIGTERM, SIGINT or the end of a vital task, then drains for at
/// most `grace`. A second signal ends the process at once.
pub fn run<F>(parts: &Parts, grace: Duration, start: F) -> ExitCode
where
    F: AsyncFnOnce(&Parts) -> Result<(), Failure>,
{
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fatal("threads cannot be started", &error).into(),
    };
    log_panics();
    let status = runtime.block_on(live(parts, grace, start));
    runtime.shutdown_background();
    status.into()
}

/// Runs `start` and drains at once: for those who want to know what a process is made of.
///
/// # Errors
///
/// What `start` failed with.
pub fn rehearse<F>(parts: &Parts, start: F) -> Result<(), Failure>
where
    F: AsyncFnOnce(&Parts) -> Result<(), Failure>,
{
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::failed)?;
    let started = runtime.block_on(async {
        let started = start(parts).await;
        parts.tasks.stop(REHEARSAL_GRACE).await;
        started
    });
    runtime.shutdown_background();
    started
}

/// Waits for something outside of any process that serves: for the commands of an operator.
///
/// # Errors
///
/// The system has no threads left.
pub fn wait<T>(future: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}

async fn live<F>(parts: &Parts, grace: Duration, start: F) -> Status
where
    F: AsyncFnOnce(&Parts) -> Result<(), Failure>,
{
    let mut signals = match Signals::listen(parts.reload.clone()) {
        Ok(signals) => signals,
        Err(error) => return fatal("signals cannot be caught", &error),
    };
    let started = tokio::select! {
        started = start(parts) => started,
        () = signals.stop() => return Status::Clean,
    };
    if let Err(failure) = started {
        fatal("start failed", &*failure.error);
        return failure.status;
    }
    serve(parts, grace, &mut signals).await
}

/// From ready to the end. A second signal ends the process at once.
async fn serve(parts: &Parts, grace: Duration, signals: &mut Signals) -> Status {
    say_ready(parts);
    let cause = tokio::select! {
        () = signals.stop() => Status::Clean,
        () = parts.leaving.leaving() => {
            sleep(FAREWELL).await;
            Status::Clean
        }
        () = parts.tasks.drain().draining() => Status::Failed,
    };
    parts.leaving.begin();
    tokio::select! {
        status = end(parts, grace, cause) => status,
        () = signals.stop() => {
            tracing::warn!("second signal: exit without drain");
            Status::Failed
        }
    }
}

/// Hands over what cannot be moved at once, then drains.
async fn end(parts: &Parts, grace: Duration, cause: Status) -> Status {
    let cause = tokio::select! {
        () = parts.leaving.left() => cause,
        () = parts.tasks.drain().draining() => Status::Failed,
    };
    ended(cause, drain(parts, grace).await)
}

fn say_ready(parts: &Parts) {
    parts.readiness.set_ready();
    tracing::info!(
        node = parts.identity.name,
        version = parts.identity.version,
        "ready"
    );
}

async fn drain(parts: &Parts, grace: Duration) -> Stopped {
    tracing::info!(timeout_seconds = grace.as_secs_f64(), "draining");
    parts.tasks.stop(grace).await
}

fn ended(cause: Status, stopped: Stopped) -> Status {
    match stopped {
        Stopped::Clean => {
            tracing::info!("stopped");
            cause
        }
        Stopped::Expired => {
            tracing::warn!("stopped; what was still under way was dropped");
            Status::Failed
        }
    }
}

fn fatal(message: &str, error: &(dyn Error + 'static)) -> Status {
    tracing::error!(target: FATAL, error, "{message}");
    Status::Failed
}

/// Panics become log events, with their place.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let text = panic.payload_as_str().unwrap_or_default();
        tracing::error!(place, text, "panicked");
    }));
}
