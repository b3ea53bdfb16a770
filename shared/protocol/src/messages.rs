//! The messages of the client protocol, each with its field numbers.
//!
//! A field's JSON name is its name here. Zero values are left out of JSON but for the fields marked
//! `always`. `Bytes` is a payload: raw JSON inside JSON, opaque bytes inside Protobuf.

mod common;
mod connect;
mod history;
mod presence;
mod publish;
mod push;
mod refresh;
mod rpc;
mod subscribe;

pub use common::{
    ClientInfo, Dictionary, ErrorMessage, FilterNode, KeyedItem, Publication, StreamPosition,
    TrackBatch,
};
pub use connect::{ConnectRequest, ConnectResult};
pub use history::{HistoryRequest, HistoryResult};
pub use presence::{PresenceRequest, PresenceResult, PresenceStatsRequest, PresenceStatsResult};
pub use publish::{PublishRequest, PublishResult};
pub use push::{
    ConnectPush, DisconnectPush, JoinPush, LeavePush, MessagePush, RefreshPush, SubscribePush,
    UnsubscribePush,
};
pub use refresh::{RefreshRequest, RefreshResult, SubRefreshRequest, SubRefreshResult};
pub use rpc::{EmulationRequest, PingRequest, PingResult, RpcRequest, RpcResult, SendRequest};
pub use subscribe::{
    SubscribeRequest, SubscribeResult, SubscriptionType, UnsubscribeRequest, UnsubscribeResult,
};
