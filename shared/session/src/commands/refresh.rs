//! Refresh of the connection.

use std::collections::BTreeSet;
use std::sync::Arc;

use gyre_policy::{Capabilities, Right, Source};
use gyre_protocol::ReplyBody;
use gyre_protocol::codes::{Disconnect, Error, Unsubscribe};
use gyre_protocol::messages::{ClientInfo, RefreshResult};
use gyre_types::{Now, SubscriptionId, UnixSeconds, limits};

use crate::commands::connect::{advertised, capped, set_expiry};
use crate::effect::{
    ConnectionGrant, Effect, Question, RefreshBy, Refreshed, TokenRefusal, Unrefreshed,
};
use crate::observe::Method;
use crate::session::{Pending, Session};
use crate::subscription::ending::End;
use crate::subscription::opening::Asked;

pub(crate) fn handle(session: &mut Session, asked: Asked, token: String, now: Now) {
    if token.is_empty() || session.identity.refresh_by == RefreshBy::Server {
        return session.close(Disconnect::BAD_REQUEST, now);
    }
    session.issue(
        Effect::VerifyConnectionToken(token),
        Pending::Refresh(asked),
    );
}

/// The connection has expired: who was to prolong it has not, or is asked now.
pub(crate) fn expired(session: &mut Session, now: Now) {
    match session.identity.refresh_by {
        RefreshBy::Client => session.close(Disconnect::EXPIRED, now),
        RefreshBy::Server => {
            session.expire_due = None;
            session.issue(Effect::Ask(Question::Refresh), Pending::AskRefresh);
        }
    }
}

/// The backend was asked to prolong the connection.
pub(crate) fn asked(session: &mut Session, outcome: Result<Box<Refreshed>, Unrefreshed>, now: Now) {
    match outcome {
        Ok(refreshed) if refreshed.expire_at > now.unix_seconds() => {
            prolong(session, *refreshed, now);
        }
        Ok(_) | Err(Unrefreshed::Expired) => session.close(Disconnect::EXPIRED, now),
        Err(Unrefreshed::Malformed) => session.close(Disconnect::SERVER_ERROR, now),
        Err(Unrefreshed::Unanswered) => set_expiry(session, Some(extended(now)), now),
    }
}

/// Until when what has expired lives on where the backend does not answer.
pub(crate) fn extended(now: Now) -> UnixSeconds {
    let extension = limits::UNREFRESHED_EXTENSION_SECONDS;
    UnixSeconds(now.unix_seconds().0.saturating_add(extension))
}

fn prolong(session: &mut Session, refreshed: Refreshed, now: Now) {
    if !refreshed.meta.is_empty() {
        session.identity.meta = refreshed.meta;
    }
    if !refreshed.info.is_empty() {
        replace_info(session, &refreshed.info);
    }
    replace_capabilities(session, refreshed.capabilities);
    set_expiry(session, Some(capped(refreshed.expire_at, now)), now);
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
    replace_capabilities(session, grant.capabilities);
}

/// The client may do something else from now on; what it subscribed to by that alone may end.
fn replace_capabilities(session: &mut Session, capabilities: Option<Box<Capabilities>>) {
    let allows = |channel: &str| {
        capabilities
            .as_deref()
            .is_some_and(|capabilities| capabilities.rights(channel).has(Right::Subscribe))
    };
    let ended: Vec<SubscriptionId> = session
        .table
        .iter()
        .filter(|(_, subscription)| subscription.source == Source::ConnectionCapability)
        .filter(|(_, subscription)| !allows(subscription.channel.as_str()))
        .map(|(id, _)| id)
        .collect();
    session.identity.capabilities = capabilities;
    for id in ended {
        let end = End::Server {
            unsubscribe: Unsubscribe::SERVER,
            control: None,
        };
        session.end_subscription(id, end);
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
        session.show(id);
    }
}
