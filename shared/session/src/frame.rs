use gyre_protocol::prepared::PreparedKind;
use gyre_protocol::{PushBody, Request};

use crate::observe::Method;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What a message is, as metrics name it.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Frame {
            $($(#[$doc])* $name,)*
        }

        impl Frame {
            /// All of them, in the order of [`Frame::index`].
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$name),*];

            /// Value of the metrics' label.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

kinds! {
    /// The server asks whether the client lives.
    Ping = "server_ping",
    /// The client lives.
    Pong = "client_pong",
    /// A publication.
    Publication = "push_publication",
    /// Someone came.
    Join = "push_join",
    /// Someone left.
    Leave = "push_leave",
    /// The server ended a subscription.
    UnsubscribePush = "push_unsubscribe",
    /// A message to one client.
    MessagePush = "push_message",
    /// The server added a subscription.
    SubscribePush = "push_subscribe",
    /// A unidirectional connection is connected.
    ConnectPush = "push_connect",
    /// The connection ends.
    DisconnectPush = "push_disconnect",
    /// The connection was prolonged.
    RefreshPush = "push_refresh",
    /// Connect, and its reply.
    Connect = "connect",
    /// Subscribe, and its reply.
    Subscribe = "subscribe",
    /// Unsubscribe, and its reply.
    Unsubscribe = "unsubscribe",
    /// Publish, and its reply.
    Publish = "publish",
    /// Presence, and its reply.
    Presence = "presence",
    /// Presence stats, and its reply.
    PresenceStats = "presence_stats",
    /// History, and its reply.
    History = "history",
    /// A call of the backend, and its reply.
    Rpc = "rpc",
    /// What the backend is told.
    Send = "send",
    /// Refresh, and its reply.
    Refresh = "refresh",
    /// Refresh of a subscription, and its reply.
    SubRefresh = "sub_refresh",
}

impl Frame {
    /// Its place in [`Frame::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// That of a command; `None` if it is none.
    #[must_use]
    pub const fn of_request(request: &Request) -> Option<Self> {
        Some(match request {
            Request::Connect(_) => Self::Connect,
            Request::Subscribe(_) => Self::Subscribe,
            Request::Unsubscribe(_) => Self::Unsubscribe,
            Request::Publish(_) => Self::Publish,
            Request::Presence(_) => Self::Presence,
            Request::PresenceStats(_) => Self::PresenceStats,
            Request::History(_) => Self::History,
            Request::Rpc(_) => Self::Rpc,
            Request::Send(_) => Self::Send,
            Request::Refresh(_) => Self::Refresh,
            Request::SubRefresh(_) => Self::SubRefresh,
            Request::Pong => Self::Pong,
            Request::PingWithOther | Request::Empty => return None,
        })
    }

    pub(crate) const fn of_reply(method: Method) -> Self {
        match method {
            Method::Connect => Self::Connect,
            Method::Subscribe => Self::Subscribe,
            Method::Unsubscribe => Self::Unsubscribe,
            Method::Publish => Self::Publish,
            Method::Presence => Self::Presence,
            Method::PresenceStats => Self::PresenceStats,
            Method::History => Self::History,
            Method::Rpc => Self::Rpc,
            Method::Refresh => Self::Refresh,
            Method::SubRefresh => Self::SubRefresh,
        }
    }

    pub(crate) const fn of_push(body: &PushBody) -> Self {
        match body {
            PushBody::Publication(_) => Self::Publication,
            PushBody::Join(_) => Self::Join,
            PushBody::Leave(_) => Self::Leave,
            PushBody::Unsubscribe(_) => Self::UnsubscribePush,
            PushBody::Message(_) => Self::MessagePush,
            PushBody::Subscribe(_) => Self::SubscribePush,
            PushBody::Connect(_) => Self::ConnectPush,
            PushBody::Disconnect(_) => Self::DisconnectPush,
            PushBody::Refresh(_) => Self::RefreshPush,
        }
    }

    pub(crate) const fn of_prepared(kind: PreparedKind) -> Self {
        match kind {
            // A top is not sent: it tells a session where a stream stands.
            PreparedKind::Publication | PreparedKind::Top => Self::Publication,
            PreparedKind::Join => Self::Join,
            PreparedKind::Leave => Self::Leave,
        }
    }
}
