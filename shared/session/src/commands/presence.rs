//! Presence and presence stats.

use std::collections::BTreeMap;
use std::sync::Arc;

use gyre_protocol::ReplyBody;
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::{ClientInfo, PresenceResult, PresenceStatsResult};
use gyre_types::{ChannelName, ClientId, Now};

use crate::effect::{Effect, Failure, Stats};
use crate::observe::Method;
use crate::session::{Pending, Session};
use crate::subscription::opening::Asked;

pub(crate) fn handle_members(session: &mut Session, asked: Asked, channel: &str, now: Now) {
    let Ok(name) = ChannelName::new(channel) else {
        return session.close(Disconnect::BAD_REQUEST, now);
    };
    match check(session, channel) {
        Ok(()) => session.issue(Effect::Presence(name), Pending::Presence(asked)),
        Err(error) => session.answer(asked, Method::Presence, Err(error), now),
    }
}

pub(crate) fn handle_stats(session: &mut Session, asked: Asked, channel: &str, now: Now) {
    let Ok(name) = ChannelName::new(channel) else {
        return session.close(Disconnect::BAD_REQUEST, now);
    };
    match check(session, channel) {
        Ok(()) => session.issue(Effect::PresenceStats(name), Pending::PresenceStats(asked)),
        Err(error) => session.answer(asked, Method::PresenceStats, Err(error), now),
    }
}

pub(crate) fn members_done(
    session: &mut Session,
    asked: Asked,
    outcome: Result<BTreeMap<ClientId, Arc<ClientInfo>>, Failure>,
    now: Now,
) {
    let answer = outcome
        .map(|presence| ReplyBody::Presence(PresenceResult { presence }))
        .map_err(Failure::error);
    session.answer(asked, Method::Presence, answer, now);
}

pub(crate) fn stats_done(
    session: &mut Session,
    asked: Asked,
    outcome: Result<Stats, Failure>,
    now: Now,
) {
    let answer = outcome
        .map(|stats| {
            ReplyBody::PresenceStats(PresenceStatsResult {
                num_clients: stats.clients,
                num_users: stats.users,
            })
        })
        .map_err(Failure::error);
    session.answer(asked, Method::PresenceStats, answer, now);
}

fn check(session: &Session, channel: &str) -> Result<(), Error> {
    let rules = session.settings.policy.resolve(channel)?;
    rules.check_name()?;
    rules.may_presence(&session.caller(channel))
}
