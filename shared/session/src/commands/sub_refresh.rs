//! Refresh of one subscription.

use std::sync::Arc;

use bytes::Bytes;
use gyre_protocol::ReplyBody;
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::{ClientInfo, SubRefreshRequest, SubRefreshResult};
use gyre_types::{Now, SubscriptionId, UnixSeconds};

use crate::commands::connect::{capped, ttl};
use crate::commands::refresh::extended;
use crate::commands::subscribe::is_for;
use crate::effect::{
    Effect, Question, RefreshBy, RefreshedSubscription, SubscriptionGrant, TokenRefusal,
    Unrefreshed,
};
use crate::observe::Method;
use crate::session::{Pending, Session};
use crate::subscription::Rare;
use crate::subscription::opening::Asked;

pub(crate) fn handle(session: &mut Session, asked: Asked, request: SubRefreshRequest, now: Now) {
    if request.channel.is_empty() {
        return session.close(Disconnect::BAD_REQUEST, now);
    }
    let live = session.table.find(&request.channel).filter(|id| {
        session
            .table
            .get(*id)
            .is_some_and(|subscription| subscription.is_live())
    });
    let Some(id) = live else {
        let error = Error::PERMISSION_DENIED;
        return session.answer(asked, Method::SubRefresh, Err(error), now);
    };
    let refresh_by = session
        .table
        .get(id)
        .map_or(RefreshBy::Client, |subscription| subscription.refresh_by());
    if refresh_by == RefreshBy::Server {
        return session.close(Disconnect::BAD_REQUEST, now);
    }
    if request.token.is_empty() {
        return session.answer(asked, Method::SubRefresh, Err(Error::BAD_REQUEST), now);
    }
    session.issue(
        Effect::VerifySubscriptionToken(request.token),
        Pending::RefreshToken(id, asked),
    );
}

pub(crate) fn verified(
    session: &mut Session,
    id: SubscriptionId,
    asked: Asked,
    outcome: Result<Box<SubscriptionGrant>, TokenRefusal>,
    now: Now,
) {
    let grant = match outcome {
        Ok(grant) => *grant,
        Err(TokenRefusal::Expired) => return session.close(Disconnect::SUBSCRIPTION_EXPIRED, now),
        Err(TokenRefusal::Invalid) => return session.close(Disconnect::INVALID_TOKEN, now),
        Err(TokenRefusal::Revoked) => return session.close(Disconnect::STATE_INVALIDATED, now),
        Err(TokenRefusal::Blocked) => return session.close(Disconnect::PERMISSION_DENIED, now),
        Err(TokenRefusal::Unavailable) => {
            return session.answer(asked, Method::SubRefresh, Err(Error::INTERNAL), now);
        }
    };
    let found = session.table.get(id);
    let Some(subscription) = found.filter(|found| found.is_live()) else {
        let error = Error::PERMISSION_DENIED; // Left meanwhile.
        return session.answer(asked, Method::SubRefresh, Err(error), now);
    };
    if !is_for(session, &grant, subscription.channel.as_str()) {
        return session.close(Disconnect::INVALID_TOKEN, now);
    }
    if grant
        .terms
        .expire_at
        .is_some_and(|at| at < now.unix_seconds())
    {
        return session.answer(asked, Method::SubRefresh, Err(Error::EXPIRED), now);
    }
    let expire_at = grant.terms.expire_at.map(|at| capped(at, now));
    take(session, id, grant, now);
    let result = SubRefreshResult {
        expires: expire_at.is_some(),
        ttl: expire_at.map_or(0, |at| ttl(at, now)),
        ..SubRefreshResult::default()
    };
    let body = ReplyBody::SubRefresh(Box::new(result));
    session.answer(asked, Method::SubRefresh, Ok(body), now);
}

/// A subscription has expired that the backend may prolong.
pub(crate) fn ask(session: &mut Session, id: SubscriptionId) {
    let Some(subscription) = session.table.get_mut(id) else {
        return;
    };
    let channel = subscription.channel.clone();
    let rare: &mut Rare = subscription.rare.get_or_insert_default();
    if !std::mem::replace(&mut rare.is_asking, true) {
        let effect = Effect::Ask(Question::SubscriptionRefresh { channel });
        session.issue(effect, Pending::AskSubscriptionRefresh(id));
    }
}

/// The backend was asked to prolong a subscription.
pub(crate) fn asked(
    session: &mut Session,
    id: SubscriptionId,
    outcome: Result<Box<RefreshedSubscription>, Unrefreshed>,
    now: Now,
) {
    let found = session.table.get_mut(id);
    let Some(subscription) = found.filter(|found| found.is_live() && !found.is_ending()) else {
        return; // Left meanwhile.
    };
    let is_server_side = subscription.options.is_server_side;
    if let Some(rare) = &mut subscription.rare {
        rare.is_asking = false;
    }
    let is_past = |at: UnixSeconds| at <= now.unix_seconds();
    match outcome {
        Ok(refreshed) if !refreshed.expire_at.is_some_and(is_past) => {
            let RefreshedSubscription { expire_at, info } = *refreshed;
            prolong(session, id, expire_at, info, now);
        }
        Err(Unrefreshed::Unanswered) => {
            prolong(session, id, Some(extended(now)), Bytes::new(), now);
        }
        Ok(_) | Err(Unrefreshed::Expired | Unrefreshed::Malformed) => {
            session.subscription_expired(id, is_server_side, now);
        }
    }
}

fn take(session: &mut Session, id: SubscriptionId, grant: SubscriptionGrant, now: Now) {
    let Some(subscription) = session.table.get_mut(id) else {
        return;
    };
    let rare: &mut Rare = subscription.rare.get_or_insert_default();
    rare.token = grant.token;
    rare.rights = grant.terms.rights;
    prolong(session, id, grant.terms.expire_at, grant.terms.info, now);
}

/// Gives a subscription another end, and others what is new about the client, if anything is.
fn prolong(
    session: &mut Session,
    id: SubscriptionId,
    expire_at: Option<UnixSeconds>,
    chan_info: Bytes,
    now: Now,
) {
    let Some(subscription) = session.table.get_mut(id) else {
        return;
    };
    let rare: &mut Rare = subscription.rare.get_or_insert_default();
    rare.expire_at = expire_at.map(|at| capped(at, now));
    if !chan_info.is_empty() {
        rare.chan_info = chan_info.clone();
        if let Some(info) = &mut subscription.info {
            *info = Arc::new(ClientInfo {
                chan_info,
                ..ClientInfo::clone(info)
            });
        }
        session.show(id);
    }
    session.watch(id, now);
}
