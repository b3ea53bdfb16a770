use gyre_protocol::codes::Error;

/// Something that the driver may count. The session knows no metrics.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Observation {
    /// A command was answered.
    Answered {
        /// Which kind.
        method: Method,
        /// From command to answer. Unit: milliseconds.
        took_ms: u64,
        /// With which error, if with one. Only its code.
        error: Option<u32>,
    },
    /// A subscription began.
    SubscriptionBegan,
    /// A subscription ended.
    SubscriptionEnded,
    /// The server ended a subscription.
    ServerUnsubscribed {
        /// With which code.
        code: u32,
    },
    /// A recovery was tried.
    Recovery {
        /// Whether nothing is missing.
        recovered: bool,
        /// How many publications it brought. Unit: publications.
        publications: usize,
    },
    /// A pong came.
    Pong {
        /// From ping to pong. Unit: milliseconds.
        took_ms: u64,
    },
    /// A publication did not pass a subscriber's filter.
    Filtered,
}

/// Kinds of commands, as metrics name them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Method {
    /// connect
    Connect,
    /// subscribe
    Subscribe,
    /// unsubscribe
    Unsubscribe,
    /// publish
    Publish,
    /// presence
    Presence,
    /// presence_stats
    PresenceStats,
    /// history
    History,
    /// rpc
    Rpc,
    /// refresh
    Refresh,
    /// sub_refresh
    SubRefresh,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Connect,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Publish,
        Self::Presence,
        Self::PresenceStats,
        Self::History,
        Self::Rpc,
        Self::Refresh,
        Self::SubRefresh,
    ];

    /// Value of the metrics' label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::Publish => "publish",
            Self::Presence => "presence",
            Self::PresenceStats => "presence_stats",
            Self::History => "history",
            Self::Rpc => "rpc",
            Self::Refresh => "refresh",
            Self::SubRefresh => "sub_refresh",
        }
    }
}

impl Observation {
    pub(crate) fn answered(method: Method, took_ms: u64, error: Option<&Error>) -> Self {
        Self::Answered {
            method,
            took_ms,
            error: error.map(|error| error.code),
        }
    }
}
