use bytes::Bytes;
use gyre_policy::{Capabilities, Override, Rights, Source};
use gyre_protocol::messages::FilterNode;
use gyre_types::{UnixSeconds, UserId};

/// Who prolongs what expires.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RefreshBy {
    /// The client sends a new token.
    #[default]
    Client,
    /// The server asks the backend.
    Server,
}

/// What a token says of itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TokenMark {
    /// Its identity (`jti`); empty: none.
    pub uid: Box<str>,
    /// When it was made (`iat`); `None`: it does not say.
    pub issued_at: Option<UnixSeconds>,
}

impl TokenMark {
    /// The mark of a token; `None` if it says nothing of itself, so that most need no room.
    #[must_use]
    pub fn new(uid: &str, issued_at: Option<UnixSeconds>) -> Option<Box<Self>> {
        (!uid.is_empty() || issued_at.is_some()).then(|| {
            Box::new(Self {
                uid: uid.into(),
                issued_at,
            })
        })
    }
}

/// Who a client is and what it gets with that.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    /// Who; empty: anonymous.
    pub user: UserId,
    /// What others see of the connection.
    pub info: Bytes,
    /// What the backend sees of the connection.
    pub meta: Bytes,
    /// Payload of the connect result.
    pub data: Bytes,
    /// When the connection expires; `None`: never.
    pub expire_at: Option<UnixSeconds>,
    /// Who prolongs it.
    pub refresh_by: RefreshBy,
    /// Server-side subscriptions.
    pub subscriptions: Vec<GrantedSubscription>,
    /// Whether the client may ask for more of them in its connect request.
    pub may_ask: bool,
    /// What the client may do beyond what the namespaces allow everybody; `None`: nothing.
    pub capabilities: Option<Box<Capabilities>>,
    /// By which token; `None`: by none, or by one that says nothing of itself.
    pub token: Option<Box<TokenMark>>,
}

/// On which terms a client subscribes, as a token or the backend says.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// What others see of the client in this channel.
    pub info: Bytes,
    /// Payload of the subscribe result.
    pub data: Bytes,
    /// When it expires; `None`: never.
    pub expire_at: Option<UnixSeconds>,
    /// Options that differ from the namespace's.
    pub overrides: Override,
    /// What else the client may do in the channel while it is subscribed.
    pub rights: Rights,
    /// Which publications the client may get, whatever it asks for; `None`: all.
    pub tags_filter: Option<Box<FilterNode>>,
    /// Whether the newest publication is brought, asked or not, where that is what recovery brings.
    pub recovers_cache: bool,
}

/// A server-side subscription that a token or the backend grants.
#[derive(Clone, Debug)]
pub struct GrantedSubscription {
    /// Channel.
    pub channel: String,
    /// By what.
    pub source: Source,
    /// On which terms.
    pub terms: Terms,
}

/// What a connection token says.
#[derive(Clone, Debug, Default)]
pub struct ConnectionGrant {
    /// Who.
    pub user: UserId,
    /// What others see of the connection; empty: as before.
    pub info: Bytes,
    /// What the backend sees of the connection.
    pub meta: Bytes,
    /// When the connection expires; `None`: never.
    pub expire_at: Option<UnixSeconds>,
    /// Channels that it subscribes to.
    pub channels: Vec<String>,
    /// What the client may do from now on beyond what the namespaces allow everybody.
    pub capabilities: Option<Box<Capabilities>>,
    /// What the token says of itself.
    pub token: Option<Box<TokenMark>>,
}

/// What a subscription token says.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionGrant {
    /// For whom.
    pub user: String,
    /// For which connection; empty: any.
    pub client: String,
    /// For which channel.
    pub channel: String,
    /// On which terms.
    pub terms: Terms,
    /// What the token says of itself.
    pub token: Option<Box<TokenMark>>,
}
