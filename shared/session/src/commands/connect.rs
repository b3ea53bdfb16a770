//! Connect: authenticate, register, enter the server-side subscriptions, answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use gyre_policy::Source;
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::{
    ClientInfo, ConnectPush, ConnectRequest, ConnectResult, SubscribeRequest, SubscribeResult,
};
use gyre_protocol::{Envelope, PushBody, ReplyBody};
use gyre_types::{ChannelName, Now, UnixSeconds, limits};

use crate::commands::subscribe;
use crate::control;
use crate::effect::{Effect, GrantedSubscription, Grants, RefreshBy, Refusal, Register, Terms};
use crate::observe::Method;
use crate::session::phase::{Connecting, Phase};
use crate::session::{Pending, Session};
use crate::subscription::entered;
use crate::subscription::opening::Asked;

pub(crate) fn handle(session: &mut Session, asked: Asked, request: Box<ConnectRequest>, now: Now) {
    let Phase::Waiting { stale_at } = session.phase else {
        return session.close(Disconnect::BAD_REQUEST, now);
    };
    session.phase = Phase::Connecting(Box::new(Connecting {
        asked,
        stale_at,
        data: bytes::Bytes::new(),
        wanted: BTreeMap::new(),
        granted: Vec::new(),
        results: BTreeMap::new(),
        opened: Vec::new(),
        outstanding: 0,
    }));
    session.issue(Effect::Authenticate(request), Pending::Authenticate);
}

pub(crate) fn authenticated(
    session: &mut Session,
    request: ConnectRequest,
    outcome: Result<Box<Grants>, Refusal>,
    now: Now,
) {
    if session.connecting().is_none() {
        return; // Closed meanwhile.
    }
    let grants = match outcome {
        Ok(grants) => *grants,
        Err(refusal) => return refuse(session, refusal, now),
    };
    let granted = match server_side(session, &grants, &request) {
        Ok(granted) => granted,
        Err(refusal) => return refuse(session, refusal, now),
    };
    if granted.len() > session.settings.limits.channels_max {
        return refuse(session, Refusal::Disconnect(Disconnect::CHANNEL_LIMIT), now);
    }
    take_identity(session, &grants);
    session.identity.capabilities = grants.capabilities;
    session.introduce(&request, now);
    let Some(connecting) = session.connecting() else {
        return;
    };
    connecting.data = grants.data;
    connecting.granted = granted;
    connecting.wanted = request.subs;
    let user = grants.user;
    session.issue(Effect::Register(Register { user }), Pending::Register);
}

pub(crate) fn registered(session: &mut Session, outcome: Result<(), Disconnect>, now: Now) {
    if session.connecting().is_none() {
        return;
    }
    if let Err(disconnect) = outcome {
        return refuse(session, Refusal::Disconnect(disconnect), now);
    }
    if let Some(expire_at) = session.identity.expire_at {
        if expire_at < now.unix_seconds() {
            return refuse(session, Refusal::Error(Error::EXPIRED), now);
        }
        session.identity.expire_at = Some(capped(expire_at, now));
    }
    let Some(connecting) = session.connecting() else {
        return;
    };
    let granted = std::mem::take(&mut connecting.granted);
    connecting.outstanding = granted.len();
    if granted.is_empty() {
        return accept(session, now);
    }
    for subscription in granted {
        if let Err(refusal) = subscribe::enter_server_side(session, subscription, now) {
            return refuse(session, refusal, now);
        }
    }
}

/// One of the server-side subscriptions is entered, with its result in `Connecting::results`.
pub(crate) fn entered_one(session: &mut Session, now: Now) {
    let Some(connecting) = session.connecting() else {
        return;
    };
    connecting.outstanding = connecting.outstanding.saturating_sub(1);
    if connecting.outstanding == 0 {
        accept(session, now);
    }
}

/// The connect fails; whatever was entered for it is taken out again.
pub(crate) fn refuse(session: &mut Session, refusal: Refusal, now: Now) {
    let Some(connecting) = session.connecting() else {
        return;
    };
    let (asked, stale_at) = (connecting.asked, connecting.stale_at);
    match refusal {
        Refusal::Disconnect(disconnect) => session.close(disconnect, now),
        Refusal::Error(error) if session.transport.envelope == Envelope::Bare => {
            session.refuse_one_way(error, now);
        }
        Refusal::Error(error) => {
            session.refuse(Phase::Refused {
                drop_at: now.uptime + limits::CLOSE_HANDSHAKE_WAIT,
                stale_at,
            });
            session.answer(asked, Method::Connect, Err(error), now);
        }
    }
}

/// Channels that the connection is subscribed to from the start.
fn server_side(
    session: &Session,
    grants: &Grants,
    request: &ConnectRequest,
) -> Result<Vec<GrantedSubscription>, Refusal> {
    let policy = &session.settings.policy;
    let mut granted = grants.subscriptions.clone();
    for subscription in &granted {
        policy
            .resolve(&subscription.channel)
            .map_err(Refusal::Error)?;
    }
    let user = grants.user.as_str();
    if let Some(channel) = policy.personal_channel(user) {
        policy.resolve(&channel).map_err(Refusal::Error)?;
        granted.push(plain(channel, Source::UserPersonal));
    }
    if !grants.may_ask {
        return Ok(granted);
    }
    // A request names each channel once, so it can only repeat what the server gives.
    let given = granted.len();
    for channel in request.subs.keys() {
        let is_known = granted
            .iter()
            .take(given)
            .any(|other| other.channel == *channel);
        let rules = policy
            .resolve(channel)
            .map_err(|_unknown| Refusal::Disconnect(Disconnect::BAD_REQUEST))?;
        if !is_known
            && let Some(source) = rules.may_ask_server_side(user, session.settings.insecure)
        {
            granted.push(plain(channel.clone(), source));
        }
    }
    Ok(granted)
}

fn plain(channel: String, source: Source) -> GrantedSubscription {
    GrantedSubscription {
        channel,
        source,
        terms: Terms::default(),
    }
}

fn take_identity(session: &mut Session, grants: &Grants) {
    let identity = &mut session.identity;
    identity.user = grants.user.clone();
    identity.meta = grants.meta.clone();
    identity.expire_at = grants.expire_at;
    identity.refresh_by = grants.refresh_by;
    identity.token.clone_from(&grants.token);
    identity.info = Arc::new(ClientInfo {
        user: grants.user.shared(),
        client: identity.client.shared(),
        conn_info: grants.info.clone(),
        chan_info: bytes::Bytes::new(),
    });
}

/// Where a user may have one connection only: this one is in the presence of the user's channel by now, so of two
/// that come at once one at least sees the other.
fn close_other_connections(session: &mut Session) {
    let user = session.identity.user.clone();
    let Some(channel) = session
        .settings
        .policy
        .single_connection_channel(user.as_str())
    else {
        return;
    };
    if let Ok(channel) = ChannelName::new(&channel) {
        session.tell(Effect::DisconnectOthers { user, channel });
    }
}

/// Answers, lets the subscriptions live, starts the timers.
fn accept(session: &mut Session, now: Now) {
    let Some(connecting) = session.connecting() else {
        return;
    };
    let asked = connecting.asked;
    let opened = std::mem::take(&mut connecting.opened);
    let subs = std::mem::take(&mut connecting.results);
    let data = std::mem::take(&mut connecting.data);
    session.phase = Phase::Connected;
    close_other_connections(session);
    set_expiry(session, session.identity.expire_at, now);
    session.start_liveness(now);

    let result = result(session, data, subs, now);
    if session.transport.envelope == Envelope::Reply {
        let body = ReplyBody::Connect(Box::new(result));
        session.answer(asked, Method::Connect, Ok(body), now);
    } else {
        session.push("", PushBody::Connect(push_of(result)), now);
    }
    for id in opened {
        entered::go_live(session, id, now);
    }
    control::retry_held(session, now);
}

fn result(
    session: &Session,
    data: bytes::Bytes,
    subs: BTreeMap<String, SubscribeResult>,
    now: Now,
) -> ConnectResult {
    let (expires, ttl) = advertised(session, now);
    let timing = &session.settings.timing;
    let ping_interval = timing.ping_interval.filter(|_| session.transport.app_pings);
    let is_one_way = session.transport.envelope == Envelope::Bare;
    let names = session.names.as_deref();
    ConnectResult {
        client: session.identity.client.as_str().to_owned(),
        version: session.settings.version.clone(),
        expires,
        ttl,
        data,
        subs,
        ping: ping_interval.map_or(0, |interval| {
            u32::try_from(interval.as_secs()).unwrap_or(u32::MAX)
        }),
        pong: !is_one_way && ping_interval.is_some() && timing.pong_timeout.is_some(),
        session: names.map(|names| names.session.clone()).unwrap_or_default(),
        node: names.map(|names| names.node.clone()).unwrap_or_default(),
        time: if session.settings.include_server_time {
            now.unix.0
        } else {
            0
        },
        ..ConnectResult::default()
    }
}

/// The result as the first push of a unidirectional transport, whose fields have other numbers.
fn push_of(result: ConnectResult) -> ConnectPush {
    ConnectPush {
        client: result.client,
        version: result.version,
        data: result.data,
        subs: result.subs,
        expires: result.expires,
        ttl: result.ttl,
        ping: result.ping,
        pong: false,
        session: result.session,
        node: result.node,
        time: result.time,
    }
}

/// What the client is told about the connection's expiry.
pub(crate) fn advertised(session: &Session, now: Now) -> (bool, u32) {
    match (session.identity.expire_at, session.identity.refresh_by) {
        (Some(expire_at), RefreshBy::Client) => (true, ttl(expire_at, now)),
        (Some(_), RefreshBy::Server) | (None, _) => (false, 0),
    }
}

/// Seconds until `expire_at`, at least 0.
pub(crate) fn ttl(expire_at: UnixSeconds, now: Now) -> u32 {
    let left = expire_at.0.saturating_sub(now.unix_seconds().0).max(0);
    u32::try_from(left).unwrap_or(u32::MAX)
}

/// An expiry, no further away than is allowed.
pub(crate) fn capped(expire_at: UnixSeconds, now: Now) -> UnixSeconds {
    let latest = now.unix_seconds().0.saturating_add(limits::TTL_SECONDS_MAX);
    UnixSeconds(expire_at.0.min(latest))
}

/// Arms or stops the timer that prolongs or closes an expired connection.
pub(crate) fn set_expiry(session: &mut Session, expire_at: Option<UnixSeconds>, now: Now) {
    session.identity.expire_at = expire_at;
    // Who has to act at the end is given time for it; the server is not.
    let grace = match session.identity.refresh_by {
        RefreshBy::Client => session.settings.timing.expired_close_delay,
        RefreshBy::Server => std::time::Duration::ZERO,
    };
    session.expire_due = expire_at.map(|expire_at| {
        let left_ms = expire_at.0.saturating_mul(1000).saturating_sub(now.unix.0);
        let left = std::time::Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
        now.uptime + left + grace
    });
}

/// Whether the client asked to recover a server-side subscription, and from where.
pub(crate) fn wanted(session: &mut Session, channel: &str) -> SubscribeRequest {
    session
        .connecting()
        .and_then(|connecting| connecting.wanted.remove(channel))
        .unwrap_or_default()
}
