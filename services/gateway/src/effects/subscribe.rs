use std::sync::Arc;

use gyre_backend::{Event, Proxy};
use gyre_engine::{HistoryQuery, Order};
use gyre_hub::{Left, Wants};
use gyre_policy::{Right, Rights};
use gyre_proto::proxy as pb;
use gyre_session::{
    AskSubscribe, Completion, Failure, HistoryPart, Read, Refusal, Subscribe, Subscribed, Terms,
    Unsubscribe,
};
use gyre_types::ChannelName;

use super::ask::{Asking, NOBODY, end_of, filter_of, override_of, result};
use super::failure;
use super::read::kept;
use crate::handle::{Handle, Shared};
use crate::node::Node;
use crate::states;

/// Asks whether a client may subscribe.
pub(super) async fn ask(asking: &Asking, ask: AskSubscribe) -> Completion {
    Completion::SubscribeAsked(asked(asking, &ask).await.map(Box::new))
}

async fn asked(asking: &Asking, ask: &AskSubscribe) -> Result<Terms, Refusal> {
    let proxy = asking.proxy_of(ask.channel.as_str(), Event::Subscribe, |options| {
        &options.subscribe_proxy_name
    });
    let proxy = proxy.ok_or(NOBODY)?;
    let said = proxy
        .subscribe(question(asking, ask), &asking.brought)
        .await;
    Ok(result(said)?.map(terms_of).unwrap_or_default())
}

/// What the backend is asked about a subscribe.
pub(super) fn question(asking: &Asking, ask: &AskSubscribe) -> pb::SubscribeRequest {
    pb::SubscribeRequest {
        client: asking.client(),
        transport: asking.transport(),
        protocol: asking.protocol(),
        user: asking.user(),
        channel: ask.channel.as_str().to_owned(),
        data: ask.data.clone(),
        meta: asking.meta.clone(),
        labels: asking.labels(),
        ..pb::SubscribeRequest::default()
    }
}

/// On which terms the backend lets a client subscribe.
pub(super) fn terms_of(said: pb::SubscribeResult) -> Terms {
    let allowed = said.allow.iter().map(String::as_str);
    Terms {
        info: said.info,
        data: said.data,
        expire_at: end_of(said.expire_at),
        overrides: override_of(said.r#override),
        // It is subscribed anyway, and to this channel alone.
        rights: Rights::named(allowed).without(Right::Subscribe),
        tags_filter: said
            .server_tags_filter
            .map(|node| Box::new(filter_of(node))),
        recovers_cache: false,
    }
}

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
    let entered = enter_engine(node, handle, &effect).await;
    let mut has_changed = joined.is_first;
    let outcome = match entered {
        Ok(history) => {
            node.metrics.actions.add_subscription.inc();
            if let Some(history) = &history {
                node.hub.note_top(&effect.channel, history.top.offset);
            }
            Ok(Box::new(Subscribed {
                channel: joined.channel,
                slot: joined.slot,
                history,
            }))
        }
        Err(failure) => {
            let left = node
                .hub
                .unsubscribe(&effect.channel, joined.slot, effect.id);
            has_changed |= left == Left::Last;
            Err(failure)
        }
    };
    if has_changed {
        states::look(node, &effect.channel);
    }
    Completion::Subscribed(outcome)
}

pub(super) async fn leave(node: &Node, handle: &Arc<Handle>, effect: Unsubscribe) -> Completion {
    let channel = &effect.channel;
    if node.hub.unsubscribe(channel, effect.slot, effect.id) == Left::Last {
        states::look(node, channel);
    }
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
    let read = history_or_filled(node, channel, read).await;
    if read.is_err() && effect.presence.is_some() {
        // The entry goes with the subscription that was not made.
        let _ = presence.remove(channel, &handle.client).await;
    }
    read.map(Some)
}

/// Reads history; once more, if the backend has filled a cache that was empty.
async fn history_or_filled(
    node: &Node,
    channel: &ChannelName,
    read: Read,
) -> Result<HistoryPart, Failure> {
    let found = history(node, channel, read).await;
    let found = found.map_err(|error| failure(&error, "history"))?;
    let is_empty = matches!(read, Read::Newest { .. }) && found.publications.is_empty();
    let Some(proxy) = filler(node, channel).filter(|_| is_empty) else {
        return Ok(found);
    };
    match proxy.notify_cache_empty(channel.as_str()).await {
        Ok(true) => {
            let filled = history(node, channel, read).await;
            filled.map_err(|error| failure(&error, "history"))
        }
        Ok(false) => Ok(found),
        Err(_unanswered) => Err(Failure::Unanswered),
    }
}

/// Who fills a channel's cache when it is empty.
fn filler<'a>(node: &'a Node, channel: &ChannelName) -> Option<&'a Arc<Proxy>> {
    let live = node.live.load();
    let rules = live.settings.policy.resolve(channel.as_str()).ok()?;
    let options = rules.options();
    if !options.cache_empty_proxy_enabled {
        return None;
    }
    let name = &options.cache_empty_proxy_name;
    node.backends.find(Event::NotifyCacheEmpty, name)
}

/// A read of somebody who is in the hub already: what is on its way comes to it.
fn of_a_subscriber(node: &Node, channel: &ChannelName) -> HistoryQuery<'static> {
    let live = node.live.load();
    let rules = live.settings.policy.resolve(channel.as_str()).ok();
    HistoryQuery {
        meta_ttl: rules.and_then(|rules| rules.meta_ttl()),
        heard: rules.and_then(kept),
        ..HistoryQuery::default()
    }
}

async fn history(
    node: &Node,
    channel: &ChannelName,
    read: Read,
) -> Result<HistoryPart, gyre_engine::Error> {
    let any = of_a_subscriber(node, channel);
    let query = match read {
        Read::Top => HistoryQuery {
            limit: Some(0),
            ..any
        },
        Read::Since { offset, limit } => HistoryQuery {
            since: Some((offset, "")),
            limit: Some(limit),
            ..any
        },
        Read::Newest { limit } => HistoryQuery {
            limit: Some(limit),
            order: Order::Reverse,
            ..any
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
