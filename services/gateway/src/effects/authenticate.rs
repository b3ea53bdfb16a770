use std::sync::Arc;

use gyre_auth::{ConnectionClaims, TokenError};
use gyre_policy::Source;
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::ConnectRequest;
use gyre_session::{
    Completion, GrantedSubscription, Grants, RefreshBy, Refusal, TokenMark, TokenRefusal,
};
use gyre_types::{Ticket, UserId};

use super::{Started, tokens};
use crate::connection::Context;
use crate::handle::Handle;
use crate::node::Node;

/// Says who connects: by token, else by a header that a proxy in front sets, else nobody.
pub(super) fn run(
    node: &Arc<Node>,
    context: &Context,
    ticket: Ticket,
    request: Box<ConnectRequest>,
) -> Started {
    if request.token.is_empty() {
        let outcome = without_token(node, context);
        return Started::Now(Completion::Authenticated(request, outcome.map(Box::new)));
    }
    let verifier = Arc::clone(&node.live.load().verifier);
    let verified = verifier.verify_connection(&request.token, tokens::now(node));
    let handle = Arc::clone(&context.handle);
    match verified {
        Err(TokenError::Pending(fetch)) => tokens::after(node, ticket, fetch, move |node| {
            let verified = verifier.verify_connection_settled(&request.token, tokens::now(node));
            completion(node, &handle, request, verified)
        }),
        verified => Started::Now(completion(node, &handle, request, verified)),
    }
}

fn completion(
    node: &Node,
    handle: &Handle,
    request: Box<ConnectRequest>,
    verified: Result<ConnectionClaims, TokenError>,
) -> Completion {
    let outcome = with_token(node, handle, verified);
    Completion::Authenticated(request, outcome.map(Box::new))
}

fn with_token(
    node: &Node,
    handle: &Handle,
    verified: Result<ConnectionClaims, TokenError>,
) -> Result<Grants, Refusal> {
    let mut claims = verified.map_err(|error| match tokens::refusal(&error) {
        TokenRefusal::Expired | TokenRefusal::Revoked => Refusal::Error(Error::TOKEN_EXPIRED),
        TokenRefusal::Invalid => Refusal::Disconnect(Disconnect::INVALID_TOKEN),
        TokenRefusal::Blocked => Refusal::Disconnect(Disconnect::PERMISSION_DENIED),
        TokenRefusal::Unavailable => Refusal::Error(Error::INTERNAL),
    })?;
    if claims.user.is_empty() && node.live.load().options.refuses_anonymous_tokens {
        return Err(Refusal::Disconnect(Disconnect::PERMISSION_DENIED));
    }
    handle.label(std::mem::take(&mut claims.labels));
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
            overrides: subscription.over,
        })
        .collect();
    Grants {
        user: claims.user,
        info: claims.info,
        meta: claims.meta,
        data: bytes::Bytes::new(),
        // In insecure mode a connection outlives its token.
        expire_at: claims
            .expire_at
            .filter(|_| !node.live.load().options.insecure),
        refresh_by: RefreshBy::Client,
        subscriptions,
        may_ask: true,
        token: TokenMark::new(&claims.token_id, claims.issued_at),
    }
}

fn without_token(node: &Node, context: &Context) -> Result<Grants, Refusal> {
    let user = if node.live.load().options.allows_anonymous || node.live.load().options.insecure {
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
