//! What the command line does besides serving.

pub(crate) mod check_config;
pub(crate) mod defaults;
pub(crate) mod documentation;
pub(crate) mod generate;
pub(crate) mod metrics;
pub(crate) mod tokens;

use std::io::{self, Write};
use std::path::Path;

use clap::ArgMatches;
use gyre_runtime::process::Status;

use gyre_boot::Given;
use gyre_boot::command::load;

/// Why a command did not do its work. Told on standard error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The configuration cannot be used.
    #[error("{0}")]
    Configuration(#[from] gyre_config::Problems),
    /// What was asked for makes no sense, or cannot be had.
    #[error("{0}")]
    Refused(String),
    /// A file could not be written.
    #[error("{path} cannot be written: {source}")]
    File { path: String, source: io::Error },
    /// Nobody reads what is printed.
    #[error("output cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    pub(crate) const fn status(&self) -> Status {
        match self {
            Self::Configuration(_) => Status::BadConfiguration,
            Self::Refused(_) | Self::File { .. } | Self::Output(_) => Status::Failed,
        }
    }
}

/// The configuration as the server would read it; a file that was named has to be there.
fn configuration(matches: &ArgMatches) -> Result<gyre_config::Config, Failure> {
    let given = Given {
        path: matches.get_one(gyre_boot::command::CONFIG).cloned(),
        flags: Vec::new(),
    };
    Ok(load(&given, given.path.is_some())?.config)
}

/// Writes a file that is not there yet: configuration of others is never overwritten.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = std::fs::File::create_new(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| Failure::File {
        path: path.display().to_string(),
        source,
    })
}
