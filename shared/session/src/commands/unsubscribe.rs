//! Unsubscribe: never fails for what is not there; waits for a subscribe before it.

use gyre_protocol::ReplyBody;
use gyre_protocol::codes::Disconnect;
use gyre_protocol::messages::{UnsubscribeRequest, UnsubscribeResult};
use gyre_types::Now;

use crate::observe::Method;
use crate::session::Session;
use crate::subscription::ending::End;
use crate::subscription::opening::Asked;

pub(crate) fn handle(session: &mut Session, asked: Asked, request: &UnsubscribeRequest, now: Now) {
    if request.channel.is_empty() {
        return session.close(Disconnect::BAD_REQUEST, now);
    }
    match session.table.find(&request.channel) {
        Some(id) => {
            session.begin_exclusive(now);
            session.end_subscription(id, End::Command(asked));
        }
        None => {
            let body = ReplyBody::Unsubscribe(UnsubscribeResult::default());
            session.answer(asked, Method::Unsubscribe, Ok(body), now);
        }
    }
}
