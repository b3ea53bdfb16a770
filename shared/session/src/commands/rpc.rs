//! RPC: the ping extension answers here, the driver answers for the user's status, everything else is the backend's.

use bytes::Bytes;
use gyre_policy::RpcRoute;
use gyre_protocol::ReplyBody;
use gyre_protocol::messages::{RpcRequest, RpcResult};
use gyre_types::Now;

use crate::effect::{Effect, Question, Refusal};
use crate::observe::Method;
use crate::session::{Pending, Session};
use crate::subscription::opening::Asked;

/// Method by which a client says that its user is active; answered without the backend.
pub const UPDATE_USER_STATUS: &str = "update_user_status";

pub(crate) fn handle(session: &mut Session, asked: Asked, request: Box<RpcRequest>, now: Now) {
    if session.settings.user_status && request.method == UPDATE_USER_STATUS {
        return session.issue(Effect::Ask(Question::Rpc(request)), Pending::Rpc(asked));
    }
    match session.settings.policy.route_rpc(&request.method) {
        Ok(RpcRoute::Ping) => done(session, asked, Ok(Bytes::new()), now),
        Ok(RpcRoute::Backend(_)) => {
            session.issue(Effect::Ask(Question::Rpc(request)), Pending::Rpc(asked));
        }
        Err(error) => session.answer(asked, Method::Rpc, Err(error), now),
    }
}

pub(crate) fn done(session: &mut Session, asked: Asked, outcome: Result<Bytes, Refusal>, now: Now) {
    let answer = match outcome {
        Ok(data) => Ok(ReplyBody::Rpc(RpcResult { data })),
        Err(Refusal::Error(error)) => Err(error),
        Err(Refusal::Disconnect(disconnect)) => return session.close(disconnect, now),
    };
    session.answer(asked, Method::Rpc, answer, now);
}
