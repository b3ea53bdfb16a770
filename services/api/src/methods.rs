//! Every method, one row each, and what a method needs.
//!
//! Both transports, the batch and the legacy endpoint are derived from the table: a new method is a
//! file below and the word `ready` in its row.

pub(crate) mod batch;
mod block_user;
mod broadcast;
mod channel;
mod channels;
mod connections;
mod delete_user_status;
mod disconnect;
mod exclusion;
mod get_user_status;
mod history;
mod history_remove;
mod info;
mod invalidate_user_tokens;
mod pages;
mod payload;
mod presence;
mod presence_stats;
mod publish;
mod refresh;
mod revoke_token;
mod rpc;
mod selector;
mod status;
mod subscribe;
mod unblock_user;
mod unsubscribe;
mod update_user_status;

use std::sync::Arc;

use arc_swap::ArcSwap;
use gyre_engine::{Broker, Presence, Statuses};
use gyre_mapping::Message;
use gyre_policy::Policy;
use gyre_proto::api::{self, Reply};
use gyre_store::Access;
use gyre_telemetry::traces;

use crate::error::Error;
use crate::gateways::Gateways;
use crate::live::Live;
use crate::metrics::{Metrics, Protocol};

/// The table. Passes its rows on to the macro `$then`:
///
/// the method; its name, which is its file, its path, its function over gRPC and its field in a
/// batch; its number at the legacy endpoint; its state; its messages. The states: `ready`; `counts`,
/// ready, and counts errors within itself; `later`, answers 108.
///
/// Of several that one command of a batch has, the first row's runs.
macro_rules! for_each_method {
    ($then:ident) => {
        $then! {
            Publish publish 0 ready: PublishRequest PublishResponse PublishResult;
            Broadcast broadcast 1 counts: BroadcastRequest BroadcastResponse BroadcastResult;
            Subscribe subscribe 11 ready: SubscribeRequest SubscribeResponse SubscribeResult;
            Unsubscribe unsubscribe 2 ready: UnsubscribeRequest UnsubscribeResponse UnsubscribeResult;
            Disconnect disconnect 3 ready: DisconnectRequest DisconnectResponse DisconnectResult;
            History history 6 ready: HistoryRequest HistoryResponse HistoryResult;
            HistoryRemove history_remove 7 ready: HistoryRemoveRequest HistoryRemoveResponse HistoryRemoveResult;
            Presence presence 4 ready: PresenceRequest PresenceResponse PresenceResult;
            PresenceStats presence_stats 5 ready: PresenceStatsRequest PresenceStatsResponse PresenceStatsResult;
            Info info 9 ready: InfoRequest InfoResponse InfoResult;
            Rpc rpc 10 ready: RpcRequest RpcResponse RpcResult;
            Refresh refresh 12 ready: RefreshRequest RefreshResponse RefreshResult;
            Channels channels 8 ready: ChannelsRequest ChannelsResponse ChannelsResult;
            MapPublish map_publish 33 later: MapPublishRequest MapPublishResponse MapPublishResult;
            MapRemove map_remove 34 later: MapRemoveRequest MapRemoveResponse MapRemoveResult;
            MapReadState map_read_state 35 later: MapReadStateRequest MapReadStateResponse MapReadStateResult;
            MapReadStream map_read_stream 36 later: MapReadStreamRequest MapReadStreamResponse MapReadStreamResult;
            MapStats map_stats 37 later: MapStatsRequest MapStatsResponse MapStatsResult;
            MapClear map_clear 38 later: MapClearRequest MapClearResponse MapClearResult;
            SharedPollPublish shared_poll_publish 39 later: SharedPollPublishRequest SharedPollPublishResponse SharedPollPublishResult;
            Connections connections 14 ready: ConnectionsRequest ConnectionsResponse ConnectionsResult;
            UpdateUserStatus update_user_status 15 ready: UpdateUserStatusRequest UpdateUserStatusResponse UpdateUserStatusResult;
            GetUserStatus get_user_status 16 ready: GetUserStatusRequest GetUserStatusResponse GetUserStatusResult;
            DeleteUserStatus delete_user_status 17 ready: DeleteUserStatusRequest DeleteUserStatusResponse DeleteUserStatusResult;
            BlockUser block_user 18 ready: BlockUserRequest BlockUserResponse BlockUserResult;
            UnblockUser unblock_user 19 ready: UnblockUserRequest UnblockUserResponse UnblockUserResult;
            RevokeToken revoke_token 20 ready: RevokeTokenRequest RevokeTokenResponse RevokeTokenResult;
            InvalidateUserTokens invalidate_user_tokens 21 ready: InvalidateUserTokensRequest InvalidateUserTokensResponse InvalidateUserTokensResult;
            DeviceRegister device_register 22 later: DeviceRegisterRequest DeviceRegisterResponse DeviceRegisterResult;
            DeviceUpdate device_update 23 later: DeviceUpdateRequest DeviceUpdateResponse DeviceUpdateResult;
            DeviceRemove device_remove 24 later: DeviceRemoveRequest DeviceRemoveResponse DeviceRemoveResult;
            DeviceList device_list 25 later: DeviceListRequest DeviceListResponse DeviceListResult;
            DeviceTopicList device_topic_list 26 later: DeviceTopicListRequest DeviceTopicListResponse DeviceTopicListResult;
            DeviceTopicUpdate device_topic_update 27 later: DeviceTopicUpdateRequest DeviceTopicUpdateResponse DeviceTopicUpdateResult;
            UserTopicList user_topic_list 28 later: UserTopicListRequest UserTopicListResponse UserTopicListResult;
            UserTopicUpdate user_topic_update 29 later: UserTopicUpdateRequest UserTopicUpdateResponse UserTopicUpdateResult;
            SendPushNotification send_push_notification 30 later: SendPushNotificationRequest SendPushNotificationResponse SendPushNotificationResult;
            UpdatePushStatus update_push_status 31 later: UpdatePushStatusRequest UpdatePushStatusResponse UpdatePushStatusResult;
            CancelPush cancel_push 32 later: CancelPushRequest CancelPushResponse CancelPushResult;
        }
    };
}

pub(crate) use for_each_method;

/// What the methods work with.
pub(crate) struct Methods {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) presence: Arc<dyn Presence>,
    pub(crate) live: Arc<ArcSwap<Live>>,
    pub(crate) access: Access,
    /// `None`: they are not kept.
    pub(crate) statuses: Option<Arc<dyn Statuses>>,
    pub(crate) gateways: Gateways,
    pub(crate) metrics: Metrics,
}

impl Methods {
    /// Namespaces and their options, as they are now.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.live.load().policy)
    }

    /// Runs a method and measures it.
    pub(crate) async fn call<M: Method>(
        &self,
        protocol: Protocol,
        request: M::Request,
    ) -> Result<M::Result, Error> {
        let _timer = self.metrics.start(protocol, M::ID);
        let answer = M::run(self, protocol, request).await;
        if let Err(error) = &answer {
            traces::failed(error.label());
            self.metrics
                .count_error(protocol, M::ID.name(), error.label());
        }
        answer
    }
}

/// A method of the table.
pub(crate) trait Method: 'static {
    /// Which row it is.
    const ID: MethodId;
    /// What it is asked.
    type Request: Message + Send;
    /// What it answers.
    type Result: Message + Send;

    /// Decides it.
    fn run(
        methods: &Methods,
        protocol: Protocol,
        request: Self::Request,
    ) -> impl Future<Output = Result<Self::Result, Error>> + Send;

    /// The result as a batch has it.
    fn reply(result: Self::Result) -> Reply;
}

macro_rules! define {
    ($($method:ident $name:ident $number:literal $state:ident:
        $request:ident $response:ident $result:ident;)*) => {
        /// Names a row of the table.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum MethodId {
            $($method,)*
        }

        impl MethodId {
            /// Every row.
            pub(crate) const ALL: &[Self] = &[$(Self::$method),*];

            /// How many rows there are.
            pub(crate) const COUNT: usize = Self::ALL.len();

            /// The name: of the path, of the metric's label.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$method => stringify!($name),)*
                }
            }

            /// The number at the legacy endpoint.
            pub(crate) const fn legacy_number(self) -> u32 {
                match self {
                    $(Self::$method => $number,)*
                }
            }
        }

        /// The rows as types.
        pub(crate) mod rows {
            $(pub(crate) enum $method {})*
        }

        $(
            impl Method for rows::$method {
                const ID: MethodId = MethodId::$method;
                type Request = api::$request;
                type Result = api::$result;

                async fn run(
                    _methods: &Methods,
                    _protocol: Protocol,
                    _request: Self::Request,
                ) -> Result<Self::Result, Error> {
                    run!($state $name, _methods, _protocol, _request)
                }

                fn reply(result: Self::Result) -> Reply {
                    Reply { $name: Some(Box::new(result)), ..Reply::default() }
                }
            }
        )*
    };
}

macro_rules! run {
    (ready $name:ident, $methods:ident, $protocol:ident, $request:ident) => {
        $name::run($methods, $request).await
    };
    (counts $name:ident, $methods:ident, $protocol:ident, $request:ident) => {
        $name::run($methods, $protocol, $request).await
    };
    (later $name:ident, $methods:ident, $protocol:ident, $request:ident) => {
        Err(Error::NotAvailable)
    };
}

for_each_method!(define);

impl std::fmt::Debug for Methods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Methods").finish_non_exhaustive()
    }
}
