//! Who a client is.

pub(crate) mod describe;

use std::sync::Arc;

use bytes::Bytes;
use gyre_policy::Capabilities;
use gyre_protocol::messages::ClientInfo;
use gyre_types::{ClientId, UnixMillis, UnixSeconds, UserId};

use crate::effect::{RefreshBy, TokenMark};
use crate::identity::describe::App;

/// Who the client is.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) client: ClientId,
    pub(crate) user: UserId,
    /// As others see it where the subscription adds nothing.
    pub(crate) info: Arc<ClientInfo>,
    pub(crate) meta: Bytes,
    pub(crate) expire_at: Option<UnixSeconds>,
    pub(crate) refresh_by: RefreshBy,
    /// Token that it came with, or that last prolonged it.
    pub(crate) token: Option<Box<TokenMark>>,
    /// What it may do beyond what the namespaces allow everybody.
    pub(crate) capabilities: Option<Box<Capabilities>>,
    /// What the client says of itself.
    pub(crate) app: Option<Box<App>>,
    /// When it was known who it is.
    pub(crate) connected_at: UnixMillis,
}
