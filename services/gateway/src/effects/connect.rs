use std::collections::BTreeMap;
use std::sync::Arc;

use gyre_backend::Proxy;
use gyre_policy::{Capabilities, Rights, Source};
use gyre_proto::proxy as pb;
use gyre_protocol::codes::Error;
use gyre_protocol::messages::ConnectRequest;
use gyre_session::{GrantedSubscription, Grants, Refusal, Terms};
use gyre_types::UserId;

use super::ask::{Asking, capabilities_of, end_of, filter_of, override_of, result};

/// Asks the backend who connects; `None`: it says nothing of that.
pub(super) async fn ask(
    asking: &Asking,
    proxy: &Arc<Proxy>,
    request: &ConnectRequest,
) -> Result<Option<Grants>, Refusal> {
    let question = pb::ConnectRequest {
        client: asking.client(),
        transport: asking.transport(),
        protocol: asking.protocol(),
        data: request.data.clone(),
        name: request.name.clone(),
        version: request.version.clone(),
        channels: request.subs.keys().cloned().collect(),
        ..pb::ConnectRequest::default()
    };
    let Some(mut said) = result(proxy.connect(question, &asking.brought).await)? else {
        return Ok(None);
    };
    asking.handle.label(std::mem::take(&mut said.labels));
    grants(asking, said).map(Some)
}

fn grants(asking: &Asking, said: pb::ConnectResult) -> Result<Grants, Refusal> {
    let capabilities = Capabilities::new(&capabilities_of(said.caps));
    let capabilities = capabilities.map_err(|error| {
        tracing::warn!(%error, "a backend's answer to connect is not taken");
        Refusal::Error(Error::INTERNAL)
    })?;
    Ok(Grants {
        user: UserId::new(&said.user),
        info: said.info,
        meta: said.meta,
        data: said.data,
        expire_at: end_of(said.expire_at),
        refresh_by: asking.node.refresh_by(),
        subscriptions: subscriptions(said.subs, said.channels),
        may_ask: false,
        capabilities: capabilities.map(Box::new),
        token: None,
    })
}

/// What is said of a channel counts before that it is only named.
fn subscriptions(
    subs: BTreeMap<String, pb::SubscribeOptions>,
    channels: Vec<String>,
) -> Vec<GrantedSubscription> {
    let named = channels
        .into_iter()
        .filter(|channel| !subs.contains_key(channel))
        .map(|channel| (channel, Terms::default()))
        .collect::<Vec<_>>();
    subs.into_iter()
        .map(|(channel, options)| (channel, terms(options)))
        .chain(named)
        .map(|(channel, terms)| GrantedSubscription {
            channel,
            source: Source::ConnectProxy,
            terms,
        })
        .collect()
}

fn terms(options: pb::SubscribeOptions) -> Terms {
    Terms {
        info: options.info,
        data: options.data,
        expire_at: end_of(options.expire_at),
        overrides: override_of(options.r#override),
        rights: Rights::NONE,
        tags_filter: options
            .server_tags_filter
            .map(|node| Box::new(filter_of(node))),
        recovers_cache: options.cache_recover,
    }
}
