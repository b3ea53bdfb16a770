//! Publish: may the client, is the payload what the channel takes.

use gyre_policy::{ProxyKind, Verdict};
use gyre_protocol::ReplyBody;
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::{PublishRequest, PublishResult};
use gyre_types::{ChannelName, Now};

use crate::effect::{Effect, Failure, Publish, PublishTerms, Question, Refusal};
use crate::observe::Method;
use crate::session::{Pending, Session};
use crate::subscription::open::info_of;
use crate::subscription::opening::Asked;

/// Value of `type` that means a map.
const TYPE_MAP: i32 = 1;

pub(crate) fn handle(session: &mut Session, asked: Asked, request: PublishRequest, now: Now) {
    let id = session.table.find(&request.channel);
    let subscription = id.and_then(|id| session.table.get(id));
    // A subscriber has the name already, shared by all.
    let channel = match subscription {
        Some(subscription) => subscription.channel.clone(),
        None => match ChannelName::new(&request.channel) {
            Ok(channel) => channel,
            Err(_empty) => return session.close(Disconnect::BAD_REQUEST, now),
        },
    };
    let chan_info = subscription
        .map(|subscription| subscription.chan_info())
        .unwrap_or_default();
    let verdict = match check(session, &request) {
        Ok(verdict) => verdict,
        Err(error) => return session.answer(asked, Method::Publish, Err(error), now),
    };
    let publish = Publish {
        channel,
        data: request.data,
        info: info_of(session, &chan_info),
    };
    match (verdict, id) {
        (Verdict::Allowed, _) => {
            session.issue(Effect::Publish(publish), Pending::Publish(asked));
        }
        (Verdict::AskBackend(ProxyKind::SubscribeStream), Some(id)) => {
            let data = publish.data;
            let effect = Effect::Ask(Question::TakePublication { id, data });
            session.issue(effect, Pending::Publish(asked));
        }
        (Verdict::AskBackend(ProxyKind::SubscribeStream), None) => {
            let error = Error::NOT_AVAILABLE;
            session.answer(asked, Method::Publish, Err(error), now);
        }
        (Verdict::AskBackend(ProxyKind::Publish | ProxyKind::Subscribe), _) => {
            let effect = Effect::Ask(Question::Publish(Box::new(publish)));
            session.issue(effect, Pending::AskPublish(asked));
        }
    }
}

/// The backend has said whether the client may publish, and what.
pub(crate) fn asked(
    session: &mut Session,
    asked: Asked,
    outcome: Result<(Box<Publish>, Box<PublishTerms>), Refusal>,
    now: Now,
) {
    if session.closing().is_some() {
        return; // Nobody would learn what became of it.
    }
    match outcome {
        Ok((publish, terms)) => {
            let effect = Effect::PublishOnTerms(publish, terms);
            session.issue(effect, Pending::Publish(asked));
        }
        Err(Refusal::Error(error)) => {
            session.answer(asked, Method::Publish, Err(error), now);
        }
        Err(Refusal::Disconnect(disconnect)) => session.close(disconnect, now),
    }
}

pub(crate) fn done(session: &mut Session, asked: Asked, outcome: Result<(), Failure>, now: Now) {
    let answer = outcome
        .map(|()| ReplyBody::Publish(PublishResult::default()))
        .map_err(Failure::error);
    session.answer(asked, Method::Publish, answer, now);
}

fn check(session: &Session, request: &PublishRequest) -> Result<Verdict, Error> {
    let rules = session.settings.policy.resolve(&request.channel)?;
    rules.check_name()?;
    if request.type_ == TYPE_MAP {
        return Err(Error::NOT_AVAILABLE);
    }
    rules.check_data(&request.data)?;
    rules.may_publish(&session.caller(&request.channel))
}
