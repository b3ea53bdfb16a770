//! Opens a subscription, whoever asked for it: with which options, from which position.

use std::sync::Arc;

use bytes::Bytes;
use gyre_policy::{Filter, Mode, RefreshedBy, Rules, Source, SubscriptionOptions, Wish};
use gyre_protocol::codes::Error;
use gyre_protocol::messages::{ClientInfo, FilterNode, SubscribeRequest};
use gyre_types::{ChannelName, Now, SubscriptionId};

use crate::commands::connect::capped;
use crate::effect::{Effect, Read, RefreshBy, Refusal, Subscribe, Terms, TokenMark};
use crate::session::{Pending, Session};
use crate::subscription::opening::{Asked, Opening, Origin, Recovery};
use crate::subscription::recovery::Since;
use crate::subscription::{Delta, Options, Rare, State, Subscription};

/// What a subscription is made of.
pub(crate) struct Plan<'a> {
    pub(crate) channel: ChannelName,
    pub(crate) origin: Origin,
    pub(crate) is_server_side: bool,
    pub(crate) request: &'a SubscribeRequest,
    pub(crate) source: Source,
    pub(crate) terms: Terms,
    pub(crate) token: Option<Box<TokenMark>>,
}

impl<'a> Plan<'a> {
    /// A plan for a client's command, on the namespace's own terms.
    pub(crate) fn of_command(
        channel: ChannelName,
        asked: Asked,
        request: &'a SubscribeRequest,
        source: Source,
    ) -> Self {
        Self {
            channel,
            origin: Origin::Command(asked),
            is_server_side: false,
            request,
            source,
            terms: Terms::default(),
            token: None,
        }
    }
}

pub(crate) fn open(
    session: &mut Session,
    id: SubscriptionId,
    plan: Plan<'_>,
    now: Now,
) -> Result<(), Refusal> {
    let expire_at = plan.terms.expire_at;
    if expire_at.is_some_and(|at| at <= now.unix_seconds()) {
        return Err(Refusal::Error(Error::EXPIRED));
    }
    let settings = Arc::clone(&session.settings);
    let channel = plan.channel.as_str();
    let rules = settings.policy.resolve(channel).map_err(Refusal::Error)?;
    let server_filter = plan.terms.tags_filter.as_deref();
    let filter =
        filter_of(&rules, server_filter, plan.request.tf.as_deref()).map_err(Refusal::Error)?;
    let granted = granted_of(session, &rules, &plan, filter.is_some());
    let recovery = recovery_of(plan.request, &granted, was_recovering(&plan, &granted));
    let read = granted
        .positioning
        .then(|| read_of(&recovery, filter.is_some(), settings.limits.recovery_max));
    let info = info_of(session, &plan.terms.info);
    let effect = Subscribe {
        id,
        channel: plan.channel.clone(),
        wants_joins: granted.push_join_leave,
        presence: granted.presence.then(|| Arc::clone(&info)),
        read,
    };
    if let Some(subscription) = session.table.get_mut(id) {
        subscription.info = Some(info);
        fill(subscription, plan, &granted, recovery, filter, now);
        session.issue(Effect::Subscribe(Box::new(effect)), Pending::Opening(id));
    }
    Ok(())
}

/// What the client asked for and what the server wants of it: a publication has to pass both.
fn filter_of(
    rules: &Rules<'_>,
    server: Option<&FilterNode>,
    client: Option<&FilterNode>,
) -> Result<Option<Filter>, Error> {
    // Who hides publications from a client must not be misunderstood: better no subscription.
    let server = server
        .map(|node| Filter::compile(node).map_err(|_malformed| Error::INTERNAL))
        .transpose()?;
    let client = client.map(|node| rules.compile_filter(node)).transpose()?;
    Ok(match (server, client) {
        (Some(server), Some(client)) => Some(server.and(client)),
        (one, other) => one.or(other),
    })
}

fn granted_of(
    session: &Session,
    rules: &Rules<'_>,
    plan: &Plan<'_>,
    is_filtered: bool,
) -> SubscriptionOptions {
    // Where the backend decides, the client's wishes do not: the backend knows them from the client.
    let may_wish = match plan.source {
        Source::SubscribeProxy | Source::StreamProxy => false,
        Source::Unknown
        | Source::ConnectionToken
        | Source::ConnectProxy
        | Source::SubscriptionToken
        | Source::UserLimited
        | Source::ClientAllowed
        | Source::ClientInsecure
        | Source::UniConnect
        | Source::UserPersonal
        | Source::ServerApi
        | Source::ConnectionCapability
        | Source::Expression => true,
    };
    let request = plan.request;
    let wish = Wish {
        positioned: may_wish && request.positioned,
        recoverable: may_wish && request.recoverable,
        join_leave: may_wish && request.join_leave,
        // A filter hides what a patch would be against.
        delta: request.delta == "fossil" && !is_filtered,
    };
    let mut caller = session.caller(plan.channel.as_str());
    caller.rights = caller.rights.and(plan.terms.rights);
    let granted = rules.subscription_options(&wish, &caller, &plan.terms.overrides);
    if plan.source != Source::StreamProxy {
        return granted;
    }
    // What comes by a stream of the backend's has no positions.
    SubscriptionOptions {
        positioning: false,
        recovery: false,
        delta: false,
        ..granted
    }
}

fn was_recovering(plan: &Plan<'_>, granted: &SubscriptionOptions) -> bool {
    let brings_cache = granted.mode == Mode::Cache && plan.terms.recovers_cache;
    plan.request.recover || (granted.recovery && (granted.auto_cache_recover || brings_cache))
}

fn fill(
    subscription: &mut Subscription,
    plan: Plan<'_>,
    granted: &SubscriptionOptions,
    recovery: Recovery,
    filter: Option<Filter>,
    now: Now,
) {
    let was_recovering = was_recovering(&plan, granted);
    let Plan {
        request,
        terms,
        token,
        ..
    } = plan;
    subscription.source = plan.source;
    subscription.options = options_of(granted, plan.is_server_side);
    subscription.rare = rare_of(Rare {
        filter,
        chan_info: terms.info,
        expire_at: terms.expire_at.map(|at| capped(at, now)),
        refresh_by: refresh_by(granted),
        rights: terms.rights,
        token,
        ..Rare::default()
    });
    subscription.state = State::Opening(Box::new(Opening {
        origin: plan.origin,
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
}

/// `None` if there is nothing rare about the subscription.
fn rare_of(rare: Rare) -> Option<Box<Rare>> {
    let is_empty = rare.filter.is_none()
        && rare.expire_at.is_none()
        && rare.token.is_none()
        && rare.chan_info.is_empty()
        && rare.rights.is_empty();
    (!is_empty).then(|| Box::new(rare))
}

const fn refresh_by(granted: &SubscriptionOptions) -> RefreshBy {
    match granted.refresh {
        RefreshedBy::Client => RefreshBy::Client,
        RefreshedBy::Backend => RefreshBy::Server,
    }
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
