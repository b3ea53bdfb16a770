//! Where log events go, and in which form.
//!
//! A file gets JSON lines. Without one, a terminal on stdout gets readable lines there; anything
//! else gets JSON lines on stderr.

mod json;
mod level;

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use json::{Fields, Lines};
pub use level::{Level, UnknownLevel};

/// Target of the one event with which a process says why it ends. Shown at every level but `none`.
pub const FATAL: &str = "fatal";

/// Libraries whose own events below WARN only concern their developers: one line per HTTP/2 frame.
const QUIET: &[&str] = &["h2", "hyper", "hyper_util", "tower", "mio"];

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be written.
    #[error("log.file {path} cannot be opened for writing")]
    File {
        /// The file as configured.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another subscriber is installed already.
    #[error("logs were set up before in this process")]
    Installed(#[from] tracing_subscriber::util::TryInitError),
}

/// The level of the events of this process, which can be changed.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    /// `None` in a process that began with [`Level::None`]: it has nowhere to write to.
    handle: Option<reload::Handle<Targets, Registry>>,
}

impl Levels {
    /// Shows events of this level and above from now on.
    pub fn set(&self, level: Level) {
        if let Some(handle) = &self.handle {
            // Fails only when nothing is written any more.
            drop(handle.reload(filter(level)));
        }
    }
}

/// Sends the events of this process to `file`, or to the terminal or stderr without one.
///
/// # Errors
///
/// [`Error::File`] if the file cannot be opened, [`Error::Installed`] on a second call.
pub fn init(level: Level, file: Option<&Path>) -> Result<Levels, Error> {
    if level == Level::None {
        return Ok(Levels::default());
    }
    let output: Box<dyn Layer<Registry> + Send + Sync> = match file {
        Some(path) => Box::new(json_lines(Arc::new(open(path)?))),
        None if io::stdout().is_terminal() => {
            Box::new(tracing_subscriber::fmt::layer().with_target(false))
        }
        None => Box::new(json_lines(io::stderr)),
    };
    let (filter, handle) = reload::Layer::new(filter(level));
    tracing_subscriber::registry()
        .with(output.with_filter(filter))
        .try_init()?;
    Ok(Levels {
        handle: Some(handle),
    })
}

fn open(path: &Path) -> Result<File, Error> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

fn json_lines<W>(writer: W) -> impl Layer<Registry>
where
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .event_format(Lines)
        .fmt_fields(Fields)
        .with_writer(writer)
}

fn filter(level: Level) -> Targets {
    let ours = level.filter();
    let theirs = ours.min(LevelFilter::WARN);
    Targets::new()
        .with_default(ours)
        .with_targets(QUIET.iter().map(|library| (*library, theirs)))
        .with_target(FATAL, LevelFilter::ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_words_pass_at_fatal() {
        let fatal = filter(Level::Fatal);
        assert!(fatal.would_enable(FATAL, &tracing::Level::ERROR));
        assert!(!fatal.would_enable("gyre_api", &tracing::Level::ERROR));
    }

    #[test]
    fn libraries_stay_quiet() {
        let trace = filter(Level::Trace);
        assert!(trace.would_enable("gyre_gateway", &tracing::Level::TRACE));
        assert!(!trace.would_enable("h2::codec", &tracing::Level::DEBUG));
        assert!(trace.would_enable("h2::codec", &tracing::Level::WARN));
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let error = open(Path::new("/nonexistent/gyre.log")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "log.file /nonexistent/gyre.log cannot be opened for writing"
        );
    }
}
