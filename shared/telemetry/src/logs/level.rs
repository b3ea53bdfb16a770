use std::str::FromStr;

use tracing::level_filters::LevelFilter;

/// The least severe event that is shown. Option `log.level`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Level {
    /// Nothing, not even the reason for an end.
    None,
    /// Everything per message.
    Trace,
    /// A line per event of a connection.
    Debug,
    /// Changes of state of the process.
    #[default]
    Info,
    /// Unusual, still working.
    Warn,
    /// A person must look.
    Error,
    /// Only why the process ends.
    Fatal,
}

/// A text that names no [`Level`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is not a log level: none, trace, debug, info, warn, error or fatal")]
pub struct UnknownLevel(String);

impl Level {
    pub(super) const fn filter(self) -> LevelFilter {
        match self {
            Self::None | Self::Fatal => LevelFilter::OFF,
            Self::Trace => LevelFilter::TRACE,
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warn => LevelFilter::WARN,
            Self::Error => LevelFilter::ERROR,
        }
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    /// Reads a level without regard to case.
    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "none" => Self::None,
            "trace" => Self::Trace,
            "debug" => Self::Debug,
            "info" => Self::Info,
            "warn" => Self::Warn,
            "error" => Self::Error,
            "fatal" => Self::Fatal,
            _ => return Err(UnknownLevel(text.to_owned())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_level_and_names_them_in_the_error() {
        assert_eq!("WARN".parse(), Ok(Level::Warn));
        assert_eq!("none".parse(), Ok(Level::None));
        let error = "loud".parse::<Level>().unwrap_err();
        assert!(error.to_string().starts_with("\"loud\" is not a log level"));
    }
}
