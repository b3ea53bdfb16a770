use gyre_telemetry::Registry;
use gyre_telemetry::metrics::Error;
use prometheus::IntCounter;

/// What the engines of a process count together. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) connections_lost: IntCounter,
    pub(crate) gaps: IntCounter,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    ///
    /// They are there already.
    pub fn new(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            connections_lost: registry.counter(
                "redis_connections_lost",
                "Connections to Redis that broke, those for commands and those that listen.",
            )?,
            gaps: registry.counter(
                "redis_channel_gaps",
                "Channels that may have missed something on the way from Redis, and were read again.",
            )?,
        })
    }
}
