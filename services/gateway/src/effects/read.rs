use std::time::Duration;

use gyre_engine::{HistoryQuery, Order, Retention};
use gyre_policy::Rules;
use gyre_session::{Completion, HistoryPart, HistoryRead, Stats};
use gyre_types::ChannelName;

use super::failure;
use crate::node::Node;

pub(super) async fn history(node: &Node, effect: HistoryRead) -> Completion {
    node.metrics.actions.history.inc();
    let query = HistoryQuery {
        since: effect
            .since
            .as_ref()
            .map(|(offset, epoch)| (*offset, epoch.as_str())),
        limit: effect.limit,
        order: if effect.is_reverse {
            Order::Reverse
        } else {
            Order::Forward
        },
        meta_ttl: meta_ttl(node, &effect.channel),
        heard: None,
    };
    let read = node.engine.broker.history(&effect.channel, query).await;
    Completion::History(
        read.map(|read| HistoryPart {
            top: read.top,
            publications: read.publications,
        })
        .map_err(|error| failure(&error, "history")),
    )
}

pub(super) async fn top(node: &Node, channel: &ChannelName) -> Completion {
    node.metrics.actions.history_stream_top.inc();
    let query = HistoryQuery {
        limit: Some(0),
        meta_ttl: meta_ttl(node, channel),
        ..HistoryQuery::default()
    };
    let read = node.engine.broker.history(channel, query).await;
    Completion::Top(
        read.map(|read| read.top)
            .map_err(|error| failure(&error, "stream top")),
    )
}

pub(super) async fn presence(node: &Node, channel: &ChannelName) -> Completion {
    node.metrics.actions.presence.inc();
    let members = node.engine.presence.members(channel).await;
    Completion::Presence(members.map_err(|error| failure(&error, "presence")))
}

pub(super) async fn presence_stats(node: &Node, channel: &ChannelName) -> Completion {
    node.metrics.actions.presence_stats.inc();
    let stats = node.engine.presence.stats(channel).await;
    Completion::PresenceStats(
        stats
            .map(|stats| Stats {
                clients: u32::try_from(stats.clients).unwrap_or(u32::MAX),
                users: u32::try_from(stats.users).unwrap_or(u32::MAX),
            })
            .map_err(|error| failure(&error, "presence stats")),
    )
}

/// How publications are kept; `None`: they are not.
pub(super) fn kept(rules: Rules<'_>) -> Option<Retention> {
    rules.retention().map(|kept| Retention {
        size: kept.size,
        ttl: kept.ttl,
        meta_ttl: kept.meta_ttl,
    })
}

/// How long the epoch of a channel's stream lives.
pub(crate) fn meta_ttl(node: &Node, channel: &ChannelName) -> Option<Duration> {
    let live = node.live.load();
    let rules = live.settings.policy.resolve(channel.as_str()).ok()?;
    rules.meta_ttl()
}
