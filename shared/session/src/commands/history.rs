//! History.

use gyre_protocol::ReplyBody;
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::{HistoryRequest, HistoryResult};
use gyre_types::{ChannelName, Now};

use crate::effect::{Effect, Failure, HistoryPart, HistoryRead};
use crate::observe::Method;
use crate::session::{Pending, Session};
use crate::subscription::entered::for_client;
use crate::subscription::opening::Asked;

pub(crate) fn handle(session: &mut Session, asked: Asked, request: HistoryRequest, now: Now) {
    let Ok(channel) = ChannelName::new(&request.channel) else {
        return session.close(Disconnect::BAD_REQUEST, now);
    };
    if let Err(error) = check(session, &request) {
        return session.answer(asked, Method::History, Err(error), now);
    }
    let effect = HistoryRead {
        channel,
        since: request.since.map(|since| (since.offset, since.epoch)),
        limit: limit(request.limit, session.settings.limits.history_max),
        is_reverse: request.reverse,
    };
    session.issue(Effect::History(Box::new(effect)), Pending::History(asked));
}

pub(crate) fn done(
    session: &mut Session,
    asked: Asked,
    outcome: Result<HistoryPart, Failure>,
    now: Now,
) {
    let answer = outcome
        .map(|part| {
            ReplyBody::History(Box::new(HistoryResult {
                publications: part.publications.iter().map(for_client).collect(),
                epoch: part.top.epoch.as_str().to_owned(),
                offset: part.top.offset,
            }))
        })
        .map_err(Failure::error);
    session.answer(asked, Method::History, answer, now);
}

fn check(session: &Session, request: &HistoryRequest) -> Result<(), Error> {
    let rules = session.settings.policy.resolve(&request.channel)?;
    rules.check_name()?;
    rules.may_history(&session.caller(&request.channel))?;
    let is_before_the_first = request.reverse
        && request
            .since
            .as_ref()
            .is_some_and(|since| since.offset == 0);
    if is_before_the_first {
        return Err(Error::BAD_REQUEST);
    }
    Ok(())
}

/// How many publications at most: the client's wish, a negative one being «all», within the option.
fn limit(wanted: i32, most: Option<usize>) -> Option<usize> {
    let wanted = usize::try_from(wanted).ok();
    [wanted, most].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::limit;

    #[test]
    fn a_wish_is_kept_within_the_option() {
        assert_eq!(limit(0, Some(300)), Some(0));
        assert_eq!(limit(5, Some(300)), Some(5));
        assert_eq!(limit(301, Some(300)), Some(300));
        assert_eq!(limit(-1, Some(300)), Some(300));
        assert_eq!(limit(301, None), Some(301));
        assert_eq!(limit(-1, None), None);
    }
}
