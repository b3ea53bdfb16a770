//! Questions about all channels and all connections.
//!
//! Nothing is indexed for them: a page looks through the whole table, a shard at a time, and keeps
//! only what is on it. What a connection is, it says itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use gyre_expression::{Evaluator, Expression, Facts};
use gyre_proto::api::{
    ChannelContext, ConnectionInfo, ConnectionState, ConnectionTokenInfo, SubscriptionTokenInfo,
};
use gyre_proto::gateway as pb;
use gyre_session::TokenMark;
use gyre_types::{ClientId, UserId};
use tokio::sync::oneshot;
use tonic::Status;

use super::glob::Glob;
use super::page::Page;
use super::selector;
use crate::connections;
use crate::handle::{Described, Handle, Item};
use crate::node::Node;

/// Most channels of a page. 10 000: a megabyte or two of names.
const CHANNELS_MAX: u32 = 10_000;

/// Most connections of a page. 1000: each is asked, and says some hundred bytes.
const CONNECTIONS_MAX: u32 = 1_000;

/// Connections that a condition is evaluated for without a pause. 50: a millisecond or so.
const EVALUATED_AT_ONCE: usize = 50;

/// A page of the channels with subscribers.
///
/// # Errors
///
/// `INVALID_ARGUMENT` for a pattern that is none.
pub(super) async fn channels(
    node: &Node,
    request: &pb::ChannelsRequest,
) -> Result<pb::ChannelsResponse, Status> {
    let glob =
        Glob::new(&request.pattern).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let limit = request.limit.min(CHANNELS_MAX) as usize;
    let mut page = Page::new(&request.after, limit);
    for shard in 0..gyre_hub::SHARDS {
        node.hub.for_each_channel_in(shard, |name, subscribers| {
            if glob.matches(name.as_str()) {
                page.offer(name, || subscribers);
            }
        });
        // Others run between the parts of a large table.
        tokio::task::yield_now().await;
    }
    let (channels, next) = page.finish();
    let channels = channels.into_iter().map(|(name, num_clients)| pb::Channel {
        name: name.as_str().to_owned(),
        num_clients,
    });
    Ok(pb::ChannelsResponse {
        channels: channels.collect(),
        next,
    })
}

/// A page of the connections that are meant. Those that end meanwhile are left out.
///
/// # Errors
///
/// `INVALID_ARGUMENT` for a filter or an expression that is none.
pub(super) async fn connections(
    node: &Node,
    request: pb::ConnectionsRequest,
) -> Result<pb::ConnectionsResponse, Status> {
    let filter = selector::compile(request.label_filter.as_ref())?;
    let condition = condition(&request.expression)?;
    let limit = request.limit.min(CONNECTIONS_MAX) as usize;
    // What meets a condition is known when a connection has described itself: many are looked at for a few.
    let looked_at = condition
        .as_ref()
        .map_or(limit, |_| CONNECTIONS_MAX as usize);
    let mut page: Page<'_, ClientId, Arc<Handle>> = Page::new(&request.after, looked_at);
    let mut look_at = |handle: &Arc<Handle>| {
        if selector::passes(handle, filter.as_ref()) {
            page.offer(&handle.client, || Arc::clone(handle));
        }
    };
    if request.user.is_empty() {
        for shard in 0..connections::SHARDS {
            node.connections.for_each_in(shard, &mut look_at);
            tokio::task::yield_now().await;
        }
    } else {
        let own = node.connections.of(&UserId::new(&request.user));
        own.iter().for_each(look_at);
    }
    let (handles, mut next) = page.finish();
    let mut connections = describe(handles.into_values()).await;
    if let Some(condition) = condition {
        connections = meeting(&condition, connections).await;
        if connections.len() > limit {
            connections.truncate(limit);
            next = connections.last().map_or(next, |last| last.client.clone());
        }
    }
    Ok(pb::ConnectionsResponse { connections, next })
}

fn condition(expression: &str) -> Result<Option<Expression>, Status> {
    if expression.is_empty() {
        return Ok(None);
    }
    let compiled = Expression::compile(expression);
    compiled
        .map(Some)
        .map_err(|error| Status::invalid_argument(error.to_string()))
}

/// What connections say of themselves.
async fn describe(handles: impl Iterator<Item = Arc<Handle>>) -> Vec<pb::Connection> {
    let asked: Vec<_> = handles.filter_map(ask).collect();
    let mut connections = Vec::with_capacity(asked.len());
    for (handle, answer) in asked {
        if let Ok(described) = answer.await {
            connections.push(pb::Connection {
                client: handle.client.as_str().to_owned(),
                info: Some(info(&handle, described)),
            });
        }
    }
    connections
}

/// Those for which an expression is true. Others run between a few of them.
async fn meeting(condition: &Expression, all: Vec<pb::Connection>) -> Vec<pb::Connection> {
    let mut met = Vec::new();
    let mut all = all.into_iter();
    while all.len() > 0 {
        let evaluator = condition.evaluator();
        let some = all.by_ref().take(EVALUATED_AT_ONCE);
        met.extend(some.filter(|connection| holds(&evaluator, connection)));
        drop(evaluator);
        tokio::task::yield_now().await;
    }
    met
}

fn holds(condition: &Evaluator<'_>, connection: &pb::Connection) -> bool {
    let Some(info) = &connection.info else {
        return false;
    };
    let state = info.state.as_ref();
    let channels: Vec<&str> = state
        .into_iter()
        .flat_map(|state| state.channels.keys().map(String::as_str))
        .collect();
    condition.holds(&Facts {
        user: &info.user,
        client: &connection.client,
        meta: state.map_or(&[], |state| &state.meta),
        labels: &info.labels,
        channels: &channels,
        transport: &info.transport,
        protocol: &info.protocol,
        app_name: &info.app_name,
        app_version: &info.app_version,
        connected_at: info.connected_at_ms,
    })
}

type Answer = oneshot::Receiver<Described>;

fn ask(handle: Arc<Handle>) -> Option<(Arc<Handle>, Answer)> {
    let (asked, answer) = oneshot::channel();
    let is_asked = handle.ask(Item::Describe(asked));
    is_asked.then_some((handle, answer))
}

/// A connection in the form of the API.
fn info(handle: &Handle, described: Described) -> ConnectionInfo {
    let description = described.session;
    let latency = description.latency;
    let mut state = ConnectionState {
        connection_token: description.token.as_ref().map(connection_token),
        meta: description.meta,
        ..ConnectionState::default()
    };
    for held in description.channels {
        let channel = held.channel.as_str();
        if let Some(token) = &held.token {
            let token = subscription_token(token);
            state.subscription_tokens.insert(channel.to_owned(), token);
        }
        let source = u32::from(held.source.number());
        let context = ChannelContext { source };
        state.channels.insert(channel.to_owned(), context);
    }
    ConnectionInfo {
        app_name: description.app_name,
        app_version: description.app_version,
        transport: described.transport.to_owned(),
        protocol: described.format.as_str().to_owned(),
        user: description.user.as_str().to_owned(),
        state: Some(state),
        connected_at_ms: description.connected_at.0,
        ping_pong_latency_ms: latency.map_or(-1, |latency| {
            i64::try_from(latency.as_millis()).unwrap_or(i64::MAX)
        }),
        labels: BTreeMap::clone(handle.labels()),
    }
}

fn connection_token(mark: &TokenMark) -> ConnectionTokenInfo {
    ConnectionTokenInfo {
        uid: mark.uid.to_string(),
        issued_at: mark.issued_at.map_or(0, |at| at.0),
    }
}

fn subscription_token(mark: &TokenMark) -> SubscriptionTokenInfo {
    SubscriptionTokenInfo {
        uid: mark.uid.to_string(),
        issued_at: mark.issued_at.map_or(0, |at| at.0),
    }
}
