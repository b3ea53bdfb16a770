//! A subscription has been entered: recover, answer, go live.

use std::sync::Arc;

use gyre_policy::Filter;
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::{Publication, SubscribePush, SubscribeResult};
use gyre_protocol::{PushBody, ReplyBody, delta};
use gyre_types::{Now, SubscriptionId};

use crate::commands::connect::{self, ttl};
use crate::control;
use crate::effect::{Effect, Failure, HistoryPart, RefreshBy, Refusal, Subscribed};
use crate::observe::{Method, Observation};
use crate::session::{Pending, Session};
use crate::subscription::ending::End;
use crate::subscription::opening::{Origin, Recovery};
use crate::subscription::recovery::{self, Recovered};
use crate::subscription::{Delta, State, Subscription};

pub(crate) fn entered(
    session: &mut Session,
    id: SubscriptionId,
    outcome: Result<Box<Subscribed>, Failure>,
    now: Now,
) {
    let subscribed = match outcome {
        Ok(subscribed) => *subscribed,
        Err(failure) => return failed(session, id, failure, now),
    };
    let is_closing = session.closing().is_some() || !is_awaited(session, id);
    let Some(subscription) = session.table.get_mut(id) else {
        return;
    };
    subscription.channel = subscribed.channel;
    subscription.checked_at = now.uptime;
    let State::Opening(opening) = &mut subscription.state else {
        return;
    };
    opening.entered = Some(subscribed.slot);
    if is_closing {
        if let Origin::Control { control } = opening.origin {
            session.report(control, Ok(()));
        }
        return session.end_subscription(id, End::Closed);
    }
    match settle(
        subscription,
        subscribed.history,
        session.transport.format,
        now,
    ) {
        Ok(settled) => {
            if let Some(observation) = settled.observation {
                session.observe(observation);
            }
            answer(session, id, settled.result, now);
        }
        Err(unrecovered) => reject(session, id, unrecovered, now),
    }
}

/// Lets a subscription live: what was held back is delivered, and the channel learns of the join.
pub(crate) fn go_live(session: &mut Session, id: SubscriptionId, now: Now) {
    let Some(subscription) = session.table.get_mut(id) else {
        return;
    };
    let State::Opening(opening) = &mut subscription.state else {
        return;
    };
    let Some(slot) = opening.entered else {
        return;
    };
    let buffer = std::mem::take(&mut opening.buffer);
    let join = subscription
        .info
        .clone()
        .filter(|_| subscription.options.emits_join_leave);
    subscription.state = State::Live {
        slot,
        announcing: join.is_some(),
    };
    let channel = subscription.channel.clone();
    subscription.has_begun = true;
    session.observe(Observation::SubscriptionBegan);
    session.watch(id, now);
    for prepared in &buffer {
        session.handle_delivery(id, prepared, now);
    }
    match join {
        Some(info) => {
            session.issue(
                Effect::PublishJoin { channel, info },
                Pending::Announcing(id),
            );
        }
        None => session.announced(id),
    }
    control::retry_held(session, now);
}

impl Session {
    /// The engine knows of this client what there is to know; what was asked for meanwhile may
    /// happen.
    pub(crate) fn announced(&mut self, id: SubscriptionId) {
        let Some(subscription) = self.table.get_mut(id) else {
            return;
        };
        if let State::Live { announcing, .. } = &mut subscription.state {
            *announcing = false;
        }
        let is_stale = subscription
            .rare
            .as_mut()
            .is_some_and(|rare| std::mem::take(&mut rare.is_stale));
        if is_stale && !subscription.is_ending() {
            return self.show(id);
        }
        self.end_if_asked(id);
    }

    /// Shows others what is new about this client in a channel that keeps presence.
    pub(crate) fn show(&mut self, id: SubscriptionId) {
        let Some(subscription) = self.table.get_mut(id) else {
            return;
        };
        if !subscription.options.has_presence {
            return;
        }
        match (&mut subscription.state, &subscription.info) {
            (State::Live { announcing, .. }, Some(info)) if !*announcing => {
                *announcing = true;
                let effect = Effect::ShowPresence {
                    channel: subscription.channel.clone(),
                    info: Arc::clone(info),
                };
                self.issue(effect, Pending::Announcing(id));
            }
            // Something is under way already, and its order with this is not known.
            (State::Live { .. } | State::Opening(_), _) => {
                subscription.rare.get_or_insert_default().is_stale = true;
            }
            (State::Asking | State::Leaving, _) => {}
        }
    }
}

struct Settled {
    result: SubscribeResult,
    observation: Option<Observation>,
}

/// The client asked not to be subscribed if it cannot be caught up.
struct Unrecovered;

fn is_awaited(session: &mut Session, id: SubscriptionId) -> bool {
    let is_connecting = session.connecting().is_some();
    session.table.get(id).is_some_and(|subscription| {
        !matches!(&subscription.state, State::Opening(opening)
            if opening.origin == Origin::Connect && !is_connecting)
    })
}

fn settle(
    subscription: &mut Subscription,
    history: Option<HistoryPart>,
    format: gyre_protocol::Format,
    now: Now,
) -> Result<Settled, Unrecovered> {
    let top = recovery::position_of(history.as_ref());
    let State::Opening(opening) = &mut subscription.state else {
        return Err(Unrecovered);
    };
    let recovery = std::mem::take(&mut opening.recovery);
    let filter = subscription
        .rare
        .as_ref()
        .and_then(|rare| rare.filter.as_ref());
    let recovered = recover(&recovery, history.unwrap_or_default(), filter);
    if opening.rejects_unrecovered && !recovered.is_recovered {
        return Err(Unrecovered);
    }
    let mut result = SubscribeResult {
        data: std::mem::take(&mut opening.data),
        was_recovering: opening.was_recovering,
        recovered: recovered.is_recovered,
        ..SubscribeResult::default()
    };
    let observation = (recovery != Recovery::None).then_some(Observation::Recovery {
        recovered: recovered.is_recovered,
        publications: recovered.publications.len(),
    });
    let options = subscription.options;
    if options.is_positioned {
        subscription.position = top;
        result.positioned = true;
        result.recoverable = options.is_recoverable;
        result.epoch = top.epoch.to_string();
        // A client that was caught up counts on from where it was.
        result.offset = match &recovery {
            Recovery::Stream(since) | Recovery::Cache(since) if result.recovered => since.offset,
            Recovery::Stream(_) | Recovery::Cache(_) | Recovery::None => top.offset,
        };
    }
    if let (Some(expire_at), RefreshBy::Client) =
        (subscription.expire_at(), subscription.refresh_by())
    {
        result.expires = true;
        result.ttl = ttl(expire_at, now);
    }
    result.publications = recovered.publications.iter().map(for_client).collect();
    if options.delta != Delta::Off {
        result.delta = true;
        if !result.publications.is_empty() {
            subscription.options.delta = Delta::Ready;
        }
        delta::recovered(format, &mut result.publications);
    }
    Ok(Settled {
        result,
        observation,
    })
}

/// What the client missed and its filter lets through; the filtered count for continuity.
fn recover(how: &Recovery, history: HistoryPart, filter: Option<&Filter>) -> Recovered {
    let is_wanted =
        |publication: &Publication| filter.is_none_or(|filter| filter.matches(&publication.tags));
    match how {
        Recovery::None => Recovered::default(),
        Recovery::Cache(since) => recovery::cache(since, history, is_wanted),
        Recovery::Stream(since) => {
            let mut recovered = recovery::stream(since, history);
            recovered
                .publications
                .retain(|publication| is_wanted(publication));
            recovered
        }
    }
}

/// A stored publication without what is the engine's alone.
pub(crate) fn for_client(publication: &Arc<Publication>) -> Publication {
    Publication {
        time: 0,
        prev_data: bytes::Bytes::new(),
        delta: false,
        ..Publication::clone(publication)
    }
}

fn answer(session: &mut Session, id: SubscriptionId, result: SubscribeResult, now: Now) {
    let Some((origin, channel)) = origin_of(session, id) else {
        return;
    };
    match origin {
        Origin::Command(asked) => {
            let body = ReplyBody::Subscribe(Box::new(result));
            session.answer(asked, Method::Subscribe, Ok(body), now);
            go_live(session, id, now);
        }
        Origin::Connect => {
            if let Some(connecting) = session.connecting() {
                connecting.results.insert(channel, result);
                connecting.opened.push(id);
            }
            connect::entered_one(session, now);
        }
        Origin::Control { control } => {
            let push = SubscribePush {
                recoverable: result.recoverable,
                epoch: result.epoch,
                offset: result.offset,
                positioned: result.positioned,
                data: result.data,
            };
            session.push(&channel, PushBody::Subscribe(push), now);
            // That push has no place for what was missed, so it follows.
            for publication in result.publications {
                session.push(&channel, PushBody::Publication(publication), now);
            }
            go_live(session, id, now);
            session.report(control, Ok(()));
        }
    }
}

fn origin_of(session: &Session, id: SubscriptionId) -> Option<(Origin, String)> {
    let subscription = session.table.get(id)?;
    match &subscription.state {
        State::Opening(opening) => Some((opening.origin, subscription.channel.to_string())),
        State::Asking | State::Live { .. } | State::Leaving => None,
    }
}

/// Answers that the position is lost, and takes the subscription out again.
fn reject(session: &mut Session, id: SubscriptionId, _unrecovered: Unrecovered, now: Now) {
    let Some((origin, _)) = origin_of(session, id) else {
        return;
    };
    if let Origin::Command(asked) = origin {
        let error = Error::UNRECOVERABLE_POSITION;
        session.answer(asked, Method::Subscribe, Err(error), now);
    }
    session.end_subscription(id, End::Closed);
}

/// The subscription is in no table.
fn failed(session: &mut Session, id: SubscriptionId, failure: Failure, now: Now) {
    let origin = origin_of(session, id).map(|(origin, _)| origin);
    let refusal = match failure {
        Failure::Internal => Refusal::Disconnect(Disconnect::SERVER_ERROR),
        Failure::UnrecoverablePosition | Failure::NotAvailable | Failure::Unanswered => {
            Refusal::Error(failure.error())
        }
    };
    match (origin, refusal) {
        (Some(Origin::Command(_) | Origin::Control { .. }), Refusal::Disconnect(disconnect)) => {
            session.close(disconnect, now);
        }
        (Some(Origin::Command(asked)), Refusal::Error(error)) => {
            session.answer(asked, Method::Subscribe, Err(error), now);
        }
        (Some(Origin::Connect), refusal) => connect::refuse(session, refusal, now),
        (Some(Origin::Control { control }), Refusal::Error(error)) => {
            session.report(control, Err(error));
        }
        (None, _) => {}
    }
    session.left(id, Ok(()), now);
}
