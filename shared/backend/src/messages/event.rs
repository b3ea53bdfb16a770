use std::fmt;

/// What a backend is asked or told.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Event {
    /// A client connects without a token.
    Connect,
    /// A connection expires.
    Refresh,
    /// A client subscribes.
    Subscribe,
    /// A client publishes.
    Publish,
    /// A client calls a method.
    Rpc,
    /// A subscription expires.
    SubRefresh,
    /// A client subscribes to a stream of the backend's.
    SubscribeStream,
    /// A client writes a key of a map channel.
    MapPublish,
    /// A client removes a key of a map channel.
    MapRemove,
    /// New values of a shared poll channel are due.
    SharedPollRefresh,
    /// A client recovers the newest publication of a channel that has none.
    NotifyCacheEmpty,
    /// Channels got their first subscriber or lost their last.
    NotifyChannelState,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Connect,
        Self::Refresh,
        Self::Subscribe,
        Self::Publish,
        Self::Rpc,
        Self::SubRefresh,
        Self::SubscribeStream,
        Self::MapPublish,
        Self::MapRemove,
        Self::SharedPollRefresh,
        Self::NotifyCacheEmpty,
        Self::NotifyChannelState,
    ];

    /// The name in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Refresh => "refresh",
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Rpc => "rpc",
            Self::SubRefresh => "sub_refresh",
            Self::SubscribeStream => "subscribe_stream",
            Self::MapPublish => "map_publish",
            Self::MapRemove => "map_remove",
            Self::SharedPollRefresh => "shared_poll_refresh",
            Self::NotifyCacheEmpty => "notify_cache_empty",
            Self::NotifyChannelState => "notify_channel_state",
        }
    }

    /// Whether asking twice changes nothing, so that a call without an answer may be repeated.
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        match self {
            Self::Connect
            | Self::Refresh
            | Self::Subscribe
            | Self::SubRefresh
            | Self::SharedPollRefresh
            | Self::NotifyCacheEmpty => true,
            // Channel states are sent until they are taken, by who sends them.
            Self::Publish
            | Self::Rpc
            | Self::SubscribeStream
            | Self::MapPublish
            | Self::MapRemove
            | Self::NotifyChannelState => false,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
