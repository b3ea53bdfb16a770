//! Refresh of the connection.

use std::collections::BTreeSet;
use std::sync::Arc;

use gyre_policy::Source;
use gyre_protocol::ReplyBody;
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::{ClientInfo, RefreshResult};
use gyre_types::Now;

use crate::commands::connect::{advertised, capped, set_expiry};
use crate::effect::{ConnectionGrant, Effect, RefreshBy, TokenRefusal};
use crate::observe::Method;
use crate::opening::Asked;
use crate::session::{Pending, Session};

pub(crate) fn handle(session: &mut Session, asked: Asked, token: String, now: Now) {
    if token.is_empty() || session.identity.refresh_by == RefreshBy::Server {
        return session.close(Disconnect::BAD_REQUEST, now);
    }
    session.issue(
        Effect::VerifyConnectionToken(token),
        Pending::Refresh(asked),
    );
}

pub(crate) fn verified(
    session: &mut Session,
    asked: Asked,
    outcome: Result<Box<ConnectionGrant>, TokenRefusal>,
    now: Now,
) {
    let grant = match outcome {
        Ok(grant) => *grant,
        Err(TokenRefusal::Expired) => return session.close(Disconnect::EXPIRED, now),
        Err(TokenRefusal::Invalid) => return session.close(Disconnect::INVALID_TOKEN, now),
        Err(TokenRefusal::Revoked) => return session.close(Disconnect::STATE_INVALIDATED, now),
        Err(TokenRefusal::Blocked) => return session.close(Disconnect::PERMISSION_DENIED, now),
        Err(TokenRefusal::Unavailable) => {
            return session.answer(asked, Method::Refresh, Err(Error::INTERNAL), now);
        }
    };
    if grant.user != session.identity.user {
        return session.close(Disconnect::INVALID_TOKEN, now);
    }
    for channel in &grant.channels {
        if let Err(error) = session.settings.policy.resolve(channel) {
            return session.answer(asked, Method::Refresh, Err(error), now);
        }
    }
    if has_other_channels(session, &grant.channels) {
        return session.close(Disconnect::INSUFFICIENT_STATE, now);
    }
    if grant.expire_at.is_some_and(|at| at < now.unix_seconds()) {
        return session.answer(asked, Method::Refresh, Err(Error::EXPIRED), now);
    }
    let expire_at = grant.expire_at.map(|at| capped(at, now));
    take(session, grant);
    set_expiry(session, expire_at, now);
    let (expires, ttl) = advertised(session, now);
    let result = RefreshResult {
        expires,
        ttl,
        ..RefreshResult::default()
    };
    session.answer(asked, Method::Refresh, Ok(ReplyBody::Refresh(result)), now);
}

/// Whether the token subscribes to other channels than the one before it did.
fn has_other_channels(session: &Session, channels: &[String]) -> bool {
    let granted: BTreeSet<&str> = channels.iter().map(String::as_str).collect();
    let held: BTreeSet<&str> = session
        .table
        .iter()
        .filter(|(_, subscription)| subscription.source == Source::ConnectionToken)
        .map(|(_, subscription)| subscription.channel.as_str())
        .collect();
    granted != held
}

fn take(session: &mut Session, grant: ConnectionGrant) {
    let identity = &mut session.identity;
    identity.token = grant.token;
    if !grant.meta.is_empty() {
        identity.meta = grant.meta;
    }
    if !grant.info.is_empty() {
        replace_info(session, &grant.info);
    }
}

/// Others see the new info from now on.
pub(crate) fn replace_info(session: &mut Session, conn_info: &bytes::Bytes) {
    let identity = &mut session.identity;
    identity.info = Arc::new(ClientInfo {
        conn_info: conn_info.clone(),
        ..ClientInfo::clone(&identity.info)
    });
    let shared = Arc::clone(&identity.info);
    for id in session.table.ids() {
        let Some(subscription) = session.table.get_mut(id) else {
            continue;
        };
        let Some(info) = &mut subscription.info else {
            continue;
        };
        *info = if info.chan_info.is_empty() {
            Arc::clone(&shared)
        } else {
            Arc::new(ClientInfo {
                conn_info: conn_info.clone(),
                ..ClientInfo::clone(info)
            })
        };
    }
}
