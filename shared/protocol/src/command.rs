use bytes::Bytes;

use crate::codec::{DecodeError, Encode, Field, Key, NotJson, Sink, wire};
use crate::format::Format;
use crate::json;
use crate::messages::{
    ConnectRequest, HistoryRequest, PingRequest, PresenceRequest, PresenceStatsRequest,
    PublishRequest, RefreshRequest, RpcRequest, SendRequest, SubRefreshRequest, SubscribeRequest,
    UnsubscribeRequest,
};

/// What a client asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Command {
    /// Echoed by the reply. 0 for what is not answered.
    pub id: u32,
    /// What it asks for.
    pub request: Request,
}

/// What a command asks for: the first request of its message, in the order of these variants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Request {
    /// Begins the session.
    Connect(Box<ConnectRequest>),
    /// A ping beside another request, which is not available (error 108).
    PingWithOther,
    /// Begins a subscription.
    Subscribe(Box<SubscribeRequest>),
    /// Ends a subscription.
    Unsubscribe(UnsubscribeRequest),
    /// Publishes into a channel.
    Publish(Box<PublishRequest>),
    /// Asks who is in a channel.
    Presence(PresenceRequest),
    /// Asks how many are in a channel.
    PresenceStats(PresenceStatsRequest),
    /// Reads a channel's history.
    History(Box<HistoryRequest>),
    /// Calls the backend.
    Rpc(Box<RpcRequest>),
    /// Tells the backend something.
    Send(SendRequest),
    /// Prolongs the connection.
    Refresh(RefreshRequest),
    /// Prolongs a subscription, or changes what it tracks.
    SubRefresh(Box<SubRefreshRequest>),
    /// Answers a ping: whatever has no id and is not [`Request::Send`].
    Pong,
    /// Nothing, or only a ping, which clients do not send (disconnect 3501).
    Empty,
}

/// A row of the table of commands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CommandRow {
    /// Name of the request in JSON; its result has the same.
    pub name: &'static str,
    /// Number of the request in a command.
    pub request: u32,
    /// Number of the result in a reply; `None` if the command is not answered.
    pub result: Option<u32>,
    /// Whether it may come before the connection is connected.
    pub is_before_connect: bool,
}

pub(crate) const CONNECT: CommandRow = CommandRow {
    is_before_connect: true,
    ..row("connect", 4, 5)
};
pub(crate) const SUBSCRIBE: CommandRow = row("subscribe", 5, 6);
pub(crate) const UNSUBSCRIBE: CommandRow = row("unsubscribe", 6, 7);
pub(crate) const PUBLISH: CommandRow = row("publish", 7, 8);
pub(crate) const PRESENCE: CommandRow = row("presence", 8, 9);
pub(crate) const PRESENCE_STATS: CommandRow = row("presence_stats", 9, 10);
pub(crate) const HISTORY: CommandRow = row("history", 10, 11);
pub(crate) const RPC: CommandRow = row("rpc", 13, 13);
pub(crate) const SEND: CommandRow = CommandRow {
    result: None,
    ..row("send", 12, 0)
};
pub(crate) const REFRESH: CommandRow = row("refresh", 14, 14);
pub(crate) const SUB_REFRESH: CommandRow = row("sub_refresh", 15, 15);

/// Every command, in the order in which the first of several is looked for. Numbers of requests
/// and results differ by one up to `history`: a reply has its push where a command has `connect`.
pub const COMMANDS: [CommandRow; 11] = [
    CONNECT,
    SUBSCRIBE,
    UNSUBSCRIBE,
    PUBLISH,
    PRESENCE,
    PRESENCE_STATS,
    HISTORY,
    RPC,
    SEND,
    REFRESH,
    SUB_REFRESH,
];

const fn row(name: &'static str, request: u32, result: u32) -> CommandRow {
    CommandRow {
        name,
        request,
        result: Some(result),
        is_before_connect: false,
    }
}

impl CommandRow {
    /// The request as a field of a command.
    const fn request_key(&self) -> Key {
        Key::new(self.request, self.name)
    }

    /// The result as a field of a reply.
    pub(crate) const fn result_key(&self) -> Key {
        let number = match self.result {
            Some(number) => number,
            None => 0,
        };
        Key::new(number, self.name)
    }
}

message! {
    /// A command as the schema has it: everything may be set.
    struct CommandMessage {
        1 id: u32,
        4 connect: Option<Box<ConnectRequest>>,
        5 subscribe: Option<Box<SubscribeRequest>>,
        6 unsubscribe: Option<Box<UnsubscribeRequest>>,
        7 publish: Option<Box<PublishRequest>>,
        8 presence: Option<Box<PresenceRequest>>,
        9 presence_stats: Option<Box<PresenceStatsRequest>>,
        10 history: Option<Box<HistoryRequest>>,
        11 ping: Option<Box<PingRequest>>,
        12 send: Option<Box<SendRequest>>,
        13 rpc: Option<Box<RpcRequest>>,
        14 refresh: Option<Box<RefreshRequest>>,
        15 sub_refresh: Option<Box<SubRefreshRequest>>,
    }
}

const ID: Key = Key::new(1, "id");
const PING: Key = Key::new(11, "ping");

impl Command {
    /// Decodes the command that a line of JSON begins with, or that fills a Protobuf message.
    ///
    /// `text` is a part of `frame`.
    pub(crate) fn decode_in(
        format: Format,
        frame: &Bytes,
        text: &[u8],
    ) -> Result<Self, DecodeError> {
        let message: CommandMessage = match format {
            Format::Json => json::decode_first(frame, text)?,
            Format::Protobuf => wire::decode(frame, text)?,
        };
        Ok(message.into())
    }

    /// Encodes the command ready to be joined into a frame: for tests and load generators.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if a payload has no place in JSON text.
    pub fn encode(&self, format: Format) -> Result<Bytes, NotJson> {
        match format {
            Format::Json => json::encode(self),
            Format::Protobuf => Ok(wire::encode_delimited(self)),
        }
    }
}

impl From<CommandMessage> for Command {
    fn from(message: CommandMessage) -> Self {
        Self {
            id: message.id,
            request: message.into(),
        }
    }
}

impl From<CommandMessage> for Request {
    fn from(message: CommandMessage) -> Self {
        if message.id == 0 && message.send.is_none() {
            return Self::Pong;
        }
        if let Some(request) = message.connect {
            return Self::Connect(request);
        }
        let has_ping = message.ping.is_some();
        let request = message.first_after_connect();
        if has_ping && !matches!(request, Self::Empty) {
            return Self::PingWithOther;
        }
        request
    }
}

impl CommandMessage {
    /// The first request behind `connect` and `ping`.
    fn first_after_connect(self) -> Request {
        if let Some(request) = self.subscribe {
            Request::Subscribe(request)
        } else if let Some(request) = self.unsubscribe {
            Request::Unsubscribe(*request)
        } else if let Some(request) = self.publish {
            Request::Publish(request)
        } else if let Some(request) = self.presence {
            Request::Presence(*request)
        } else if let Some(request) = self.presence_stats {
            Request::PresenceStats(*request)
        } else if let Some(request) = self.history {
            Request::History(request)
        } else if let Some(request) = self.rpc {
            Request::Rpc(request)
        } else if let Some(request) = self.send {
            Request::Send(*request)
        } else if let Some(request) = self.refresh {
            Request::Refresh(*request)
        } else if let Some(request) = self.sub_refresh {
            Request::SubRefresh(request)
        } else {
            Request::Empty
        }
    }
}

impl Encode for Command {
    fn put<S: Sink>(&self, sink: &mut S) {
        Field::put(&self.id, ID, sink);
        match &self.request {
            Request::Connect(request) => sink.message(CONNECT.request_key(), request.as_ref()),
            Request::PingWithOther => {
                sink.message(PING, &PingRequest {});
                sink.message(SEND.request_key(), &SendRequest::default());
            }
            Request::Subscribe(request) => sink.message(SUBSCRIBE.request_key(), request.as_ref()),
            Request::Unsubscribe(request) => sink.message(UNSUBSCRIBE.request_key(), request),
            Request::Publish(request) => sink.message(PUBLISH.request_key(), request.as_ref()),
            Request::Presence(request) => sink.message(PRESENCE.request_key(), request),
            Request::PresenceStats(request) => sink.message(PRESENCE_STATS.request_key(), request),
            Request::History(request) => sink.message(HISTORY.request_key(), request.as_ref()),
            Request::Rpc(request) => sink.message(RPC.request_key(), request.as_ref()),
            Request::Send(request) => sink.message(SEND.request_key(), request),
            Request::Refresh(request) => sink.message(REFRESH.request_key(), request),
            Request::SubRefresh(request) => {
                sink.message(SUB_REFRESH.request_key(), request.as_ref());
            }
            Request::Pong | Request::Empty => {}
        }
    }
}

#[cfg(test)]
mod tests;
