//! Publish: may the client, is the payload what the channel takes.

use gyre_policy::Verdict;
use gyre_protocol::ReplyBody;
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::{PublishRequest, PublishResult};
use gyre_types::{ChannelName, Now};

use crate::commands::subscribe::info_of;
use crate::effect::{Effect, Failure, Publish};
use crate::observe::Method;
use crate::opening::Asked;
use crate::session::{Pending, Session};

/// Value of `type` that means a map.
const TYPE_MAP: i32 = 1;

pub(crate) fn handle(session: &mut Session, asked: Asked, request: PublishRequest, now: Now) {
    let subscription = session
        .table
        .find(&request.channel)
        .and_then(|id| session.table.get(id));
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
    if let Err(error) = check(session, &request) {
        return session.answer(asked, Method::Publish, Err(error), now);
    }
    let info = info_of(session, &chan_info);
    let effect = Publish {
        channel,
        data: request.data,
        info,
    };
    session.issue(Effect::Publish(effect), Pending::Publish(asked));
}

pub(crate) fn done(session: &mut Session, asked: Asked, outcome: Result<(), Failure>, now: Now) {
    let answer = outcome
        .map(|()| ReplyBody::Publish(PublishResult::default()))
        .map_err(Failure::error);
    session.answer(asked, Method::Publish, answer, now);
}

fn check(session: &Session, request: &PublishRequest) -> Result<(), Error> {
    let rules = session.settings.policy.resolve(&request.channel)?;
    rules.check_name()?;
    if request.type_ == TYPE_MAP {
        return Err(Error::NOT_AVAILABLE);
    }
    rules.check_data(&request.data)?;
    match rules.may_publish(&session.caller(&request.channel))? {
        Verdict::Allowed => Ok(()),
        // No backend is configured.
        Verdict::AskBackend(_) => Err(Error::NOT_AVAILABLE),
    }
}
