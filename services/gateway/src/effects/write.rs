use std::sync::Arc;

use gyre_engine::PublishOptions;
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_session::{Completion, Failure, Publish, PublishTerms};
use gyre_types::ChannelName;

use super::failure;
use super::read::kept;
use crate::handle::Handle;
use crate::node::Node;

/// Publishes; `terms` are the backend's, where it was asked.
pub(super) async fn publish(
    node: &Node,
    effect: Publish,
    terms: Option<&PublishTerms>,
) -> Completion {
    node.metrics.messages_sent.publication.inc();
    let Some(options) = options(node, &effect.channel, terms) else {
        return Completion::Done(Err(Failure::Internal)); // The session has just resolved it.
    };
    let publication = Publication {
        data: effect.data,
        info: Some(effect.info),
        tags: terms.map(|terms| terms.tags.clone()).unwrap_or_default(),
        version: terms.map_or(0, |terms| terms.version),
        ..Publication::default()
    };
    let publish = gyre_engine::Publish {
        publication: &publication,
        options,
    };
    let published = node.engine.broker.publish(&effect.channel, publish).await;
    Completion::Done(
        published
            .map(|_position| ())
            .map_err(|error| failure(&error, "publish")),
    )
}

fn options<'t>(
    node: &Node,
    channel: &ChannelName,
    terms: Option<&'t PublishTerms>,
) -> Option<PublishOptions<'t>> {
    let live = node.live.load();
    let rules = live.settings.policy.resolve(channel.as_str()).ok()?;
    Some(PublishOptions {
        retention: kept(rules).filter(|_| !terms.is_some_and(|terms| terms.skips_history)),
        with_previous: rules.options().delta_publish || terms.is_some_and(|terms| terms.delta),
        idempotency_key: terms.map_or("", |terms| &terms.idempotency_key),
        version_epoch: terms.map_or("", |terms| &terms.version_epoch),
        ..PublishOptions::default()
    })
}

pub(super) async fn join(node: &Node, channel: &ChannelName, info: &Arc<ClientInfo>) -> Completion {
    node.metrics.messages_sent.join.inc();
    let published = node.engine.broker.publish_join(channel, info).await;
    Completion::Done(published.map_err(|error| failure(&error, "join")))
}

/// Puts what is new about a client into a channel's presence.
pub(super) async fn show(
    node: &Node,
    handle: &Handle,
    channel: &ChannelName,
    info: Arc<ClientInfo>,
) -> Completion {
    node.metrics.actions.add_presence.inc();
    let presence = &node.engine.presence;
    let shown = presence.add(channel, &handle.client, info).await;
    Completion::Done(shown.map_err(|error| failure(&error, "presence add")))
}
