//! `log`: what the process writes about itself.

use crate::tree::options;
use crate::values::keyword;

options! {
    /// Logging.
    pub struct Log {
        /// Least important level that is written.
        level: Level = Level::Info;
        /// File that log lines are appended to. Empty: standard error.
        file: String;
    }
}

keyword! {
    /// How important a log line must be.
    pub enum Level = Info {
        /// Nothing at all.
        None = "none",
        /// Everything per message.
        Trace = "trace",
        /// A line per event of a connection.
        Debug = "debug",
        /// Changes of state of the process.
        Info = "info",
        /// Unusual, still working.
        Warn = "warn",
        /// A promise was broken.
        Error = "error",
        /// As `error`; kept for configurations that have it.
        Fatal = "fatal"
    }
}
