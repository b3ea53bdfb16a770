//! The end of subscriptions, one by one or all with the connection.

use std::sync::Arc;

use gyre_protocol::codes::{Disconnect, Unsubscribe};
use gyre_protocol::messages::{UnsubscribePush, UnsubscribeResult};
use gyre_protocol::{PushBody, ReplyBody};
use gyre_types::{Now, SubscriptionId};

use crate::effect::{Effect, Failure, Unsubscribe as UnsubscribeEffect};
use crate::observe::{Method, Observation};
use crate::opening::Asked;
use crate::session::{Pending, Session};
use crate::subscription::State;

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
        let slot = match subscription.state {
            State::Live {
                slot,
                joining: false,
            } => slot,
            State::Asking if matches!(end, End::Closed) => {
                self.table.remove(id);
                return;
            }
            State::Asking | State::Opening(_) | State::Live { .. } | State::Leaving => {
                subscription.ends.push(end);
                return;
            }
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
                .filter(|_| options.emits_join_leave)
                .map(Arc::clone),
        };
        subscription.ends.push(end);
        self.unwatch(id);
        self.issue(Effect::Unsubscribe(Box::new(effect)), Pending::Leaving(id));
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
        for end in subscription.ends {
            match end {
                End::Command(asked) => {
                    let answer = outcome
                        .map(|()| ReplyBody::Unsubscribe(UnsubscribeResult::default()))
                        .map_err(Failure::error);
                    self.end_exclusive();
                    self.answer(asked, Method::Unsubscribe, answer, now);
                }
                End::Server {
                    unsubscribe,
                    control,
                } => {
                    self.push_unsubscribe(subscription.channel.as_str(), &unsubscribe, now);
                    if let Some(control) = control {
                        self.report(control, Ok(()));
                    }
                }
                End::Closed => {}
            }
        }
        self.retry_stalled(now);
    }

    /// Tells the client that a stream has a gap it must recover from.
    pub(crate) fn insufficient_state(&mut self, id: SubscriptionId, now: Now) {
        let Some(subscription) = self.table.get(id) else {
            return;
        };
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

    /// Ends the connection: nothing more is taken in, and all subscriptions end.
    pub(crate) fn close(&mut self, disconnect: Disconnect, _now: Now) {
        if !self.begin_close(disconnect) {
            return;
        }
        for id in self.table.ids() {
            self.end_subscription(id, End::Closed);
        }
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
