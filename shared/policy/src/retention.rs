use std::time::Duration;

use gyre_config::channel::Options;

/// How long a channel's publications are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retention {
    /// Publications kept: the newest. Always positive.
    pub size: u32,
    /// How long they are kept after the last of them.
    pub ttl: Duration,
    /// How long the stream's epoch and top outlive the last publish or read; `None`: for ever. At
    /// least `ttl`.
    pub meta_ttl: Option<Duration>,
}

impl Retention {
    /// What the options say, if both a size and a time are set.
    pub(crate) fn new(options: &Options, meta_ttl: Option<Duration>) -> Option<Self> {
        let ttl = options.history_ttl.duration()?;
        (options.history_size > 0).then(|| Self {
            size: u32::try_from(options.history_size).unwrap_or(u32::MAX),
            ttl,
            // A stream does not end before what it keeps.
            meta_ttl: meta_ttl.map(|meta_ttl| meta_ttl.max(ttl)),
        })
    }
}
