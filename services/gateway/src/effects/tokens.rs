use std::sync::Arc;

use gyre_auth::{ConnectionClaims, KeyFetch, SubscriptionClaims, TokenError};
use gyre_session::{Completion, ConnectionGrant, SubscriptionGrant, TokenMark, TokenRefusal};
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
            .map(|claims| {
                Box::new(ConnectionGrant {
                    user: claims.user,
                    info: claims.info,
                    meta: claims.meta,
                    expire_at: claims.expire_at.filter(|_| !outlives),
                    channels: claims.subs.into_keys().collect(),
                    token: TokenMark::new(&claims.token_id, claims.issued_at),
                })
            })
            .map_err(|error| refusal(&error)),
    )
}

fn subscribed(verified: Result<SubscriptionClaims, TokenError>) -> Completion {
    Completion::SubscriptionToken(
        verified
            .map(|claims| {
                Box::new(SubscriptionGrant {
                    user: claims.user.as_str().to_owned(),
                    client: claims.client,
                    channel: claims.channel,
                    info: claims.subscription.info,
                    data: claims.subscription.data,
                    expire_at: claims.expire_at,
                    overrides: claims.subscription.over,
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
