//! Tokens that are void from now on: what rests on them ends.

use gyre_protocol::codes::{Disconnect, Unsubscribe};
use gyre_types::{Now, SubscriptionId, UnixSeconds, UserId};

use crate::effect::TokenMark;
use crate::session::Session;
use crate::session::phase::Phase;
use crate::subscription::ending::End;

/// Which tokens are void.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Void {
    /// Those of this id (`jti`).
    Token(Box<str>),
    /// A user's that were made (`iat`) before some second. A token that does not say when it was
    /// made is not among them.
    IssuedBefore {
        /// Whose.
        user: UserId,
        /// Only subscription tokens of this channel; empty: all tokens.
        channel: Box<str>,
        /// The second.
        at: UnixSeconds,
    },
}

impl Void {
    /// Whether a token of this user is void; `channel` is empty for a connection token.
    fn covers(&self, holder: &UserId, channel: &str, token: &TokenMark) -> bool {
        match self {
            Self::Token(uid) => !uid.is_empty() && token.uid == *uid,
            Self::IssuedBefore {
                user,
                channel: only,
                at,
            } => {
                user == holder
                    && (only.is_empty() || **only == *channel)
                    && token.issued_at.is_some_and(|issued_at| issued_at < *at)
            }
        }
    }
}

/// Ends the connection, or those of its subscriptions that rest on a void token.
pub(crate) fn handle(session: &mut Session, void: &Void, now: Now) {
    match session.phase {
        Phase::Connecting(_) | Phase::Connected => {}
        Phase::Waiting { .. } | Phase::Refused { .. } | Phase::Closed => return,
    }
    let user = session.identity.user.clone();
    let is_void = session
        .identity
        .token
        .as_ref()
        .is_some_and(|token| void.covers(&user, "", token));
    if is_void {
        return session.close(Disconnect::STATE_INVALIDATED, now);
    }
    let rests_on_it = |(id, subscription): (SubscriptionId, &crate::subscription::Subscription)| {
        let token = subscription.rare.as_ref()?.token.as_ref()?;
        void.covers(&user, subscription.channel.as_str(), token)
            .then_some(id)
    };
    let ended: Vec<SubscriptionId> = session.table.iter().filter_map(rests_on_it).collect();
    for id in ended {
        let end = End::Server {
            unsubscribe: Unsubscribe::STATE_INVALIDATED,
            control: None,
        };
        session.end_subscription(id, end);
    }
}
