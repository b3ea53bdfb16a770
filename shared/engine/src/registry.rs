use std::num::NonZeroU32;

use crate::{BoxFuture, Error, Permits};

/// A gateway that lives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gateway {
    /// Identity: a UUID made at each start.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Where its `gyre.gateway.v1` answers; empty if only in this process.
    pub address: String,
}

/// Knows which gateways live.
///
/// A gateway announces itself; its entry lasts for the engine's lease and is renewed by the engine
/// itself until it is withdrawn or the process ends.
pub trait Registry: Send + Sync {
    /// Enters a gateway, or replaces its entry.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    ///
    /// # Cancel safety
    ///
    /// A dropped future may have entered it.
    fn announce(&self, gateway: Gateway) -> BoxFuture<'_, Result<(), Error>>;

    /// Takes a gateway out at once; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it is out or it is not.
    fn withdraw<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), Error>>;

    /// Every gateway whose lease is valid, in the order of their ids.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    fn gateways(&self) -> BoxFuture<'_, Result<Vec<Gateway>, Error>>;

    /// Takes up to `wanted` permits of a rate that all processes share under `name`, as a
    /// [`Meter`](crate::Meter) on the engine's clock grants them. Permits that nobody uses are lost.
    ///
    /// An engine that has no such thing says so; its callers then keep the rate each for itself.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], [`Error::Unsupported`].
    ///
    /// # Cancel safety
    ///
    /// A dropped future may have taken them.
    fn permits<'a>(
        &'a self,
        _name: &'a str,
        _per_second: NonZeroU32,
        _wanted: u32,
    ) -> BoxFuture<'a, Result<Permits, Error>> {
        let feature = "rate for all processes";
        Box::pin(async move { Err(Error::Unsupported { feature }) })
    }
}
