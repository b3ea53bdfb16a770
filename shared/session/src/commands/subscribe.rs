//! Subscribe: may the client, with which options, from which position.

use std::sync::Arc;

use bytes::Bytes;
use gyre_config::channel::SubscriptionType;
use gyre_policy::{Admission, Mode, Override, Source, SubscriptionOptions, Wish};
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::{ClientInfo, SubscribeRequest};
use gyre_protocol::{Command, Request};
use gyre_types::{ChannelName, Now, Position, SubscriptionId, UnixSeconds};

use crate::commands::connect::{self, capped};
use crate::effect::{
    Effect, GrantedSubscription, Read, RefreshBy, Refusal, Subscribe, SubscriptionGrant, TokenMark,
    TokenRefusal,
};
use crate::observe::Method;
use crate::opening::{Asked, Opening, Origin, Recovery};
use crate::recovery::Since;
use crate::session::{Pending, Session};
use crate::subscription::{Delta, Options, Rare, State, Subscription};

/// A subscribe command that waits for its token to be verified.
#[derive(Debug)]
pub(crate) struct Waiting {
    asked: Asked,
    request: Box<SubscribeRequest>,
}

/// What a subscription is made of, whoever asked for it.
pub(crate) struct Plan<'a> {
    pub(crate) channel: ChannelName,
    pub(crate) origin: Origin,
    pub(crate) is_server_side: bool,
    pub(crate) request: &'a SubscribeRequest,
    pub(crate) terms: Terms,
}

/// What the token, the backend or the policy says about a subscription.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) source: Source,
    pub(crate) info: Bytes,
    pub(crate) data: Bytes,
    pub(crate) expire_at: Option<UnixSeconds>,
    pub(crate) overrides: Override,
    pub(crate) token: Option<Box<TokenMark>>,
}

impl Terms {
    fn plain(source: Source) -> Self {
        Self {
            source,
            info: Bytes::new(),
            data: Bytes::new(),
            expire_at: None,
            overrides: Override::default(),
            token: None,
        }
    }
}

// === the command ===

pub(crate) fn handle(
    session: &mut Session,
    asked: Asked,
    request: Box<SubscribeRequest>,
    now: Now,
) {
    if let Some(id) = session.table.find(&request.channel)
        && let Some(subscription) = session.table.get(id)
        && matches!(subscription.state, State::Leaving)
    {
        return session.stall(Command {
            id: asked.id,
            request: Request::Subscribe(request),
        });
    }
    let channel = match check(session, &request) {
        Ok(channel) => channel,
        Err(refusal) => return refuse(session, asked, refusal, now),
    };
    let id = reserve(session, channel.clone(), now);
    if !request.token.is_empty() {
        let effect = Effect::VerifySubscriptionToken(request.token.clone());
        let waiting = Waiting { asked, request };
        return session.issue(effect, Pending::SubscribeToken(id, waiting));
    }
    let outcome = admit(session, &channel).and_then(|source| {
        let plan = Plan {
            channel,
            origin: Origin::Command(asked),
            is_server_side: false,
            request: &request,
            terms: Terms::plain(source),
        };
        open(session, id, plan, now)
    });
    if let Err(refusal) = outcome {
        give_up(session, id, asked, refusal, now);
    }
}

pub(crate) fn verified(
    session: &mut Session,
    id: SubscriptionId,
    waiting: Waiting,
    outcome: Result<Box<SubscriptionGrant>, TokenRefusal>,
    now: Now,
) {
    let Some(subscription) = session.table.get(id) else {
        return; // Closed meanwhile.
    };
    let channel = subscription.channel.clone();
    let Waiting { asked, request } = waiting;
    let opened = accept_token(session, channel.as_str(), outcome).and_then(|terms| {
        let plan = Plan {
            channel,
            origin: Origin::Command(asked),
            is_server_side: false,
            request: &request,
            terms,
        };
        open(session, id, plan, now)
    });
    if let Err(refusal) = opened {
        give_up(session, id, asked, refusal, now);
    }
}

/// Everything that is decided without a token or the backend.
fn check(session: &Session, request: &SubscribeRequest) -> Result<ChannelName, Refusal> {
    let bad_request = Refusal::Disconnect(Disconnect::BAD_REQUEST);
    let channel = ChannelName::new(&request.channel).map_err(|_empty| bad_request.clone())?;
    let policy = &session.settings.policy;
    policy
        .check_subscription_type(channel.as_str(), request.type_)
        .map_err(Refusal::Error)?;
    if !matches!(request.delta.as_str(), "" | "fossil") {
        return Err(bad_request);
    }
    policy
        .check_length(channel.as_str())
        .map_err(Refusal::Error)?;
    if session.table.find(channel.as_str()).is_some() {
        return Err(Refusal::Error(Error::ALREADY_SUBSCRIBED));
    }
    if session.table.len() >= session.settings.limits.channels_max {
        return Err(Refusal::Error(Error::LIMIT_EXCEEDED));
    }
    let rules = policy.resolve(channel.as_str()).map_err(Refusal::Error)?;
    rules.check_name().map_err(Refusal::Error)?;
    rules
        .check_requested_type(request.type_)
        .map_err(Refusal::Error)?;
    if rules.subscription_type() != SubscriptionType::Stream {
        return Err(Refusal::Error(Error::NOT_AVAILABLE));
    }
    if rules.is_private() && request.token.is_empty() {
        return Err(Refusal::Error(Error::PERMISSION_DENIED));
    }
    Ok(channel)
}

fn admit(session: &Session, channel: &ChannelName) -> Result<Source, Refusal> {
    let rules = session
        .settings
        .policy
        .resolve(channel.as_str())
        .map_err(Refusal::Error)?;
    let caller = session.caller(channel.as_str());
    match rules.may_subscribe(&caller).map_err(Refusal::Error)? {
        Admission::Allowed(source) => Ok(source),
        // No backend is configured.
        Admission::AskBackend(_) => Err(Refusal::Error(Error::NOT_AVAILABLE)),
    }
}

fn accept_token(
    session: &Session,
    channel: &str,
    outcome: Result<Box<SubscriptionGrant>, TokenRefusal>,
) -> Result<Terms, Refusal> {
    let grant = *outcome.map_err(|refusal| match refusal {
        // A revoked token is answered like an old one: the client asks its backend for another.
        TokenRefusal::Expired | TokenRefusal::Revoked => Refusal::Error(Error::TOKEN_EXPIRED),
        TokenRefusal::Invalid => Refusal::Error(Error::PERMISSION_DENIED),
        TokenRefusal::Blocked => Refusal::Disconnect(Disconnect::PERMISSION_DENIED),
        TokenRefusal::Unavailable => Refusal::Error(Error::INTERNAL),
    })?;
    if !is_for(session, &grant, channel) {
        return Err(Refusal::Disconnect(Disconnect::INVALID_TOKEN));
    }
    Ok(Terms {
        source: Source::SubscriptionToken,
        info: grant.info,
        data: grant.data,
        expire_at: grant.expire_at,
        overrides: grant.overrides,
        token: grant.token,
    })
}

/// Whether a token speaks of this client and channel.
pub(crate) fn is_for(session: &Session, grant: &SubscriptionGrant, channel: &str) -> bool {
    let identity = &session.identity;
    grant.channel == channel
        && grant.user == identity.user.as_str()
        && (grant.client.is_empty() || grant.client == identity.client.as_str())
}

fn reserve(session: &mut Session, channel: ChannelName, now: Now) -> SubscriptionId {
    session.table.insert(Box::new(Subscription {
        channel,
        state: State::Asking,
        options: Options::default(),
        source: Source::Unknown,
        position: Position::default(),
        checked_at: now.uptime,
        suspected: None,
        info: None,
        rare: None,
        has_begun: false,
        is_watched: false,
        ends: Vec::new(),
    }))
}

fn give_up(session: &mut Session, id: SubscriptionId, asked: Asked, refusal: Refusal, now: Now) {
    refuse(session, asked, refusal, now);
    session.left(id, Ok(()), now);
}

fn refuse(session: &mut Session, asked: Asked, refusal: Refusal, now: Now) {
    match refusal {
        Refusal::Error(error) => session.answer(asked, Method::Subscribe, Err(error), now),
        Refusal::Disconnect(disconnect) => session.close(disconnect, now),
    }
}

// === server-side subscriptions of the connect command ===

pub(crate) fn enter_server_side(
    session: &mut Session,
    granted: GrantedSubscription,
    now: Now,
) -> Result<(), Refusal> {
    let is_known = session.table.find(&granted.channel).is_some();
    let channel = match ChannelName::new(&granted.channel) {
        Ok(channel) if !is_known => channel,
        Ok(_) | Err(_) => {
            connect::entered_one(session, now);
            return Ok(());
        }
    };
    let wanted = connect::wanted(session, channel.as_str());
    // Of what a connect command says about a subscription, only this counts.
    let request = SubscribeRequest {
        recover: wanted.recover,
        epoch: wanted.epoch,
        offset: wanted.offset,
        delta: wanted.delta,
        ..SubscribeRequest::default()
    };
    let id = reserve(session, channel.clone(), now);
    let plan = Plan {
        channel,
        origin: Origin::Connect,
        is_server_side: true,
        request: &request,
        terms: Terms {
            source: granted.source,
            info: granted.info,
            data: granted.data,
            expire_at: granted.expire_at,
            overrides: granted.overrides,
            token: None,
        },
    };
    open(session, id, plan, now)
}

/// Enters a subscription that the server API asked for.
pub(crate) fn enter_controlled(
    session: &mut Session,
    plan: Plan<'_>,
    now: Now,
) -> Result<(), Refusal> {
    let id = reserve(session, plan.channel.clone(), now);
    open(session, id, plan, now).inspect_err(|_refusal| {
        session.table.remove(id);
    })
}

// === opening ===

fn open(
    session: &mut Session,
    id: SubscriptionId,
    plan: Plan<'_>,
    now: Now,
) -> Result<(), Refusal> {
    let Plan {
        channel,
        origin,
        is_server_side,
        request,
        terms,
    } = plan;
    if terms.expire_at.is_some_and(|at| at <= now.unix_seconds()) {
        return Err(Refusal::Error(Error::EXPIRED));
    }
    let settings = Arc::clone(&session.settings);
    let rules = settings
        .policy
        .resolve(channel.as_str())
        .map_err(Refusal::Error)?;
    let filter = match &request.tf {
        Some(node) => Some(rules.compile_filter(node).map_err(Refusal::Error)?),
        None => None,
    };
    let wish = Wish {
        positioned: request.positioned,
        recoverable: request.recoverable,
        join_leave: request.join_leave,
        // A filter hides what a patch would be against.
        delta: request.delta == "fossil" && filter.is_none(),
    };
    let caller = session.caller(channel.as_str());
    let granted = rules.subscription_options(&wish, &caller, &terms.overrides);
    let was_recovering = request.recover || (granted.recovery && granted.auto_cache_recover);
    let recovery = recovery_of(request, &granted, was_recovering);
    let read = granted
        .positioning
        .then(|| read_of(&recovery, filter.is_some(), settings.limits.recovery_max));
    let info = info_of(session, &terms.info);

    let Some(subscription) = session.table.get_mut(id) else {
        return Ok(());
    };
    subscription.source = terms.source;
    subscription.options = options_of(&granted, is_server_side);
    subscription.info = Some(Arc::clone(&info));
    let expire_at = terms.expire_at.map(|at| capped(at, now));
    let token = terms.token;
    if filter.is_some() || expire_at.is_some() || token.is_some() || !terms.info.is_empty() {
        subscription.rare = Some(Box::new(Rare {
            filter,
            chan_info: terms.info,
            expire_at,
            refresh_by: RefreshBy::Client,
            token,
        }));
    }
    subscription.state = State::Opening(Box::new(Opening {
        origin,
        data: terms.data,
        recovery,
        was_recovering,
        // A cache has nothing to lose: its newest publication is all there is.
        rejects_unrecovered: request.recover
            && granted.mode == Mode::Stream
            && request.flag & SubscribeRequest::FLAG_REJECT_UNRECOVERED != 0,
        buffer: Vec::new(),
        entered: None,
    }));
    let effect = Subscribe {
        id,
        channel,
        wants_joins: granted.push_join_leave,
        presence: granted.presence.then_some(info),
        read,
    };
    session.issue(Effect::Subscribe(Box::new(effect)), Pending::Opening(id));
    Ok(())
}

const fn options_of(granted: &SubscriptionOptions, is_server_side: bool) -> Options {
    Options {
        is_server_side,
        has_presence: granted.presence,
        emits_join_leave: granted.join_leave,
        wants_join_leave: granted.push_join_leave,
        is_positioned: granted.positioning,
        is_recoverable: granted.recovery,
        delta: if granted.delta {
            Delta::NeedsFull
        } else {
            Delta::Off
        },
    }
}

fn recovery_of(
    request: &SubscribeRequest,
    granted: &SubscriptionOptions,
    was_recovering: bool,
) -> Recovery {
    if !was_recovering || !granted.recovery {
        return Recovery::None;
    }
    let since = Since {
        offset: request.offset,
        epoch: request.epoch.clone(),
    };
    match granted.mode {
        Mode::Stream => Recovery::Stream(since),
        Mode::Cache => Recovery::Cache(since),
    }
}

const fn read_of(recovery: &Recovery, is_filtered: bool, limit: usize) -> Read {
    match recovery {
        Recovery::None => Read::Top,
        Recovery::Stream(since) => Read::Since {
            offset: since.offset,
            limit,
        },
        Recovery::Cache(_) => Read::Newest {
            limit: if is_filtered { limit } else { 1 },
        },
    }
}

/// This client as others see it in a channel.
pub(crate) fn info_of(session: &Session, chan_info: &Bytes) -> Arc<ClientInfo> {
    let identity = &session.identity;
    if chan_info.is_empty() {
        return Arc::clone(&identity.info);
    }
    Arc::new(ClientInfo {
        chan_info: chan_info.clone(),
        ..ClientInfo::clone(&identity.info)
    })
}
