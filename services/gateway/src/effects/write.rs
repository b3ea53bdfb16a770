use std::sync::Arc;

use gyre_engine::{PublishOptions, Retention};
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_session::{Completion, Failure, Publish};
use gyre_types::ChannelName;

use super::failure;
use crate::node::Node;

pub(super) async fn publish(node: &Node, effect: Publish) -> Completion {
    node.metrics.messages_sent.publication.inc();
    let Some(options) = options(node, &effect.channel) else {
        return Completion::Done(Err(Failure::Internal)); // The session has just resolved it.
    };
    let publication = Publication {
        data: effect.data,
        info: Some(effect.info),
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

fn options(node: &Node, channel: &ChannelName) -> Option<PublishOptions<'static>> {
    let live = node.live.load();
    let rules = live.settings.policy.resolve(channel.as_str()).ok()?;
    Some(PublishOptions {
        retention: rules.retention().map(|kept| Retention {
            size: kept.size,
            ttl: kept.ttl,
            meta_ttl: kept.meta_ttl,
        }),
        with_previous: rules.options().delta_publish,
        ..PublishOptions::default()
    })
}

pub(super) async fn join(node: &Node, channel: &ChannelName, info: &Arc<ClientInfo>) -> Completion {
    node.metrics.messages_sent.join.inc();
    let published = node.engine.broker.publish_join(channel, info).await;
    Completion::Done(published.map_err(|error| failure(&error, "join")))
}
