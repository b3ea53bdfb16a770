use crate::{BoxFuture, Error};

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
}
