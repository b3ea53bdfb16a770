use std::sync::Arc;

use bytes::Bytes;

use crate::codec::{self, DecodeError, Encode, Field, Key, NotJson, Sink, wire};
use crate::format::Format;
use crate::json;
use crate::messages::{
    ConnectPush, DisconnectPush, JoinPush, LeavePush, MessagePush, Publication, RefreshPush,
    SubscribePush, UnsubscribePush,
};

/// What the server tells a client unasked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Push {
    /// Number that stands for the channel where that was negotiated; 0 otherwise.
    pub id: i64,
    /// Channel; empty for what concerns the connection.
    pub channel: Arc<str>,
    /// What it tells.
    pub body: PushBody,
}

/// What a push tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PushBody {
    /// Something was published.
    Publication(Publication),
    /// Someone came.
    Join(JoinPush),
    /// Someone left.
    Leave(LeavePush),
    /// The server ended the subscription.
    Unsubscribe(UnsubscribePush),
    /// A message to this client alone.
    Message(MessagePush),
    /// The server added the subscription.
    Subscribe(SubscribePush),
    /// A unidirectional connection is connected.
    Connect(ConnectPush),
    /// The connection ends.
    Disconnect(DisconnectPush),
    /// The connection was prolonged.
    Refresh(RefreshPush),
}

/// What a push is wrapped in.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Envelope {
    /// A reply, on transports that go both ways.
    Reply,
    /// Nothing, on unidirectional transports.
    Bare,
}

const ID: Key = Key::new(1, "id");
pub(crate) const CHANNEL: Key = Key::new(2, "channel");
pub(crate) const PUBLICATION: Key = Key::new(4, "pub");
pub(crate) const JOIN: Key = Key::new(5, "join");
pub(crate) const LEAVE: Key = Key::new(6, "leave");
const UNSUBSCRIBE: Key = Key::new(7, "unsubscribe");
const MESSAGE: Key = Key::new(8, "message");
const SUBSCRIBE: Key = Key::new(9, "subscribe");
const CONNECT: Key = Key::new(10, "connect");
const DISCONNECT: Key = Key::new(11, "disconnect");
const REFRESH: Key = Key::new(12, "refresh");

/// The push as a field of a reply.
pub(crate) const IN_REPLY: Key = Key::new(4, "push");

message! {
    /// A push as the schema has it: everything may be set.
    pub(crate) struct PushMessage {
        1 id: i64,
        2 channel: Arc<str>,
        4 pub_: Option<Box<Publication>>,
        5 join: Option<Box<JoinPush>>,
        6 leave: Option<Box<LeavePush>>,
        7 unsubscribe: Option<Box<UnsubscribePush>>,
        8 message: Option<Box<MessagePush>>,
        9 subscribe: Option<Box<SubscribePush>>,
        10 connect: Option<Box<ConnectPush>>,
        11 disconnect: Option<Box<DisconnectPush>>,
        12 refresh: Option<Box<RefreshPush>>,
    }
}

/// Encodes a push ready to be joined into a frame.
///
/// # Errors
///
/// [`NotJson`] if a payload has no place in JSON text.
pub fn encode_push(format: Format, envelope: Envelope, push: &Push) -> Result<Bytes, NotJson> {
    match envelope {
        Envelope::Reply => encode_delimited(format, &InReply(push)),
        Envelope::Bare => encode_delimited(format, push),
    }
}

/// Encodes a message ready to be joined into a frame.
pub(crate) fn encode_delimited<M: Encode>(format: Format, message: &M) -> Result<Bytes, NotJson> {
    match format {
        Format::Json => json::encode(message),
        Format::Protobuf => Ok(wire::encode_delimited(message)),
    }
}

/// A push inside a reply.
pub(crate) struct InReply<'a, P>(pub(crate) &'a P);

impl<P: Encode> Encode for InReply<'_, P> {
    fn put<S: Sink>(&self, sink: &mut S) {
        sink.message(IN_REPLY, self.0);
    }
}

impl Push {
    /// Decodes a push that fills `text`; `None` is a ping. For clients of unidirectional
    /// transports.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if `text` isn't one.
    pub fn decode(format: Format, text: &Bytes) -> Result<Option<Self>, DecodeError> {
        codec::decode::<PushMessage>(format, text).map(PushMessage::into_push)
    }
}

impl Encode for Push {
    fn put<S: Sink>(&self, sink: &mut S) {
        Field::put(&self.id, ID, sink);
        Field::put(&self.channel, CHANNEL, sink);
        match &self.body {
            PushBody::Publication(body) => sink.message(PUBLICATION, body),
            PushBody::Join(body) => sink.message(JOIN, body),
            PushBody::Leave(body) => sink.message(LEAVE, body),
            PushBody::Unsubscribe(body) => sink.message(UNSUBSCRIBE, body),
            PushBody::Message(body) => sink.message(MESSAGE, body),
            PushBody::Subscribe(body) => sink.message(SUBSCRIBE, body),
            PushBody::Connect(body) => sink.message(CONNECT, body),
            PushBody::Disconnect(body) => sink.message(DISCONNECT, body),
            PushBody::Refresh(body) => sink.message(REFRESH, body),
        }
    }
}

impl PushMessage {
    /// The push, or `None` if it tells nothing, which is a ping.
    pub(crate) fn into_push(self) -> Option<Push> {
        let body = if let Some(body) = self.pub_ {
            PushBody::Publication(*body)
        } else if let Some(body) = self.join {
            PushBody::Join(*body)
        } else if let Some(body) = self.leave {
            PushBody::Leave(*body)
        } else if let Some(body) = self.unsubscribe {
            PushBody::Unsubscribe(*body)
        } else if let Some(body) = self.message {
            PushBody::Message(*body)
        } else if let Some(body) = self.subscribe {
            PushBody::Subscribe(*body)
        } else if let Some(body) = self.connect {
            PushBody::Connect(*body)
        } else if let Some(body) = self.disconnect {
            PushBody::Disconnect(*body)
        } else {
            PushBody::Refresh(*self.refresh?)
        };
        Some(Push {
            id: self.id,
            channel: self.channel,
            body,
        })
    }
}

#[cfg(test)]
mod tests;
