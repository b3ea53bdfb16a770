use std::sync::Arc;

use gyre_auth::{Capability, ConnectionClaims, KeyFetch, SubscriptionClaims, TokenError};
use gyre_policy::{Capabilities, Right, Rights};
use gyre_session::{
    Completion, ConnectionGrant, SubscriptionGrant, Terms, TokenMark, TokenRefusal,
};
use gyre_types::{Ticket, UnixSeconds};

use super::Started;
use crate::node::Node;

/// Verifies a token of a refresh: at once, if its key is here.
pub(super) fn connection(node: &Arc<Node>, ticket: Ticket, token: String) -> Started {
    let verifier = Arc::clone(&node.live.load().verifier);
    match verifier.verify_connection(&token, now(node)) {
        Err(TokenError::Pending(fetch)) => after(node, ticket, fetch, move |node| {
            let settled = verifier.verify_connection_settled(&token, now(node));
            refreshed(node, settled)
        }),
        verified => Started::Now(refreshed(node, verified)),
    }
}

/// Verifies a token of a subscription: at once, if its key is here.
pub(super) fn subscription(node: &Arc<Node>, ticket: Ticket, token: String) -> Started {
    let verifier = Arc::clone(&node.live.load().verifier);
    match verifier.verify_subscription(&token, now(node)) {
        Err(TokenError::Pending(fetch)) => after(node, ticket, fetch, move |node| {
            let settled = verifier.verify_subscription_settled(&token, now(node));
            subscribed(settled)
        }),
        verified => Started::Now(subscribed(verified)),
    }
}

/// Completes when a key set was fetched, whatever came of it.
pub(super) fn after(
    node: &Arc<Node>,
    ticket: Ticket,
    fetch: KeyFetch,
    complete: impl FnOnce(&Node) -> Completion + Send + 'static,
) -> Started {
    let node = Arc::clone(node);
    Started::Later(Box::pin(async move {
        fetch.await;
        (ticket, complete(&node))
    }))
}

/// The second that tokens are verified at.
pub(super) fn now(node: &Node) -> UnixSeconds {
    node.clock.now().unix_seconds()
}

fn refreshed(node: &Node, verified: Result<ConnectionClaims, TokenError>) -> Completion {
    let outlives = node.live.load().options.insecure;
    Completion::ConnectionToken(
        verified
            .map_err(|error| refusal(&error))
            .and_then(|claims| {
                Ok(Box::new(ConnectionGrant {
                    capabilities: capabilities(&claims.caps)?,
                    user: claims.user,
                    info: claims.info,
                    meta: claims.meta,
                    expire_at: claims.expire_at.filter(|_| !outlives),
                    channels: claims.subs.into_keys().collect(),
                    token: TokenMark::new(&claims.token_id, claims.issued_at),
                }))
            }),
    )
}

/// What a token lets its connection do beyond what the namespaces let everybody.
pub(super) fn capabilities(
    claimed: &[Capability],
) -> Result<Option<Box<Capabilities>>, TokenRefusal> {
    match Capabilities::new(claimed) {
        Ok(capabilities) => Ok(capabilities.map(Box::new)),
        Err(error) => {
            tracing::debug!(%error, "token refused");
            Err(TokenRefusal::Invalid)
        }
    }
}

fn subscribed(verified: Result<SubscriptionClaims, TokenError>) -> Completion {
    Completion::SubscriptionToken(
        verified
            .map(|claims| {
                let allowed = claims.allow.iter().map(String::as_str);
                Box::new(SubscriptionGrant {
                    user: claims.user.as_str().to_owned(),
                    client: claims.client,
                    channel: claims.channel,
                    terms: Terms {
                        info: claims.subscription.info,
                        data: claims.subscription.data,
                        expire_at: claims.expire_at,
                        overrides: claims.subscription.over,
                        rights: Rights::named(allowed).without(Right::Subscribe),
                        ..Terms::default()
                    },
                    token: TokenMark::new(&claims.token_id, claims.issued_at),
                })
            })
            .map_err(|error| refusal(&error)),
    )
}

/// The reason goes to the log, for clients see codes only.
pub(super) fn refusal(error: &TokenError) -> TokenRefusal {
    tracing::debug!(
        error = error as &(dyn std::error::Error + 'static),
        "token refused"
    );
    match error {
        TokenError::Expired => TokenRefusal::Expired,
        TokenError::Invalid { .. } => TokenRefusal::Invalid,
        TokenError::Pending(_) | TokenError::Unavailable => TokenRefusal::Unavailable,
    }
}
