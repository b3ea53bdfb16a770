use std::sync::Arc;

use gyre_engine::{HistoryQuery, Order};
use gyre_hub::Wants;
use gyre_session::{Completion, Failure, HistoryPart, Read, Subscribe, Subscribed, Unsubscribe};
use gyre_types::ChannelName;

use super::failure;
use crate::handle::{Handle, Shared};
use crate::node::Node;

/// Enters hub, bus and presence, then reads history: from the first step on nothing is lost, for
/// what arrives before the read is held back by the session.
// hot path: command 5/5
pub(super) async fn enter(node: &Node, handle: &Arc<Handle>, effect: Subscribe) -> Completion {
    let wants = if effect.wants_joins {
        Wants::Everything
    } else {
        Wants::Publications
    };
    let subscriber = Shared(Arc::clone(handle));
    let joined = node
        .hub
        .subscribe(&effect.channel, effect.id, subscriber, wants);
    let outcome = enter_engine(node, handle, &effect).await;
    match outcome {
        Ok(history) => {
            node.metrics.actions.add_subscription.inc();
            if let Some(history) = &history {
                node.hub.note_top(&effect.channel, history.top.offset);
            }
            Completion::Subscribed(Ok(Box::new(Subscribed {
                channel: joined.channel,
                slot: joined.slot,
                history,
            })))
        }
        Err(failure) => {
            node.hub
                .unsubscribe(&effect.channel, joined.slot, effect.id);
            Completion::Subscribed(Err(failure))
        }
    }
}

pub(super) async fn leave(node: &Node, handle: &Arc<Handle>, effect: Unsubscribe) -> Completion {
    let channel = &effect.channel;
    node.hub.unsubscribe(channel, effect.slot, effect.id);
    node.engine.broker.unsubscribe(channel);
    node.metrics.actions.remove_subscription.inc();
    let mut outcome = Ok(());
    if effect.presence {
        node.metrics.actions.remove_presence.inc();
        if let Err(error) = node.engine.presence.remove(channel, &handle.client).await {
            outcome = Err(failure(&error, "presence remove"));
        }
    }
    if let Some(info) = effect.leave {
        node.metrics.messages_sent.leave.inc();
        if let Err(error) = node.engine.broker.publish_leave(channel, &info).await {
            let failure = failure(&error, "leave");
            outcome = outcome.and(Err(failure));
        }
    }
    Completion::Done(outcome)
}

async fn enter_engine(
    node: &Node,
    handle: &Arc<Handle>,
    effect: &Subscribe,
) -> Result<Option<HistoryPart>, Failure> {
    let channel = &effect.channel;
    node.engine
        .broker
        .subscribe(channel)
        .await
        .map_err(|error| failure(&error, "subscribe"))?;
    let outcome = enter_rest(node, handle, effect).await;
    if outcome.is_err() {
        node.engine.broker.unsubscribe(channel);
    }
    outcome
}

async fn enter_rest(
    node: &Node,
    handle: &Arc<Handle>,
    effect: &Subscribe,
) -> Result<Option<HistoryPart>, Failure> {
    let channel = &effect.channel;
    let presence = &node.engine.presence;
    if let Some(info) = &effect.presence {
        node.metrics.actions.add_presence.inc();
        presence
            .add(channel, &handle.client, Arc::clone(info))
            .await
            .map_err(|error| failure(&error, "presence add"))?;
    }
    let Some(read) = effect.read else {
        return Ok(None);
    };
    match history(node, channel, read).await {
        Ok(part) => Ok(Some(part)),
        Err(error) => {
            if effect.presence.is_some() {
                // The entry goes with the subscription that was not made.
                let _ = presence.remove(channel, &handle.client).await;
            }
            Err(failure(&error, "history"))
        }
    }
}

async fn history(
    node: &Node,
    channel: &ChannelName,
    read: Read,
) -> Result<HistoryPart, gyre_engine::Error> {
    let meta_ttl = super::read::meta_ttl(node, channel);
    let query = match read {
        Read::Top => HistoryQuery {
            limit: Some(0),
            meta_ttl,
            ..HistoryQuery::default()
        },
        Read::Since { offset, limit } => HistoryQuery {
            since: Some((offset, "")),
            limit: Some(limit),
            meta_ttl,
            ..HistoryQuery::default()
        },
        Read::Newest { limit } => HistoryQuery {
            limit: Some(limit),
            order: Order::Reverse,
            meta_ttl,
            ..HistoryQuery::default()
        },
    };
    match read {
        Read::Top => node.metrics.actions.history_stream_top.inc(),
        Read::Since { .. } => node.metrics.actions.history_recover.inc(),
        Read::Newest { .. } => node.metrics.actions.history_recover_cache.inc(),
    }
    let read = node.engine.broker.history(channel, query).await?;
    Ok(HistoryPart {
        top: read.top,
        publications: read.publications,
    })
}
