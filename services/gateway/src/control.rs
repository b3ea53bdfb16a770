//! `gyre.gateway.v1`: what the API asks of the connections of this gateway.
//!
//! A command is put into the mailbox of each connection that is meant, and answered when all of them
//! have carried it out. One whose id was seen within the last minute is not run again. What is asked
//! about all of them is answered a page at a time.

mod glob;
mod page;
mod repeated;
mod revoke;
mod selector;
mod survey;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use gyre_policy::Override;
use gyre_proto::api::{BoolValue, Metrics, NodeResult, SubscribeOptionOverride};
use gyre_proto::gateway as pb;
use gyre_proto::gateway::gateway_service_server::GatewayService;
use gyre_protocol::codes::{Disconnect, Error, Unsubscribe};
use gyre_session::{Control, ControlRefresh, ControlSubscribe};
use gyre_types::{ChannelName, UnixSeconds, UserId};
use tokio::sync::oneshot;
use tonic::{Request, Response, Status};

pub(crate) use self::repeated::Repeated;
use crate::effects::single;
use crate::handle::{Controlled, Handle, Item};
use crate::node::Node;

/// Where the outcome of a command arrives; closed if the connection ended first.
pub(crate) type Outcome = oneshot::Receiver<Result<(), Error>>;

/// Puts a command into a connection's mailbox. `None`: the connection ends anyway.
pub(crate) fn send(handle: &Handle, command: Control) -> Option<Outcome> {
    let (done, outcome) = oneshot::channel();
    let item = Item::Control(Box::new(Controlled { command, done }));
    handle.ask(item).then_some(outcome)
}

/// The service, over the node's connections.
#[derive(Clone, Debug)]
pub struct Commands {
    node: Arc<Node>,
    repeated: Arc<Repeated>,
}

impl Commands {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self {
            node,
            repeated: Arc::default(),
        }
    }

    /// Runs a command on every connection that is meant, once; how many there were.
    async fn run(
        &self,
        id: &[u8],
        selector: Option<pb::Selector>,
        command: impl Fn() -> Control + Send + 'static,
    ) -> Result<u32, Status> {
        let now = self.node.clock.now().uptime;
        let node = Arc::clone(&self.node);
        let run = || -> BoxFuture<'static, _> {
            Box::pin(async move {
                let selector = selector.unwrap_or_default();
                let handles = selector::select(&node.connections, &selector)?;
                carry_out(&handles, command).await
            })
        };
        self.repeated.once(id, now, run).await
    }
}

/// Tells every connection, then waits for all of them.
async fn carry_out(handles: &[Arc<Handle>], command: impl Fn() -> Control) -> Result<u32, Status> {
    let outcomes: Vec<Outcome> = handles
        .iter()
        .filter_map(|handle| send(handle, command()))
        .collect();
    drop(command);
    for outcome in outcomes {
        match outcome.await {
            Ok(Err(error)) if error == Error::INTERNAL => {
                return Err(Status::internal("a connection could not carry it out"));
            }
            // An error is the connection's own business; one that has ended needs nothing.
            Ok(Ok(()) | Err(_)) | Err(_) => {}
        }
    }
    Ok(u32::try_from(handles.len()).unwrap_or(u32::MAX))
}

#[tonic::async_trait]
impl GatewayService for Commands {
    async fn subscribe(
        &self,
        request: Request<pb::SubscribeRequest>,
    ) -> Result<Response<pb::SubscribeResponse>, Status> {
        let request = request.into_inner();
        let channel = ChannelName::new(&request.channel)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let command = ControlSubscribe {
            channel,
            info: request.info,
            data: request.data,
            expire_at: at(request.expire_at),
            recover_since: request
                .recover_since
                .map(|since| (since.offset, since.epoch)),
            overrides: request.r#override.map(overrides).unwrap_or_default(),
        };
        let matched = self
            .run(&request.command_id, request.selector, move || {
                Control::Subscribe(Box::new(command.clone()))
            })
            .await?;
        Ok(Response::new(pb::SubscribeResponse { matched }))
    }

    async fn unsubscribe(
        &self,
        request: Request<pb::UnsubscribeRequest>,
    ) -> Result<Response<pb::UnsubscribeResponse>, Status> {
        let request = request.into_inner();
        let matched = self
            .run(&request.command_id, request.selector, move || {
                Control::Unsubscribe {
                    channel: request.channel.clone(),
                    unsubscribe: Unsubscribe::SERVER,
                }
            })
            .await?;
        Ok(Response::new(pb::UnsubscribeResponse { matched }))
    }

    async fn disconnect(
        &self,
        request: Request<pb::DisconnectRequest>,
    ) -> Result<Response<pb::DisconnectResponse>, Status> {
        let request = request.into_inner();
        let disconnect = Disconnect {
            code: request.code,
            reason: request.reason.into(),
        };
        let matched = self
            .run(&request.command_id, request.selector, move || {
                Control::Disconnect(disconnect.clone())
            })
            .await?;
        Ok(Response::new(pb::DisconnectResponse { matched }))
    }

    async fn newest(
        &self,
        request: Request<pb::NewestRequest>,
    ) -> Result<Response<pb::NewestResponse>, Status> {
        let pb::NewestRequest { user, client } = request.into_inner();
        if user.is_empty() {
            return Err(Status::invalid_argument("nobody is meant"));
        }
        let closed = single::give_way(&self.node, &UserId::new(&user), &client);
        Ok(Response::new(pb::NewestResponse { closed }))
    }

    async fn refresh(
        &self,
        request: Request<pb::RefreshRequest>,
    ) -> Result<Response<pb::RefreshResponse>, Status> {
        let request = request.into_inner();
        let command = ControlRefresh {
            is_expired: request.expired,
            expire_at: at(request.expire_at),
            info: request.info,
        };
        let matched = self
            .run(&request.command_id, request.selector, move || {
                Control::Refresh(command.clone())
            })
            .await?;
        Ok(Response::new(pb::RefreshResponse { matched }))
    }

    async fn revoke(
        &self,
        request: Request<pb::RevokeRequest>,
    ) -> Result<Response<pb::RevokeResponse>, Status> {
        let request = request.into_inner();
        let void = revoke::void(&request)?;
        let now = self.node.clock.now().uptime;
        let node = Arc::clone(&self.node);
        let run = || -> BoxFuture<'static, _> {
            Box::pin(async move {
                let handles = revoke::concerned(&node.connections, &void);
                carry_out(&handles, move || Control::Revoke(void.clone())).await
            })
        };
        let matched = self.repeated.once(&request.command_id, now, run).await?;
        Ok(Response::new(pb::RevokeResponse { matched }))
    }

    async fn emulate(
        &self,
        request: Request<pb::EmulateRequest>,
    ) -> Result<Response<pb::EmulateResponse>, Status> {
        let pb::EmulateRequest { session, data } = request.into_inner();
        let found = self.node.sessions.deliver(&session, data);
        Ok(Response::new(pb::EmulateResponse { found }))
    }

    async fn follow_access(
        &self,
        _request: Request<pb::FollowAccessRequest>,
    ) -> Result<Response<pb::FollowAccessResponse>, Status> {
        let looked = self.node.access.look().await;
        looked.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(pb::FollowAccessResponse {}))
    }

    async fn info(
        &self,
        _request: Request<pb::InfoRequest>,
    ) -> Result<Response<pb::InfoResponse>, Status> {
        let node = Some(describe(&self.node));
        Ok(Response::new(pb::InfoResponse { node }))
    }

    async fn channels(
        &self,
        request: Request<pb::ChannelsRequest>,
    ) -> Result<Response<pb::ChannelsResponse>, Status> {
        let page = survey::channels(&self.node, &request.into_inner()).await?;
        Ok(Response::new(page))
    }

    async fn connections(
        &self,
        request: Request<pb::ConnectionsRequest>,
    ) -> Result<Response<pb::ConnectionsResponse>, Status> {
        let page = survey::connections(&self.node, request.into_inner()).await?;
        Ok(Response::new(page))
    }

    async fn drain(
        &self,
        request: Request<pb::DrainRequest>,
    ) -> Result<Response<pb::DrainResponse>, Status> {
        let Node {
            identity, leaving, ..
        } = &*self.node;
        let meant = request.into_inner().gateway;
        if !meant.is_empty() && [&identity.id, &identity.name].contains(&&meant) {
            tracing::info!("asked to hand over and go");
            leaving.begin();
        }
        Ok(Response::new(pb::DrainResponse {
            uid: identity.id.clone(),
            name: identity.name.clone(),
            draining: leaving.is_leaving(),
            connections: u32::try_from(self.node.connections.len()).unwrap_or(u32::MAX),
            told: self.node.drain.told(),
            cut: self.node.drain.cut(),
        }))
    }
}

fn describe(node: &Node) -> NodeResult {
    let counts = node.hub.counts();
    let options = &node.live.load().options;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let uptime_s = node.clock.now().uptime.as_millis() / 1000;
    NodeResult {
        uid: node.identity.id.clone(),
        name: node.identity.name.clone(),
        version: node.identity.version.clone(),
        num_clients: number(node.connections.len()),
        num_users: number(node.connections.users()),
        num_channels: number(counts.channels),
        num_subs: number(counts.subscriptions),
        uptime: u32::try_from(uptime_s).unwrap_or(u32::MAX),
        metrics: Some(Metrics {
            interval: options.info_interval.as_secs_f64(),
            items: node.metrics.summary(&options.metrics_namespace),
        }),
        ..NodeResult::default()
    }
}

fn at(unix_seconds: i64) -> Option<UnixSeconds> {
    (unix_seconds != 0).then_some(UnixSeconds(unix_seconds))
}

fn overrides(wire: SubscribeOptionOverride) -> Override {
    let value = |given: Option<BoolValue>| given.map(|given| given.value);
    Override {
        presence: value(wire.presence),
        join_leave: value(wire.join_leave),
        force_push_join_leave: value(wire.force_push_join_leave),
        force_positioning: value(wire.force_positioning),
        force_recovery: value(wire.force_recovery),
    }
}
