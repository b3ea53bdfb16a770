//! Who is kept out: looked at when a connection or a token is accepted, one look-up in memory each.
//!
//! Every acceptance comes through [`admit`], in the connection's own turn. So it cannot slip between
//! the look-up here and a command of the server API: what was accepted before the command is found
//! by it, and what is accepted after it is refused here.

use std::hash::BuildHasher;

use gyre_protocol::codes::{Disconnect, Error};
use gyre_session::{Completion, Refusal, TokenMark, TokenRefusal};
use gyre_types::UnixSeconds;
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::handle::Handle;
use crate::node::Node;

/// Token ids of a connection that are told apart. 64: one per refresh for hours; who shows more is
/// asked about every one.
const PRESENTED_MAX: usize = 64;

/// Ids of the tokens that a connection has shown, for the server API to find it among many.
///
/// Hashes only: whether a token is still in use is known to the session, which is asked.
#[derive(Debug, Default)]
pub(crate) struct Presented(Mutex<SmallVec<[u64; 2]>>);

impl Presented {
    /// Notes a token id.
    fn note(&self, uid: &str) {
        let hash = hash(uid);
        let mut known = self.0.lock();
        if known.len() < PRESENTED_MAX && !known.contains(&hash) {
            known.push(hash);
        }
    }

    /// Whether this token may have been shown.
    pub(crate) fn may_have(&self, uid: &str) -> bool {
        let known = self.0.lock();
        known.len() == PRESENTED_MAX || known.contains(&hash(uid))
    }
}

fn hash(uid: &str) -> u64 {
    foldhash::fast::FixedState::default().hash_one(uid)
}

/// Why somebody is kept out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Out {
    Blocked,
    Revoked,
}

/// Turns an acceptance into a refusal if the user or the token is kept out.
pub(crate) fn admit(node: &Node, handle: &Handle, completion: Completion) -> Completion {
    match completion {
        Completion::Authenticated(request, Ok(grants)) => {
            let found = find(
                node,
                handle,
                grants.user.as_str(),
                "",
                grants.token.as_deref(),
            );
            Completion::Authenticated(request, found.map_or(Ok(grants), |out| Err(refusal(out))))
        }
        Completion::ConnectionToken(Ok(grant)) => {
            let found = find(
                node,
                handle,
                grant.user.as_str(),
                "",
                grant.token.as_deref(),
            );
            Completion::ConnectionToken(found.map_or(Ok(grant), |out| Err(token_refusal(out))))
        }
        Completion::SubscriptionToken(Ok(grant)) => {
            let token = grant.token.as_deref();
            let found = find(node, handle, &grant.user, &grant.channel, token);
            Completion::SubscriptionToken(found.map_or(Ok(grant), |out| Err(token_refusal(out))))
        }
        // It stands in the table now: a block after this finds it there.
        Completion::Registered(Ok(())) => Completion::Registered(
            match handle
                .user()
                .is_some_and(|user| is_blocked(node, user.as_str()))
            {
                true => Err(Disconnect::PERMISSION_DENIED),
                false => Ok(()),
            },
        ),
        as_it_is @ (Completion::Authenticated(_, Err(_))
        | Completion::ConnectionToken(Err(_))
        | Completion::SubscriptionToken(Err(_))
        | Completion::Registered(Err(_))
        | Completion::Subscribed(_)
        | Completion::Done(_)
        | Completion::History(_)
        | Completion::Top(_)
        | Completion::Presence(_)
        | Completion::PresenceStats(_)
        | Completion::Refreshed(_)
        | Completion::SubscribeAsked(_)
        | Completion::PublishAsked(_)
        | Completion::SubscriptionRefreshed(_)
        | Completion::Rpc(_)) => as_it_is,
    }
}

/// Notes the token first, then looks: so either this look-up or the command's search finds it.
fn find(
    node: &Node,
    handle: &Handle,
    user: &str,
    channel: &str,
    token: Option<&TokenMark>,
) -> Option<Out> {
    if is_blocked(node, user) {
        return Some(Out::Blocked);
    }
    let token = token?;
    if !token.uid.is_empty() {
        handle.presented.note(&token.uid);
    }
    let now = now(node);
    let exclusions = node.access.view();
    let is_out = exclusions.is_revoked(&token.uid, now)
        || exclusions.is_invalidated(user, channel, token.issued_at, now);
    is_out.then_some(Out::Revoked)
}

fn is_blocked(node: &Node, user: &str) -> bool {
    node.access.view().is_blocked(user, now(node))
}

fn now(node: &Node) -> UnixSeconds {
    node.clock.now().unix_seconds()
}

/// The client is told that its token is old, so that it asks its backend for another.
const fn refusal(out: Out) -> Refusal {
    match out {
        Out::Blocked => Refusal::Disconnect(Disconnect::PERMISSION_DENIED),
        Out::Revoked => Refusal::Error(Error::TOKEN_EXPIRED),
    }
}

const fn token_refusal(out: Out) -> TokenRefusal {
    match out {
        Out::Blocked => TokenRefusal::Blocked,
        Out::Revoked => TokenRefusal::Revoked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_is_known_and_what_cannot_be_known_may_have_been() {
        let presented = Presented::default();
        presented.note("a");
        presented.note("a");
        assert!(presented.may_have("a"));
        assert!(!presented.may_have("b"));
        for number in 1..PRESENTED_MAX - 1 {
            presented.note(&number.to_string());
        }
        assert!(!presented.may_have("b"));
        presented.note("last");
        assert!(presented.may_have("b"));
    }
}
