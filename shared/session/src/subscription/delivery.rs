//! What the hub delivers.

use std::sync::Arc;

use gyre_protocol::codes::Disconnect;
use gyre_protocol::prepared::{Form, Prepared, PreparedKind};
use gyre_types::{Now, SubscriptionId, limits};

use crate::message::Message;
use crate::observe::Observation;
use crate::session::Session;
use crate::subscription::{State, Step};
use crate::transport::Transport;

impl Session {
    /// Takes what the hub offered to one of this session's subscriptions.
    ///
    /// One look-up by slot, one comparison of positions, one reference count; nothing is allocated
    /// once the queue has its working size.
    // hot path: delivery 5/6
    pub fn handle_delivery(&mut self, id: SubscriptionId, prepared: &Arc<Prepared>, now: Now) {
        let Some(subscription) = self.table.get_mut(id) else {
            return; // Left while the delivery was on its way.
        };
        match &mut subscription.state {
            State::Live { .. } => {}
            State::Opening(opening) if opening.buffer.len() < limits::RECOVERY_BUFFER_MAX => {
                return opening.buffer.push(Arc::clone(prepared));
            }
            State::Opening(_) => return self.close(Disconnect::INSUFFICIENT_STATE, now),
            State::Asking | State::Leaving => return,
        }
        if subscription.is_ending() {
            return;
        }
        let form = match prepared.kind() {
            PreparedKind::Publication => match subscription.step(prepared, now.uptime) {
                Step::Deliver => subscription.next_form(prepared.offset()),
                Step::Duplicate => return,
                Step::Gap => return self.insufficient_state(id, now),
            },
            PreparedKind::Join | PreparedKind::Leave => {
                if !subscription.options.wants_join_leave {
                    return;
                }
                return self.transmit_shared(prepared, Form::Full, now);
            }
            PreparedKind::Top => return self.compare(id, prepared, now),
        };
        if let Some(filter) = subscription.filter()
            && !filter.matches(prepared.tags())
        {
            return self.observe(Observation::Filtered);
        }
        if subscription.options.is_positioned && self.is_late(prepared, now) {
            return self.insufficient_state(id, now);
        }
        self.transmit_shared(prepared, form, now);
    }

    /// Compares a live subscription's position with the stream's top as of a moment ago.
    fn compare(&mut self, id: SubscriptionId, prepared: &Prepared, now: Now) {
        let (Some(subscription), Some(top)) = (self.table.get_mut(id), prepared.as_top()) else {
            return;
        };
        if !subscription.options.is_positioned {
            return;
        }
        let known = &subscription.position;
        let is_other_stream = !known.epoch.is_empty() && known.epoch != top.epoch;
        if is_other_stream || known.offset < top.offset {
            return self.insufficient_state(id, now);
        }
        subscription.checked_at = now.uptime;
        subscription.suspected = None;
    }

    fn transmit_shared(&mut self, prepared: &Arc<Prepared>, form: Form, now: Now) {
        let Transport {
            format, envelope, ..
        } = self.transport;
        if prepared.message(format, envelope, form).is_err() {
            return self.close(Disconnect::INAPPROPRIATE_PROTOCOL, now);
        }
        self.transmit(Message::Shared {
            prepared: Arc::clone(prepared),
            form,
        });
    }

    /// Whether a publication of a stream took longer on its way than is allowed.
    fn is_late(&self, prepared: &Prepared, now: Now) -> bool {
        let Some(lag_max) = self.settings.timing.position_lag_max else {
            return false;
        };
        let sent_at = prepared
            .as_publication()
            .map_or(0, |publication| publication.time);
        let lag_ms = now.unix.0.saturating_sub(sent_at);
        prepared.offset() > 0
            && sent_at > 0
            && u128::try_from(lag_ms).is_ok_and(|lag| lag > lag_max.as_millis())
    }
}
