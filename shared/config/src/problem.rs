//! What is wrong with a configuration, and what is only worth a word.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Origin {
    /// Nobody gave it.
    #[default]
    Default,
    /// A file.
    File(PathBuf),
    /// A variable of the environment, by its full name.
    Variable(String),
    /// A command-line flag, without dashes.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("by default"),
            Self::File(path) => write!(f, "in file {}", path.display()),
            Self::Variable(name) => write!(f, "in variable {name}"),
            Self::Flag(name) => write!(f, "in flag --{name}"),
        }
    }
}

/// One thing that must be put right before the process can start.
#[derive(Debug)]
#[non_exhaustive]
pub enum Problem {
    /// A file could not be read as configuration.
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: FileError,
    },
    /// An option cannot have this value.
    Option {
        /// Path of the option, such as `channel.namespaces[chat].history_ttl`.
        path: String,
        /// What it holds, as one writes it; `***` for secrets.
        value: String,
        /// Where the value came from.
        origin: Origin,
        /// What is allowed.
        expected: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, reason } => write!(f, "file {}: {reason}", path.display()),
            Self::Option {
                path,
                value,
                origin,
                expected,
            } => {
                write!(f, "{path} is {value} {origin}, expected {expected}")
            }
        }
    }
}

/// Why a file is no configuration. Says where, and never what stands there: it may be a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It is not JSON.
    #[error("is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is not YAML.
    #[error("is not YAML: {0}")]
    Yaml(#[from] serde_norway::Error),
    /// It is not TOML.
    #[error("is not TOML: {message} in line {line}")]
    Toml {
        /// What the parser expected.
        message: String,
        /// Line, counted from 1.
        line: usize,
    },
    /// The name does not tell the format.
    #[error("has a name that ends in neither .json, .yaml, .yml nor .toml")]
    Format,
    /// It holds something else than sections.
    #[error("must hold one object of sections")]
    NotAnObject,
}

/// Everything that is wrong, found in one pass. Prints a line for each problem.
#[derive(Debug)]
pub struct Problems {
    /// What must be put right; at least one.
    pub problems: Vec<Problem>,
    /// What is worth a word besides; a misspelt name may explain a problem.
    pub warnings: Vec<Warning>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// One thing that an operator should know; the process starts all the same.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// The configuration file is not there; defaults hold.
    NoFile(PathBuf),
    /// An option that does not exist.
    Unknown {
        /// Path of the option, or name of the variable.
        name: String,
        /// Where it was given.
        origin: Origin,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// An option of the tree that has no effect in this version.
    NotYet {
        /// Path of the option, or name of the variable, where it was met first.
        name: String,
        /// Where it was given.
        origin: Origin,
        /// In how many more places it was met.
        more: usize,
    },
    /// A variable for an item that a list does not have.
    NoItem {
        /// The variable.
        variable: String,
        /// Path of the option that it would be, with `[]` for the item.
        option: String,
    },
    /// A variable is set under both prefixes.
    TwoPrefixes {
        /// The variable that counts.
        used: String,
        /// The variable that does not.
        ignored: String,
    },
    /// A line of an environment file is not understood.
    EnvironmentFile {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1; 0 if the file cannot be read at all.
        line: usize,
    },
    /// An option takes protection away.
    Insecure(&'static str),
    /// A server API refuses every call because it has no key.
    NoKey(&'static str),
    /// HTTP/3 is on, and serves less than HTTP over TCP does.
    Http3,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile(path) => {
                write!(
                    f,
                    "no configuration file {}, defaults are used",
                    path.display()
                )
            }
            Self::Unknown {
                name,
                origin,
                nearest,
            } => unknown(f, name, origin, nearest.as_deref()),
            Self::NotYet {
                name,
                origin,
                more: 0,
            } => {
                write!(f, "option {name} {origin} is not honoured yet")
            }
            Self::NotYet { name, origin, more } => {
                write!(
                    f,
                    "option {name} {origin} and in {more} more places is not honoured yet"
                )
            }
            Self::NoItem { variable, option } => {
                write!(
                    f,
                    "variable {variable} belongs to no item, it would be {option}"
                )
            }
            Self::TwoPrefixes { used, ignored } => {
                write!(
                    f,
                    "variable {ignored} is ignored, because {used} is set too"
                )
            }
            Self::EnvironmentFile { path, line: 0 } => {
                write!(f, "file {} cannot be read", path.display())
            }
            Self::EnvironmentFile { path, line } => {
                write!(f, "line {line} of file {} is no variable", path.display())
            }
            Self::Insecure(option) => {
                write!(f, "{option} is on: not for production")
            }
            Self::NoKey(option) => {
                write!(
                    f,
                    "{option} is empty, so that every call of this API is refused"
                )
            }
            Self::Http3 => f.write_str(
                "http_server.http3.enabled serves WebTransport only, everything else is served over TCP",
            ),
        }
    }
}

/// Says that a name is none, and which one may be meant.
fn unknown(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    origin: &Origin,
    nearest: Option<&str>,
) -> fmt::Result {
    match origin {
        Origin::Variable(name) => write!(f, "unknown variable {name}")?,
        Origin::Flag(name) => write!(f, "unknown flag --{name}")?,
        Origin::File(_) | Origin::Default => write!(f, "unknown option {name} {origin}")?,
    }
    match nearest {
        Some(nearest) => write!(f, ", did you mean {nearest}?"),
        None => Ok(()),
    }
}
