use std::sync::Arc;

use gyre_auth::{ConnectionClaims, TokenError};
use gyre_policy::Source;
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::ConnectRequest;
use gyre_session::{
    Completion, GrantedSubscription, Grants, Refusal, Session, Terms, TokenMark, TokenRefusal,
};
use gyre_types::{Ticket, UserId};

use super::ask::Asking;
use super::{Started, connect, tokens};
use crate::connection::Context;
use crate::handle::Handle;
use crate::node::Node;

/// Says who connects: by token, else by the backend, else by a header that a proxy in front sets, else
/// nobody.
pub(super) fn run(
    node: &Arc<Node>,
    session: &Session,
    context: &Context,
    ticket: Ticket,
    request: Box<ConnectRequest>,
) -> Started {
    if request.token.is_empty() {
        let otherwise = without_token(node, context);
        let Some(proxy) = node.backends.connect() else {
            let outcome = otherwise.map(Box::new);
            return Started::Now(Completion::Authenticated(request, outcome));
        };
        let (proxy, asking) = (Arc::clone(proxy), Asking::new(node, session, context));
        return Started::Asking(Box::pin(async move {
            let outcome = match connect::ask(&asking, &proxy, &request).await {
                Ok(None) => otherwise,
                Ok(Some(grants)) => Ok(grants),
                Err(refusal) => Err(refusal),
            };
            let completion = Completion::Authenticated(request, outcome.map(Box::new));
            (ticket, completion)
        }));
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
    let mut claims = verified.map_err(|error| refused(tokens::refusal(&error)))?;
    if claims.user.is_empty() && node.live.load().options.refuses_anonymous_tokens {
        return Err(Refusal::Disconnect(Disconnect::PERMISSION_DENIED));
    }
    let capabilities = tokens::capabilities(&claims.caps).map_err(refused)?;
    handle.label(std::mem::take(&mut claims.labels));
    Ok(Grants {
        capabilities,
        ..grants(node, claims)
    })
}

const fn refused(refusal: TokenRefusal) -> Refusal {
    match refusal {
        TokenRefusal::Expired | TokenRefusal::Revoked => Refusal::Error(Error::TOKEN_EXPIRED),
        TokenRefusal::Invalid => Refusal::Disconnect(Disconnect::INVALID_TOKEN),
        TokenRefusal::Blocked => Refusal::Disconnect(Disconnect::PERMISSION_DENIED),
        TokenRefusal::Unavailable => Refusal::Error(Error::INTERNAL),
    }
}

fn grants(node: &Node, claims: ConnectionClaims) -> Grants {
    let subscriptions = claims
        .subs
        .into_iter()
        .map(|(channel, subscription)| GrantedSubscription {
            channel,
            source: Source::ConnectionToken,
            terms: Terms {
                info: subscription.info,
                data: subscription.data,
                overrides: subscription.over,
                ..Terms::default()
            },
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
        refresh_by: node.refresh_by(),
        subscriptions,
        may_ask: true,
        capabilities: None,
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
