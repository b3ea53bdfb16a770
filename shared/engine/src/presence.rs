use std::collections::BTreeMap;
use std::sync::Arc;

use gyre_protocol::messages::ClientInfo;
use gyre_types::{ChannelName, ClientId};

use crate::{BoxFuture, Error};

/// Who is in a channel, by client id.
pub type Members = BTreeMap<ClientId, Arc<ClientInfo>>;

/// How many are in a channel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PresenceStats {
    /// Connections.
    pub clients: usize,
    /// Different users. Anonymous connections count as one user, the empty one.
    pub users: usize,
}

/// Knows who is in a channel.
///
/// A member is leased by its gateway: it stays until it is removed or the gateway's lease runs out
/// (engines within one process have no lease: the members end with the process). Adding a member
/// again replaces its info, and with it the user that it counts for. Reads see every add and remove
/// that was acknowledged before. A channel without members is like one that never had any.
pub trait Presence: Send + Sync {
    /// Adds a member or replaces its info.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    ///
    /// # Cancel safety
    ///
    /// A dropped future may have added it: remove it.
    fn add<'a>(
        &'a self,
        channel: &'a ChannelName,
        client: &'a ClientId,
        info: Arc<ClientInfo>,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// Removes a member; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it is gone or it is not.
    fn remove<'a>(
        &'a self,
        channel: &'a ChannelName,
        client: &'a ClientId,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// Who is in the channel.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    fn members<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<Members, Error>>;

    /// How many are in the channel.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    fn stats<'a>(&'a self, channel: &'a ChannelName)
    -> BoxFuture<'a, Result<PresenceStats, Error>>;
}
