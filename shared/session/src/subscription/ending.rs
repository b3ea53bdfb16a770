//! The end of subscriptions, one by one or all with the connection.

use std::sync::Arc;

use gyre_policy::Source;
use gyre_protocol::codes::{Disconnect, Error, Unsubscribe};
use gyre_protocol::messages::{UnsubscribePush, UnsubscribeResult};
use gyre_protocol::{PushBody, ReplyBody};
use gyre_types::{Now, SubscriptionId};

use crate::control;
use crate::effect::{Effect, Failure, Unsubscribe as UnsubscribeEffect};
use crate::observe::{Method, Observation};
use crate::session::phase::Phase;
use crate::session::{Pending, Session};
use crate::subscription::State;
use crate::subscription::opening::Asked;

/// Why a connection ends.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(crate) disconnect: Disconnect,
    /// What was wrong with a connect that was no command, and so got no reply.
    pub(crate) refused: Option<Error>,
}

/// Why a subscription ends.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The client asked for it.
    Command(Asked),
    /// The server asked for it.
    Server {
        /// What the client is told.
        unsubscribe: Unsubscribe,
        /// Control command to report to.
        control: Option<u32>,
    },
    /// The connection ends, or never began.
    Closed,
}

impl Session {
    /// Ends a subscription; what is under way on it is waited for.
    pub(crate) fn end_subscription(&mut self, id: SubscriptionId, end: End) {
        let Some(subscription) = self.table.get_mut(id) else {
            return;
        };
        let is_closed = matches!(end, End::Closed);
        let entered = match &subscription.state {
            State::Live {
                slot,
                announcing: false,
            } => Some(*slot),
            // It waits for a connect to be answered, or was answered with an error.
            State::Opening(opening) if is_closed => opening.entered,
            State::Asking if is_closed => return self.forget(id),
            State::Asking | State::Opening(_) | State::Live { .. } | State::Leaving => None,
        };
        let Some(slot) = entered else {
            subscription.ends.push(end);
            return;
        };
        subscription.state = State::Leaving;
        let options = subscription.options;
        let effect = UnsubscribeEffect {
            id,
            channel: subscription.channel.clone(),
            slot,
            presence: options.has_presence,
            leave: subscription
                .info
                .as_ref()
                // Of whom nobody was told that it came, nobody is told that it left.
                .filter(|_| options.emits_join_leave && subscription.has_begun)
                .map(Arc::clone),
        };
        subscription.ends.insert(0, end);
        self.unwatch(id);
        self.issue(Effect::Unsubscribe(Box::new(effect)), Pending::Leaving(id));
    }

    /// Drops a subscription that is in no table yet; who waited for its end has it.
    fn forget(&mut self, id: SubscriptionId) {
        let ends = self.table.remove(id).map(|gone| gone.ends);
        for end in ends.unwrap_or_default() {
            if let End::Server {
                control: Some(control),
                ..
            } = end
            {
                self.report(control, Ok(()));
            }
        }
    }

    /// Ends a subscription that turned out not to be wanted while it was busy.
    pub(crate) fn end_if_asked(&mut self, id: SubscriptionId) {
        let Some(subscription) = self.table.get_mut(id) else {
            return;
        };
        if subscription.ends.is_empty() {
            return;
        }
        let end = subscription.ends.remove(0);
        self.end_subscription(id, end);
    }

    /// The subscription is out of all tables.
    pub(crate) fn left(&mut self, id: SubscriptionId, outcome: Result<(), Failure>, now: Now) {
        let Some(subscription) = self.table.remove(id) else {
            return;
        };
        if subscription.has_begun {
            self.observe(Observation::SubscriptionEnded);
        }
        if subscription.source == Source::StreamProxy {
            self.tell(Effect::CloseStream(id));
        }
        // One end is enough for the client; what was never begun needs none.
        let mut is_told = !subscription.has_begun;
        for end in subscription.ends {
            match end {
                End::Command(asked) => {
                    let answer = outcome
                        .map(|()| ReplyBody::Unsubscribe(UnsubscribeResult::default()))
                        .map_err(Failure::error);
                    self.end_exclusive();
                    self.answer(asked, Method::Unsubscribe, answer, now);
                    is_told = true;
                }
                End::Server {
                    unsubscribe,
                    control,
                } => {
                    if !is_told {
                        self.push_unsubscribe(subscription.channel.as_str(), &unsubscribe, now);
                    }
                    is_told = true;
                    if let Some(control) = control {
                        self.report(control, Ok(()));
                    }
                }
                End::Closed => {}
            }
        }
        self.retry_stalled(now);
        control::retry_held(self, now);
    }

    /// Tells the client that a stream has a gap it must recover from.
    pub(crate) fn insufficient_state(&mut self, id: SubscriptionId, now: Now) {
        let Some(subscription) = self.table.get(id) else {
            return;
        };
        if subscription.is_ending() {
            return; // The client has been told, or will be.
        }
        if subscription.options.is_server_side {
            self.close(Disconnect::INSUFFICIENT_STATE, now);
            return;
        }
        let end = End::Server {
            unsubscribe: Unsubscribe::INSUFFICIENT_STATE,
            control: None,
        };
        self.end_subscription(id, end);
    }

    /// Ends a connect that was refused: what it opened ends, and nothing more is read.
    pub(crate) fn refuse(&mut self, refused: Phase) {
        self.phase = refused;
        self.end_all();
    }

    /// Ends the connection: nothing more is taken in, and all subscriptions end.
    pub(crate) fn close(&mut self, disconnect: Disconnect, _now: Now) {
        if !self.begin_close(disconnect) {
            return;
        }
        self.end_all();
    }

    fn end_all(&mut self) {
        for id in self.table.ids() {
            self.end_subscription(id, End::Closed);
        }
        control::drop_held(self);
    }

    fn push_unsubscribe(&mut self, channel: &str, unsubscribe: &Unsubscribe, now: Now) {
        self.observe(Observation::ServerUnsubscribed {
            code: unsubscribe.code,
        });
        let push = UnsubscribePush {
            code: unsubscribe.code,
            reason: unsubscribe.reason.as_ref().into(),
        };
        self.push(channel, PushBody::Unsubscribe(push), now);
    }
}
