//! Subscribe: may the client, with which options, from which position.

use gyre_config::channel::SubscriptionType;
use gyre_policy::{Admission, ProxyKind, Source};
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::SubscribeRequest;
use gyre_protocol::{Command, Request};
use gyre_types::{ChannelName, Now, Position, SubscriptionId};

use crate::commands::connect;
use crate::effect::{
    AskSubscribe, Effect, GrantedSubscription, Question, Refusal, SubscriptionGrant, Terms,
    TokenMark, TokenRefusal,
};
use crate::observe::Method;
use crate::session::{Pending, Session};
use crate::subscription::open::{Plan, open};
use crate::subscription::opening::{Asked, Origin};
use crate::subscription::{Options, State, Subscription};

/// A subscribe command that waits for its token to be verified, or for the backend.
#[derive(Debug)]
pub(crate) struct Waiting {
    asked: Asked,
    request: Box<SubscribeRequest>,
    /// What the subscription would owe its existence to.
    source: Source,
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
        let waiting = Box::new(Waiting {
            asked,
            request,
            source: Source::SubscriptionToken,
        });
        return session.issue(effect, Pending::SubscribeToken(id, waiting));
    }
    let outcome = match admit(session, &channel) {
        Ok(Admission::Allowed(source)) => {
            let plan = Plan::of_command(channel, asked, &request, source);
            open(session, id, plan, now)
        }
        Ok(Admission::AskBackend(kind)) => {
            return ask(session, id, asked, request, kind);
        }
        Err(error) => Err(Refusal::Error(error)),
    };
    if let Err(refusal) = outcome {
        give_up(session, id, asked, refusal, now);
    }
}

fn ask(
    session: &mut Session,
    id: SubscriptionId,
    asked: Asked,
    request: Box<SubscribeRequest>,
    kind: ProxyKind,
) {
    let Some(subscription) = session.table.get_mut(id) else {
        return;
    };
    let question = Box::new(AskSubscribe {
        id,
        channel: subscription.channel.clone(),
        data: request.data.clone(),
    });
    let (source, effect) = match kind {
        ProxyKind::Subscribe | ProxyKind::Publish => (
            Source::SubscribeProxy,
            Effect::Ask(Question::Subscribe(question)),
        ),
        ProxyKind::SubscribeStream => {
            (Source::StreamProxy, Effect::Ask(Question::Stream(question)))
        }
    };
    // From here on there may be a stream to close.
    subscription.source = source;
    let waiting = Box::new(Waiting {
        asked,
        request,
        source,
    });
    session.issue(effect, Pending::AskSubscribe(id, waiting));
}

/// The backend has said whether the client may subscribe.
pub(crate) fn asked(
    session: &mut Session,
    id: SubscriptionId,
    waiting: Waiting,
    outcome: Result<Box<Terms>, Refusal>,
    now: Now,
) {
    decided(
        session,
        id,
        waiting,
        outcome.map(|terms| (*terms, None)),
        now,
    );
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
    let accepted = accept_token(session, subscription.channel.as_str(), outcome);
    decided(session, id, waiting, accepted, now);
}

/// Whoever decides has decided.
fn decided(
    session: &mut Session,
    id: SubscriptionId,
    waiting: Waiting,
    outcome: Result<(Terms, Option<Box<TokenMark>>), Refusal>,
    now: Now,
) {
    let Some(subscription) = session.table.get(id) else {
        return; // Closed meanwhile.
    };
    let channel = subscription.channel.clone();
    let Waiting {
        asked,
        request,
        source,
    } = waiting;
    let opened = outcome.and_then(|(terms, token)| {
        let plan = Plan {
            terms,
            token,
            ..Plan::of_command(channel, asked, &request, source)
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

fn admit(session: &Session, channel: &ChannelName) -> Result<Admission, Error> {
    let rules = session.settings.policy.resolve(channel.as_str())?;
    rules.may_subscribe(&session.caller(channel.as_str()))
}

fn accept_token(
    session: &Session,
    channel: &str,
    outcome: Result<Box<SubscriptionGrant>, TokenRefusal>,
) -> Result<(Terms, Option<Box<TokenMark>>), Refusal> {
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
    Ok((grant.terms, grant.token))
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
        source: granted.source,
        terms: granted.terms,
        token: None,
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
