use gyre_auth::ConnectionClaims;
use gyre_policy::Source;
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::ConnectRequest;
use gyre_session::{Completion, GrantedSubscription, Grants, RefreshBy, Refusal, TokenRefusal};
use gyre_types::UserId;

use super::tokens;
use crate::connection::Context;
use crate::node::Node;

/// Says who connects: by token, else by a header that a proxy in front sets, else nobody.
pub(super) fn run(node: &Node, context: &Context, request: Box<ConnectRequest>) -> Completion {
    let outcome = if request.token.is_empty() {
        without_token(node, context)
    } else {
        with_token(node, &request.token)
    };
    Completion::Authenticated(request, outcome.map(Box::new))
}

fn with_token(node: &Node, token: &str) -> Result<Grants, Refusal> {
    let now = node.clock.now().unix_seconds();
    let claims =
        node.verifier
            .verify_connection(token, now)
            .map_err(|error| match tokens::refusal(&error) {
                TokenRefusal::Expired => Refusal::Error(Error::TOKEN_EXPIRED),
                TokenRefusal::Invalid => Refusal::Disconnect(Disconnect::INVALID_TOKEN),
            })?;
    if claims.user.is_empty() && node.options.refuses_anonymous_tokens {
        return Err(Refusal::Disconnect(Disconnect::PERMISSION_DENIED));
    }
    Ok(grants(node, claims))
}

fn grants(node: &Node, claims: ConnectionClaims) -> Grants {
    let subscriptions = claims
        .subs
        .into_iter()
        .map(|(channel, subscription)| GrantedSubscription {
            channel,
            source: Source::ConnectionToken,
            info: subscription.info,
            data: subscription.data,
            expire_at: None,
            overrides: tokens::overrides(subscription.over),
        })
        .collect();
    Grants {
        user: claims.user,
        info: claims.info,
        meta: claims.meta,
        data: bytes::Bytes::new(),
        // In insecure mode a connection outlives its token.
        expire_at: claims.expire_at.filter(|_| !node.options.insecure),
        refresh_by: RefreshBy::Client,
        subscriptions,
        may_ask: true,
    }
}

fn without_token(node: &Node, context: &Context) -> Result<Grants, Refusal> {
    let user = if node.options.allows_anonymous || node.options.insecure {
        UserId::default()
    } else {
        let named = context.user_from_header.as_deref().map(UserId::new);
        named.ok_or(Refusal::Disconnect(Disconnect::BAD_REQUEST))?
    };
    Ok(Grants {
        user,
        may_ask: true,
        ..Grants::default()
    })
}
