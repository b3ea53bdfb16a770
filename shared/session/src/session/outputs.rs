//! What a session wants of its driver, to be polled until there is nothing.

use std::collections::VecDeque;

use gyre_protocol::codes::Disconnect;
use gyre_types::{Ticket, Uptime, limits};

use crate::effect::Effect;
use crate::message::Message;
use crate::observe::Observation;
use crate::session::Session;
use crate::session::liveness::Liveness;

impl Session {
    /// The next message for the client.
    pub fn poll_message(&mut self) -> Option<Message> {
        let message = self.messages.pop_front();
        if message.is_none() && self.messages.capacity() > limits::TURN_DELIVERIES_MAX {
            self.messages = VecDeque::new();
        }
        message
    }

    /// Exchanges the list that messages wait in for `spare`, while none waits. A driver lends one for
    /// each turn and takes it back, so that a session at rest has none.
    pub fn exchange_list(&mut self, spare: &mut VecDeque<Message>) {
        if self.messages.is_empty() {
            std::mem::swap(&mut self.messages, spare);
        }
    }

    /// The next piece of work for the driver.
    pub fn poll_effect(&mut self) -> Option<(Ticket, Effect)> {
        if let Some(taken) = &mut self.taken {
            if let Some(next) = taken.next() {
                return Some(next);
            }
            self.taken = None;
        }
        if self.effects.len() < 2 {
            return self.effects.pop();
        }
        let effects = std::mem::take(&mut self.effects).into_vec();
        self.taken.insert(Box::new(effects.into_iter())).next()
    }

    /// When [`Self::handle_timeout`] is due; `None`: not before the next input.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Uptime> {
        if self.closing.is_some() {
            return None;
        }
        let mut soonest = self.liveness.as_ref().map(Liveness::next);
        for other in [
            self.watch.next(),
            self.expire_due,
            self.exclusive_until,
            self.phase.deadline(),
        ] {
            if other.is_some_and(|other| soonest.is_none_or(|soonest| other < soonest)) {
                soonest = other;
            }
        }
        soonest
    }

    /// What the driver may count, since the last call.
    pub fn poll_observations(&mut self) -> impl Iterator<Item = Observation> + use<> {
        std::mem::take(&mut self.observations).into_iter()
    }

    /// Whether [`Self::poll_message`] has something.
    #[must_use]
    pub fn has_messages(&self) -> bool {
        !self.messages.is_empty()
    }

    /// Why the connection ends, once it does. The messages polled until then go out first.
    #[must_use]
    pub fn closing(&self) -> Option<&Disconnect> {
        self.closing.as_ref().map(|closing| &closing.disconnect)
    }

    /// Whether nothing is left to do: closed, and all effects are completed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.closing.is_some()
            && self.pending.is_empty()
            && self.effects.is_empty()
            && self.taken.as_ref().is_none_or(|taken| taken.len() == 0)
    }
}
