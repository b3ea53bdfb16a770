//! What a session asks of its driver, and what it is told in return.

mod backend;
mod grants;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::{ClientInfo, ConnectRequest, Publication};
use gyre_types::{ChannelName, ClientId, HubSlot, Position, SubscriptionId, UserId};

pub use self::backend::{
    AskSubscribe, PublishTerms, Question, Refreshed, RefreshedSubscription, Unrefreshed,
};
pub use self::grants::{
    ConnectionGrant, GrantedSubscription, Grants, RefreshBy, SubscriptionGrant, Terms, TokenMark,
};

/// Work for the driver. All but the last three are answered with a [`Completion`].
///
/// [`Effect::Ask`] and [`Effect::Authenticate`] may be dropped when the connection ends; all others are
/// run to their end.
#[derive(Debug)]
pub enum Effect {
    /// Say who this is. Answer: [`Completion::Authenticated`].
    Authenticate(Box<ConnectRequest>),
    /// Enter the connection in the node's tables, unless the user has too many. Answer:
    /// [`Completion::Registered`].
    Register(Register),
    /// Verify a connection token. Answer: [`Completion::ConnectionToken`].
    VerifyConnectionToken(String),
    /// Verify a subscription token. Answer: [`Completion::SubscriptionToken`].
    VerifySubscriptionToken(String),
    /// Enter the hub, then presence, then read history. Answer: [`Completion::Subscribed`].
    Subscribe(Box<Subscribe>),
    /// Leave hub and presence, then publish the leave. Answer: [`Completion::Done`].
    Unsubscribe(Box<Unsubscribe>),
    /// Tell the channel that this client came. Answer: [`Completion::Done`].
    PublishJoin {
        /// Where.
        channel: ChannelName,
        /// Who.
        info: Arc<ClientInfo>,
    },
    /// Publish. Answer: [`Completion::Done`].
    Publish(Publish),
    /// Publish as the backend wants it. Answer: [`Completion::Done`].
    PublishOnTerms(Box<Publish>, Box<PublishTerms>),
    /// Read history. Answer: [`Completion::History`].
    History(Box<HistoryRead>),
    /// Read the top of a stream to check a subscription. Answer: [`Completion::Top`].
    ReadTop {
        /// Which stream.
        channel: ChannelName,
    },
    /// Read who is in a channel. Answer: [`Completion::Presence`].
    Presence(ChannelName),
    /// Read how many are in a channel. Answer: [`Completion::PresenceStats`].
    PresenceStats(ChannelName),
    /// Show others what has changed about this client. Answer: [`Completion::Done`].
    ShowPresence {
        /// Where.
        channel: ChannelName,
        /// How they see it from now on.
        info: Arc<ClientInfo>,
    },
    /// Ask the backend. Answer: as [`Question`] says.
    Ask(Question),
    /// A subscription is over that may have a stream. No answer.
    CloseStream(SubscriptionId),
    /// Close the user's other connections, if this channel's presence shows more than this one. No answer.
    DisconnectOthers {
        /// Whose.
        user: UserId,
        /// Where they show.
        channel: ChannelName,
    },
    /// A control command is done. No answer.
    Controlled {
        /// Name that the driver gave to the command.
        control: u32,
        /// How it ended.
        outcome: Result<(), Error>,
    },
}

/// Result of an [`Effect`].
#[derive(Debug)]
pub enum Completion {
    /// Who this is, or why it is nobody. The request comes back.
    Authenticated(Box<ConnectRequest>, Result<Box<Grants>, Refusal>),
    /// Whether the connection is in the node's tables.
    Registered(Result<(), Disconnect>),
    /// What a connection token says.
    ConnectionToken(Result<Box<ConnectionGrant>, TokenRefusal>),
    /// What a subscription token says.
    SubscriptionToken(Result<Box<SubscriptionGrant>, TokenRefusal>),
    /// The subscription is entered. After a failure it is in no table.
    Subscribed(Result<Box<Subscribed>, Failure>),
    /// It is done.
    Done(Result<(), Failure>),
    /// What was read.
    History(Result<HistoryPart, Failure>),
    /// Top of the stream.
    Top(Result<Position, Failure>),
    /// Who is there.
    Presence(Result<BTreeMap<ClientId, Arc<ClientInfo>>, Failure>),
    /// How many are there: connections, users.
    PresenceStats(Result<Stats, Failure>),
    /// Until when the connection lives, and what else is new about it.
    Refreshed(Result<Box<Refreshed>, Unrefreshed>),
    /// On which terms the client may subscribe.
    SubscribeAsked(Result<Box<Terms>, Refusal>),
    /// What is to be published, and how.
    PublishAsked(Result<(Box<Publish>, Box<PublishTerms>), Refusal>),
    /// Until when the subscription lives, and what else is new about it.
    SubscriptionRefreshed(Result<Box<RefreshedSubscription>, Unrefreshed>),
    /// Answer of the backend.
    Rpc(Result<Bytes, Refusal>),
}

/// How many are in a channel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Connections.
    pub clients: u32,
    /// Different users.
    pub users: u32,
}

/// Why something is not allowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// Answered with an error.
    Error(Error),
    /// Ends the connection.
    Disconnect(Disconnect),
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TokenRefusal {
    /// It was good once.
    Expired,
    /// It never was.
    Invalid,
    /// It would be good, and the server API has made it void.
    Revoked,
    /// It would be good, and its user is blocked.
    Blocked,
    /// It takes a key that cannot be had now; the client should try again.
    Unavailable,
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// Something of ours.
    Internal,
    /// The epoch is not the stream's.
    UnrecoverablePosition,
    /// The engine or the configuration does not have it.
    NotAvailable,
    /// The backend or the engine does not answer; trying again may help.
    Unanswered,
}

impl Failure {
    /// The error that the client sees.
    #[must_use]
    pub const fn error(self) -> Error {
        match self {
            Self::Internal | Self::Unanswered => Error::INTERNAL,
            Self::UnrecoverablePosition => Error::UNRECOVERABLE_POSITION,
            Self::NotAvailable => Error::NOT_AVAILABLE,
        }
    }
}

/// See [`Effect::Register`].
#[derive(Clone, Debug)]
pub struct Register {
    /// Who.
    pub user: UserId,
}

/// See [`Effect::Subscribe`].
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// Names the subscription in deliveries.
    pub id: SubscriptionId,
    /// Channel.
    pub channel: ChannelName,
    /// Whether joins and leaves are wanted.
    pub wants_joins: bool,
    /// Entry in presence, if the channel has it.
    pub presence: Option<Arc<ClientInfo>>,
    /// What to read from history.
    pub read: Option<Read>,
}

/// What a new subscription reads from history.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Read {
    /// Only the position.
    Top,
    /// Publications after this offset, of whatever epoch, at most `limit`.
    Since {
        /// Offset of the last one seen.
        offset: u64,
        /// Publications at most.
        limit: usize,
    },
    /// The newest publications, newest first, at most `limit`.
    Newest {
        /// Publications at most.
        limit: usize,
    },
}

/// See [`Completion::Subscribed`].
#[derive(Clone, Debug)]
pub struct Subscribed {
    /// The channel's name as the hub holds it.
    pub channel: ChannelName,
    /// Where the subscription stands in the hub.
    pub slot: HubSlot,
    /// What was read, if something was asked for.
    pub history: Option<HistoryPart>,
}

/// Publications and the top of their stream.
#[derive(Clone, Debug, Default)]
pub struct HistoryPart {
    /// Top of the stream at the moment of the read.
    pub top: Position,
    /// Publications in the order asked for.
    pub publications: Vec<Arc<Publication>>,
}

/// See [`Effect::Unsubscribe`].
#[derive(Clone, Debug)]
pub struct Unsubscribe {
    /// Names the subscription in the hub.
    pub id: SubscriptionId,
    /// Channel.
    pub channel: ChannelName,
    /// Where it stands in the hub.
    pub slot: HubSlot,
    /// Whether it has an entry in presence.
    pub presence: bool,
    /// Leave to publish, if the channel has them.
    pub leave: Option<Arc<ClientInfo>>,
}

/// See [`Effect::Publish`].
#[derive(Clone, Debug)]
pub struct Publish {
    /// Channel.
    pub channel: ChannelName,
    /// Payload.
    pub data: Bytes,
    /// Who publishes.
    pub info: Arc<ClientInfo>,
}

/// See [`Effect::History`].
#[derive(Clone, Debug)]
pub struct HistoryRead {
    /// Channel.
    pub channel: ChannelName,
    /// Where to begin, exclusive, and the epoch it is of.
    pub since: Option<(u64, String)>,
    /// Publications at most; `None`: all; 0: only the position.
    pub limit: Option<usize>,
    /// Newest first.
    pub is_reverse: bool,
}
