use std::borrow::Cow;

use bytes::Bytes;

use crate::codec::{self, DecodeError, Encode, Field, Key, NotJson, Sink};
use crate::codes;
use crate::command::{
    CONNECT, HISTORY, PRESENCE, PRESENCE_STATS, PUBLISH, REFRESH, RPC, SUB_REFRESH, SUBSCRIBE,
    UNSUBSCRIBE,
};
use crate::format::Format;
use crate::messages::{
    ConnectResult, ErrorMessage, HistoryResult, PingResult, PresenceResult, PresenceStatsResult,
    PublishResult, RefreshResult, RpcResult, SubRefreshResult, SubscribeResult, UnsubscribeResult,
};
use crate::push::{Push, PushMessage, encode_delimited};

/// The answer to a command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// The command's id.
    pub id: u32,
    /// Its result, or an error.
    pub body: ReplyBody,
}

/// The result of a command, or an error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReplyBody {
    /// The command was refused.
    Error(codes::Error),
    /// The session began.
    Connect(Box<ConnectResult>),
    /// The subscription began, or a page of it.
    Subscribe(Box<SubscribeResult>),
    /// The subscription ended.
    Unsubscribe(UnsubscribeResult),
    /// It was published.
    Publish(PublishResult),
    /// Who is there.
    Presence(PresenceResult),
    /// How many are there.
    PresenceStats(PresenceStatsResult),
    /// What was published.
    History(Box<HistoryResult>),
    /// What the backend answered.
    Rpc(RpcResult),
    /// The connection was prolonged.
    Refresh(RefreshResult),
    /// The subscription was prolonged, or keys are tracked.
    SubRefresh(Box<SubRefreshResult>),
}

/// What a client receives on a transport that goes both ways.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Received {
    /// The answer to a command.
    Reply(Reply),
    /// Something unasked.
    Push(Push),
    /// To be answered with a pong.
    Ping,
}

const ID: Key = Key::new(1, "id");
const ERROR: Key = Key::new(2, "error");

message! {
    /// A reply as the schema has it: everything may be set.
    struct ReplyMessage {
        1 id: u32,
        2 error: Option<Box<ErrorMessage>>,
        4 push: Option<Box<PushMessage>>,
        5 connect: Option<Box<ConnectResult>>,
        6 subscribe: Option<Box<SubscribeResult>>,
        7 unsubscribe: Option<Box<UnsubscribeResult>>,
        8 publish: Option<Box<PublishResult>>,
        9 presence: Option<Box<PresenceResult>>,
        10 presence_stats: Option<Box<PresenceStatsResult>>,
        11 history: Option<Box<HistoryResult>>,
        12 ping: Option<Box<PingResult>>,
        13 rpc: Option<Box<RpcResult>>,
        14 refresh: Option<Box<RefreshResult>>,
        15 sub_refresh: Option<Box<SubRefreshResult>>,
    }
}

/// Encodes a reply ready to be joined into a frame.
///
/// # Errors
///
/// [`NotJson`] if a payload has no place in JSON text.
pub fn encode_reply(format: Format, reply: &Reply) -> Result<Bytes, NotJson> {
    encode_delimited(format, reply)
}

impl Received {
    /// Decodes a message that fills `text`, without a length before it. For clients; frames of
    /// several messages: [`crate::frame::Messages`].
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if `text` isn't one.
    pub fn decode(format: Format, text: &Bytes) -> Result<Self, DecodeError> {
        let mut message: ReplyMessage = codec::decode(format, text)?;
        if let Some(push) = message.push.take() {
            return Ok(push.into_push().map_or(Self::Ping, Self::Push));
        }
        let id = message.id;
        Ok(message
            .into_body()
            .map_or(Self::Ping, |body| Self::Reply(Reply { id, body })))
    }
}

impl Encode for Reply {
    fn put<S: Sink>(&self, sink: &mut S) {
        Field::put(&self.id, ID, sink);
        match &self.body {
            ReplyBody::Error(error) => sink.message(ERROR, error),
            ReplyBody::Connect(body) => sink.message(CONNECT.result_key(), body.as_ref()),
            ReplyBody::Subscribe(body) => sink.message(SUBSCRIBE.result_key(), body.as_ref()),
            ReplyBody::Unsubscribe(body) => sink.message(UNSUBSCRIBE.result_key(), body),
            ReplyBody::Publish(body) => sink.message(PUBLISH.result_key(), body),
            ReplyBody::Presence(body) => sink.message(PRESENCE.result_key(), body),
            ReplyBody::PresenceStats(body) => sink.message(PRESENCE_STATS.result_key(), body),
            ReplyBody::History(body) => sink.message(HISTORY.result_key(), body.as_ref()),
            ReplyBody::Rpc(body) => sink.message(RPC.result_key(), body),
            ReplyBody::Refresh(body) => sink.message(REFRESH.result_key(), body),
            ReplyBody::SubRefresh(body) => sink.message(SUB_REFRESH.result_key(), body.as_ref()),
        }
    }
}

/// The fields of [`ErrorMessage`], without a message in between.
impl Encode for codes::Error {
    fn put<S: Sink>(&self, sink: &mut S) {
        Field::put(&self.code, const { Key::new(1, "code") }, sink);
        if !self.message.is_empty() {
            sink.text(const { Key::new(2, "message") }, &self.message);
        }
        Field::put(&self.temporary, const { Key::new(3, "temporary") }, sink);
    }
}

impl ReplyMessage {
    /// The first result, or `None` if there is none, which is a ping.
    fn into_body(self) -> Option<ReplyBody> {
        Some(if let Some(error) = self.error {
            ReplyBody::Error(codes::Error {
                code: error.code,
                message: Cow::Owned(error.message.as_ref().into()),
                temporary: error.temporary,
            })
        } else if let Some(body) = self.connect {
            ReplyBody::Connect(body)
        } else if let Some(body) = self.subscribe {
            ReplyBody::Subscribe(body)
        } else if let Some(body) = self.unsubscribe {
            ReplyBody::Unsubscribe(*body)
        } else if let Some(body) = self.publish {
            ReplyBody::Publish(*body)
        } else if let Some(body) = self.presence {
            ReplyBody::Presence(*body)
        } else if let Some(body) = self.presence_stats {
            ReplyBody::PresenceStats(*body)
        } else if let Some(body) = self.history {
            ReplyBody::History(body)
        } else if let Some(body) = self.rpc {
            ReplyBody::Rpc(*body)
        } else if let Some(body) = self.refresh {
            ReplyBody::Refresh(*body)
        } else {
            ReplyBody::SubRefresh(self.sub_refresh?)
        })
    }
}

#[cfg(test)]
mod tests;
