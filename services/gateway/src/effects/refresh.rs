use gyre_backend::{CallError, Event};
use gyre_policy::Capabilities;
use gyre_proto::proxy as pb;
use gyre_session::{Completion, Refreshed, RefreshedSubscription, Unrefreshed};
use gyre_types::{ChannelName, UnixSeconds};

use super::ask::{Asking, capabilities_of, end_of};

/// Asks whether a connection may go on.
pub(super) async fn connection(asking: &Asking) -> Completion {
    let Some(proxy) = asking.node.backends.refresh() else {
        return Completion::Refreshed(Err(Unrefreshed::Expired));
    };
    let question = pb::RefreshRequest {
        client: asking.client(),
        transport: asking.transport(),
        protocol: asking.protocol(),
        user: asking.user(),
        meta: asking.meta.clone(),
        labels: asking.labels(),
        ..pb::RefreshRequest::default()
    };
    let said = proxy.refresh(question, &asking.brought).await;
    Completion::Refreshed(match said {
        Ok(Some(said)) if !said.expired => refreshed(said).map(Box::new),
        Ok(_) => Err(Unrefreshed::Expired),
        Err(error) => Err(unrefreshed(&error)),
    })
}

/// Asks whether a subscription may go on.
pub(super) async fn subscription(asking: &Asking, channel: &ChannelName) -> Completion {
    let proxy = asking.proxy_of(channel.as_str(), Event::SubRefresh, |options| {
        &options.sub_refresh_proxy_name
    });
    let Some(proxy) = proxy else {
        return Completion::SubscriptionRefreshed(Err(Unrefreshed::Expired));
    };
    let question = pb::SubRefreshRequest {
        client: asking.client(),
        transport: asking.transport(),
        protocol: asking.protocol(),
        user: asking.user(),
        channel: channel.as_str().to_owned(),
        meta: asking.meta.clone(),
        labels: asking.labels(),
        ..pb::SubRefreshRequest::default()
    };
    let said = proxy.sub_refresh(question, &asking.brought).await;
    Completion::SubscriptionRefreshed(match said {
        Ok(Some(said)) if !said.expired => Ok(Box::new(RefreshedSubscription {
            expire_at: end_of(said.expire_at),
            info: said.info,
        })),
        Ok(_) => Err(Unrefreshed::Expired),
        Err(error) => Err(unrefreshed(&error)),
    })
}

fn refreshed(said: pb::RefreshResult) -> Result<Refreshed, Unrefreshed> {
    let capabilities = Capabilities::new(&capabilities_of(said.caps));
    let capabilities = capabilities.map_err(|error| {
        tracing::warn!(%error, "a backend's answer to refresh is not taken");
        Unrefreshed::Malformed
    })?;
    Ok(Refreshed {
        expire_at: UnixSeconds(said.expire_at),
        info: said.info,
        meta: said.meta,
        capabilities: capabilities.map(Box::new),
    })
}

/// An answer that cannot be is one; anything else is none.
const fn unrefreshed(error: &CallError) -> Unrefreshed {
    if matches!(error, CallError::Base64(_)) {
        return Unrefreshed::Malformed;
    }
    Unrefreshed::Unanswered
}
