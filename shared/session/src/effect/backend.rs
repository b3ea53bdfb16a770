//! What the backend is asked, and what it says.

use std::collections::BTreeMap;

use bytes::Bytes;
use gyre_policy::Capabilities;
use gyre_protocol::messages::RpcRequest;
use gyre_types::{ChannelName, SubscriptionId, UnixSeconds};

use super::Publish;

/// What the backend is asked.
#[derive(Debug)]
pub enum Question {
    /// Whether the connection may go on. Answer: [`Completion::Refreshed`](super::Completion::Refreshed).
    Refresh,
    /// Whether the client may subscribe. Answer: [`Completion::SubscribeAsked`](super::Completion::SubscribeAsked).
    Subscribe(Box<AskSubscribe>),
    /// The same, and for a stream that brings the subscription's publications. Answer:
    /// [`Completion::SubscribeAsked`](super::Completion::SubscribeAsked).
    Stream(Box<AskSubscribe>),
    /// Whether the client may publish. Answer: [`Completion::PublishAsked`](super::Completion::PublishAsked).
    Publish(Box<Publish>),
    /// To take a publication from a subscription's stream. Answer: [`Completion::Done`](super::Completion::Done).
    TakePublication {
        /// Whose stream.
        id: SubscriptionId,
        /// Payload.
        data: Bytes,
    },
    /// Whether a subscription may go on. Answer: [`Completion::SubscriptionRefreshed`](super::Completion::SubscriptionRefreshed).
    SubscriptionRefresh {
        /// To what.
        channel: ChannelName,
    },
    /// What the client wants to know. Answer: [`Completion::Rpc`](super::Completion::Rpc).
    Rpc(Box<RpcRequest>),
}

/// See [`Question::Subscribe`].
#[derive(Clone, Debug)]
pub struct AskSubscribe {
    /// Names the subscription, which is in no table yet.
    pub id: SubscriptionId,
    /// Channel.
    pub channel: ChannelName,
    /// What the client says with its command.
    pub data: Bytes,
}

/// How the backend wants a publication.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PublishTerms {
    /// Whether it passes history.
    pub skips_history: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// With a key that was seen before, nothing is published; empty: none.
    pub idempotency_key: String,
    /// Whether deltas are made of it, where the namespace does not say so anyway.
    pub delta: bool,
    /// Not published unless it is above the stream's; 0: it has none.
    pub version: u64,
    /// Life of the version numbers; empty matches any.
    pub version_epoch: String,
}

/// What the backend says of a connection that has expired.
#[derive(Clone, Debug)]
pub struct Refreshed {
    /// When it expires next.
    pub expire_at: UnixSeconds,
    /// What others see of the connection; empty: as before.
    pub info: Bytes,
    /// What the backend sees of the connection; empty: as before.
    pub meta: Bytes,
    /// What the client may do from now on beyond what the namespaces allow everybody.
    pub capabilities: Option<Box<Capabilities>>,
}

/// What the backend says of a subscription that has expired.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RefreshedSubscription {
    /// When it expires next; `None`: never.
    pub expire_at: Option<UnixSeconds>,
    /// What others see of the client in this channel; empty: as before.
    pub info: Bytes,
}

/// Why what has expired is not prolonged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unrefreshed {
    /// The backend says so, or says nothing of a later end.
    Expired,
    /// The backend says something that cannot be.
    Malformed,
    /// The backend does not answer, so it is prolonged a little and asked again.
    Unanswered,
}
