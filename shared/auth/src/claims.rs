use std::collections::BTreeMap;

use bytes::Bytes;
pub use gyre_types::{Capability, Override};
use gyre_types::{UnixSeconds, UserId};

/// What a connection token says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ConnectionClaims {
    /// Who connects; empty: anonymous.
    pub user: UserId,
    /// When the connection expires; `None`: never.
    pub expire_at: Option<UnixSeconds>,
    /// What others are shown of the connection: JSON as it stood in the token, or bytes of
    /// `b64info`. Empty: nothing.
    pub info: Bytes,
    /// Server-side subscriptions by channel. The claim `channels` is in here too, unless `subs`
    /// names any.
    pub subs: BTreeMap<String, TokenSubscription>,
    /// What the backend is told of the connection, and nobody else: JSON as it stood in the token.
    /// Empty: nothing.
    pub meta: Bytes,
    /// Capabilities, as they stand there.
    pub caps: Vec<Capability>,
    /// Labels; values that were no texts are in their JSON form.
    pub labels: BTreeMap<String, String>,
    /// Identity of the token (`jti`); empty: none.
    pub token_id: String,
    /// When the token was made (`iat`).
    pub issued_at: Option<UnixSeconds>,
}

/// What a subscription token says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SubscriptionClaims {
    /// Whose connection may use it; empty: an anonymous one.
    pub user: UserId,
    /// Channel that it opens; never empty.
    pub channel: String,
    /// Connection that alone may use it; empty: any of the user's.
    pub client: String,
    /// When the subscription expires; `None`: never.
    pub expire_at: Option<UnixSeconds>,
    /// What the token says of the subscription itself.
    pub subscription: TokenSubscription,
    /// What else it allows in the channel (`pub`, `prs`, `hst`).
    pub allow: Vec<String>,
    /// Identity of the token (`jti`); empty: none.
    pub token_id: String,
    /// When the token was made (`iat`).
    pub issued_at: Option<UnixSeconds>,
}

/// One subscription as a token gives it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TokenSubscription {
    /// What others are shown of the subscription: JSON as it stood in the token, or bytes of
    /// `b64info`. Empty: nothing.
    pub info: Bytes,
    /// Payload of the subscribe result: JSON as it stood in the token, or bytes of `b64data`.
    /// Empty: nothing.
    pub data: Bytes,
    /// Options that replace the namespace's.
    pub over: Override,
}
