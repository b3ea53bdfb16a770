//! Which response answers which request, and what both are on the wire.

use gyre_mapping::Message;
use gyre_proto::proxy as pb;

use crate::error::CallError;
use crate::messages::answer::Answer;
use crate::messages::event::Event;
use crate::messages::payload::{Plain, Request};

/// A request that is answered by one response.
pub(crate) trait Exchange: Request + Message + prost::Message + Clone + 'static {
    /// What it says.
    type Result: Plain + Send;
    /// What answers it.
    type Response: Message + prost::Message + Into<Answer<Self::Result>> + 'static;
    /// The event.
    const EVENT: Event;
    /// Path of the gRPC method.
    const PATH: &'static str;
}

/// What the response of a backend stands for, with payloads in plain fields.
pub(crate) fn answer<E: Exchange>(response: E::Response) -> Result<Answer<E::Result>, CallError> {
    let mut answer = response.into();
    if let Answer::Result(Some(result)) = &mut answer {
        result.plain()?;
    }
    Ok(answer)
}

macro_rules! exchanges {
    ($($event:ident $method:literal $request:ident $response:ident $result:ident ($($refusal:ident),*);)*) => {$(
        impl Exchange for pb::$request {
            type Result = pb::$result;
            type Response = pb::$response;
            const EVENT: Event = Event::$event;
            const PATH: &'static str =
                concat!("/centrifugal.centrifugo.proxy.CentrifugoProxy/", $method);
        }

        impl From<pb::$response> for Answer<pb::$result> {
            fn from(response: pb::$response) -> Self {
                exchanges!(@answer response $($refusal)*)
            }
        }
    )*};
    (@answer $response:ident) => { Self::new($response.result, None, None) };
    (@answer $response:ident error) => { Self::new($response.result, $response.error, None) };
    (@answer $response:ident error disconnect) => {
        Self::new($response.result, $response.error, $response.disconnect)
    };
}

exchanges! {
    Connect "Connect" ConnectRequest ConnectResponse ConnectResult (error, disconnect);
    Refresh "Refresh" RefreshRequest RefreshResponse RefreshResult ();
    Subscribe "Subscribe" SubscribeRequest SubscribeResponse SubscribeResult (error, disconnect);
    Publish "Publish" PublishRequest PublishResponse PublishResult (error, disconnect);
    Rpc "RPC" RpcRequest RpcResponse RpcResult (error, disconnect);
    SubRefresh "SubRefresh" SubRefreshRequest SubRefreshResponse SubRefreshResult ();
    MapPublish "MapPublish" MapPublishRequest MapPublishResponse MapPublishResult (error, disconnect);
    MapRemove "MapRemove" MapRemoveRequest MapRemoveResponse MapRemoveResult (error, disconnect);
    SharedPollRefresh "SharedPollRefresh"
        SharedPollRefreshRequest SharedPollRefreshResponse SharedPollRefreshResult (error);
    NotifyCacheEmpty "NotifyCacheEmpty"
        NotifyCacheEmptyRequest NotifyCacheEmptyResponse NotifyCacheEmptyResult ();
    NotifyChannelState "NotifyChannelState"
        NotifyChannelStateRequest NotifyChannelStateResponse NotifyChannelStateResult (error);
}
