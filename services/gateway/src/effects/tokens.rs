use gyre_auth::{Override, TokenError};
use gyre_session::{Completion, ConnectionGrant, SubscriptionGrant, TokenRefusal};

use crate::node::Node;

pub(super) fn connection(node: &Node, token: &str) -> Completion {
    let now = node.clock.now().unix_seconds();
    let outcome = node.verifier.verify_connection(token, now);
    Completion::ConnectionToken(
        outcome
            .map(|claims| {
                Box::new(ConnectionGrant {
                    user: claims.user,
                    info: claims.info,
                    meta: claims.meta,
                    expire_at: claims.expire_at.filter(|_| !node.options.insecure),
                    channels: claims.subs.into_keys().collect(),
                })
            })
            .map_err(|error| refusal(&error)),
    )
}

pub(super) fn subscription(node: &Node, token: &str) -> Completion {
    let now = node.clock.now().unix_seconds();
    let outcome = node.verifier.verify_subscription(token, now);
    Completion::SubscriptionToken(
        outcome
            .map(|claims| {
                Box::new(SubscriptionGrant {
                    user: claims.user.as_str().to_owned(),
                    client: claims.client,
                    channel: claims.channel,
                    info: claims.subscription.info,
                    data: claims.subscription.data,
                    expire_at: claims.expire_at,
                    overrides: overrides(claims.subscription.over),
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
    }
}

pub(super) const fn overrides(over: Override) -> gyre_policy::Override {
    gyre_policy::Override {
        presence: over.presence,
        join_leave: over.join_leave,
        force_push_join_leave: over.force_push_join_leave,
        force_positioning: over.force_positioning,
        force_recovery: over.force_recovery,
    }
}
