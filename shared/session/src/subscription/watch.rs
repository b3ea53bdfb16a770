//! The tick that looks after subscriptions which expire or have a position.

use std::num::NonZeroU64;
use std::time::Duration;

use gyre_protocol::codes::{Disconnect, Unsubscribe};
use gyre_types::{Now, Position, SubscriptionId, Uptime};

use crate::commands::sub_refresh;
use crate::effect::{Effect, Failure, RefreshBy};
use crate::session::{Pending, Session};
use crate::subscription::Subscription;
use crate::subscription::ending::End;

/// When the next look is due. There is none while no subscription needs one.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    watched: u32,
    next: Option<Uptime>,
}

impl Watch {
    pub(crate) const fn next(&self) -> Option<Uptime> {
        self.next
    }
}

impl Session {
    /// Looks after a subscription that has just become live.
    pub(crate) fn watch(&mut self, id: SubscriptionId, now: Now) {
        let Some(subscription) = self.table.get_mut(id) else {
            return;
        };
        if !subscription.is_live() || !needs_watch(subscription) || subscription.is_watched {
            return;
        }
        subscription.is_watched = true;
        self.watch.watched += 1;
        if self.watch.next.is_none() {
            let interval = self.settings.timing.tick_interval;
            self.watch.next = Some(now.uptime + spread(interval, self.random()));
        }
    }

    /// Does not look after a subscription any more.
    pub(crate) fn unwatch(&mut self, id: SubscriptionId) {
        let Some(subscription) = self.table.get_mut(id) else {
            return;
        };
        if std::mem::take(&mut subscription.is_watched) {
            self.watch.watched = self.watch.watched.saturating_sub(1);
        }
        if self.watch.watched == 0 {
            self.watch.next = None;
        }
    }

    pub(crate) fn handle_watch(&mut self, now: Now) {
        if self.watch.next.is_none_or(|next| next > now.uptime) {
            return;
        }
        self.watch.next = Some(now.uptime + self.settings.timing.tick_interval);
        for id in self.table.ids() {
            if self.closing().is_some() {
                return;
            }
            self.look_after(id, now);
        }
    }

    /// The top of a watched stream was read.
    pub(crate) fn top_read(
        &mut self,
        id: SubscriptionId,
        outcome: Result<Position, Failure>,
        now: Now,
    ) {
        let (Some(subscription), Ok(top)) = (self.table.get_mut(id), outcome) else {
            return; // Left meanwhile; or the engine did not answer, and the next tick asks again.
        };
        if !subscription.is_live() {
            return;
        }
        let known = subscription.position;
        let is_other_stream = !known.epoch.is_empty() && known.epoch != top.epoch;
        if is_other_stream || top.offset < known.offset {
            return self.insufficient_state(id, now);
        }
        if top.offset == known.offset {
            subscription.checked_at = now.uptime;
            subscription.suspected = None;
            return;
        }
        // Ahead of us: on its way to us, or lost. What is on its way is here by the next tick.
        match subscription.suspected {
            Some(suspected) if known.offset < suspected.get() => self.insufficient_state(id, now),
            Some(_) | None => subscription.suspected = NonZeroU64::new(top.offset),
        }
    }

    fn look_after(&mut self, id: SubscriptionId, now: Now) {
        let timing = &self.settings.timing;
        let found = self.table.get(id);
        let Some(subscription) = found.filter(|found| found.is_live() && !found.is_ending()) else {
            return;
        };
        if is_expired(subscription, timing.expired_subscription_close_delay, now) {
            let is_server_side = subscription.options.is_server_side;
            match subscription.refresh_by() {
                RefreshBy::Client => self.subscription_expired(id, is_server_side, now),
                RefreshBy::Server => sub_refresh::ask(self, id),
            }
            return;
        }
        let quiet = now.uptime - subscription.checked_at;
        let is_suspected = subscription.suspected.is_some();
        let is_due = timing
            .position_check_delay
            .is_some_and(|delay| quiet >= delay);
        if subscription.options.is_positioned && (is_due || is_suspected) {
            let channel = subscription.channel.clone();
            self.issue(Effect::ReadTop { channel }, Pending::Top(id));
        }
    }

    /// A subscription has expired, and is not prolonged.
    pub(crate) fn subscription_expired(
        &mut self,
        id: SubscriptionId,
        is_server_side: bool,
        now: Now,
    ) {
        if is_server_side {
            return self.close(Disconnect::SUBSCRIPTION_EXPIRED, now);
        }
        let end = End::Server {
            unsubscribe: Unsubscribe::EXPIRED,
            control: None,
        };
        self.end_subscription(id, end);
    }
}

fn needs_watch(subscription: &Subscription) -> bool {
    subscription.options.is_positioned || subscription.expire_at().is_some()
}

/// Whether it is over with a subscription, or time to ask the backend.
fn is_expired(subscription: &Subscription, delay: Duration, now: Now) -> bool {
    // Who has to act at the end is given time for it; the server is not.
    let grace = match subscription.refresh_by() {
        RefreshBy::Client => delay,
        RefreshBy::Server => Duration::ZERO,
    };
    let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
    subscription.expire_at().is_some_and(|at| {
        let due_ms = at.0.saturating_mul(1000).saturating_add(grace_ms);
        now.unix.0 >= due_ms
    })
}

/// A point in the second half of the interval, so that connections do not tick together.
fn spread(interval: Duration, random: u64) -> Duration {
    let half_ms = u64::try_from(interval.as_millis() / 2).unwrap_or(u64::MAX);
    let extra_ms = random.rotate_left(32).checked_rem(half_ms).unwrap_or(0);
    Duration::from_millis(half_ms.saturating_add(extra_ms))
}
