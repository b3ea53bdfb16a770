//! How many connections this node takes, and how fast.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gyre_config::Client;
use gyre_types::Uptime;
use parking_lot::Mutex;

/// The node takes no more connections, or not so fast.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refused;

/// How many connections a node takes, and how fast.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    /// Connections at the same time; `None`: no limit.
    pub(crate) connections_max: Option<usize>,
    /// New connections in a second; `None`: no limit.
    pub(crate) per_second: Option<usize>,
}

impl Rates {
    pub(crate) fn of(client: &Client) -> Self {
        Self {
            connections_max: client.connection_limit.get(),
            per_second: client.connection_rate_limit.get(),
        }
    }
}

/// Limits of the node, before anything is known of a client.
#[derive(Debug)]
pub(crate) struct Admission {
    connections_max: AtomicUsize,
    open: AtomicUsize,
    /// The node hands its connections over and takes none any more.
    is_closed: AtomicBool,
    /// Nobody would know yet that the node has connections.
    is_suspended: AtomicBool,
    rate: Mutex<Option<Bucket>>,
}

impl Admission {
    pub(crate) fn new(rates: Rates) -> Self {
        let admission = Self {
            connections_max: AtomicUsize::new(usize::MAX),
            open: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            is_suspended: AtomicBool::new(false),
            rate: Mutex::default(),
        };
        admission.set(rates);
        admission
    }

    /// Sets other limits; who is in stays in.
    pub(crate) fn set(&self, rates: Rates) {
        let max = rates.connections_max.unwrap_or(usize::MAX);
        self.connections_max.store(max, Ordering::Release);
        let mut rate = self.rate.lock();
        if rate.as_ref().map(|bucket| bucket.rate) != rates.per_second.map(per_second) {
            *rate = rates.per_second.map(Bucket::new);
        }
    }

    /// Lets a connection in.
    ///
    /// # Errors
    ///
    /// [`Refused`] at one of the limits, and when the node takes nobody yet or any more.
    pub(crate) fn enter(&self, now: Uptime) -> Result<(), Refused> {
        if self.is_closed.load(Ordering::Acquire) || self.is_suspended() {
            return Err(Refused);
        }
        if let Some(bucket) = self.rate.lock().as_mut()
            && !bucket.take(now)
        {
            return Err(Refused);
        }
        let before = self.open.fetch_add(1, Ordering::AcqRel);
        if before >= self.connections_max.load(Ordering::Acquire) {
            self.leave();
            return Err(Refused);
        }
        Ok(())
    }

    /// Lets nobody in from now on.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Lets nobody in until [`Self::resume`].
    pub(crate) fn suspend(&self) {
        self.is_suspended.store(true, Ordering::Release);
    }

    pub(crate) fn resume(&self) {
        self.is_suspended.store(false, Ordering::Release);
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.is_suspended.load(Ordering::Acquire)
    }

    /// Takes back what [`Self::enter`] counted.
    pub(crate) fn leave(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A token bucket: a second's worth at once, then so many a second.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: u64,
    /// Unit: thousandths of a connection.
    tokens_milli: u64,
    filled_at: Uptime,
}

impl Bucket {
    pub(crate) fn new(rate: usize) -> Self {
        let rate = per_second(rate);
        Self {
            rate,
            tokens_milli: rate.saturating_mul(1000),
            filled_at: Uptime::START,
        }
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&mut self, now: Uptime) -> bool {
        let elapsed_ms = now.as_millis().saturating_sub(self.filled_at.as_millis());
        let gained = elapsed_ms.saturating_mul(self.rate);
        let most = self.rate.saturating_mul(1000);
        self.tokens_milli = self.tokens_milli.saturating_add(gained).min(most);
        self.filled_at = now;
        let has_one = self.tokens_milli >= 1000;
        if has_one {
            self.tokens_milli -= 1000;
        }
        has_one
    }
}

fn per_second(rate: usize) -> u64 {
    u64::try_from(rate).unwrap_or(u64::MAX / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_at_the_same_time() {
        let admission = Admission::new(rates(Some(2), None));
        assert_eq!(admission.enter(Uptime::START), Ok(()));
        assert_eq!(admission.enter(Uptime::START), Ok(()));
        assert_eq!(admission.enter(Uptime::START), Err(Refused));
        admission.leave();
        assert_eq!(admission.enter(Uptime::START), Ok(()));
    }

    #[test]
    fn only_so_many_in_a_second() {
        let admission = Admission::new(rates(None, Some(3)));
        let at = Uptime::from_millis(5_000);
        let entered = (0..5).filter(|_| admission.enter(at).is_ok()).count();
        assert_eq!(entered, 3);
        let later = Uptime::from_millis(5_334);
        assert_eq!(admission.enter(later), Ok(()));
        assert_eq!(admission.enter(later), Err(Refused));
    }

    #[test]
    fn who_is_suspended_may_resume_unless_all_are_handed_over() {
        let admission = Admission::new(rates(None, None));
        admission.suspend();
        assert_eq!(admission.enter(Uptime::START), Err(Refused));
        admission.resume();
        assert_eq!(admission.enter(Uptime::START), Ok(()));
        admission.suspend();
        admission.close();
        admission.resume();
        assert_eq!(admission.enter(Uptime::START), Err(Refused));
    }

    #[test]
    fn other_limits_hold_at_once_and_keep_who_is_in() {
        let admission = Admission::new(rates(None, None));
        assert_eq!(admission.enter(Uptime::START), Ok(()));
        admission.set(rates(Some(1), Some(1)));
        assert_eq!(admission.enter(Uptime::START), Err(Refused));
        admission.leave();
        let second = Uptime::from_millis(1_000);
        assert_eq!(admission.enter(second), Ok(()));
        admission.set(rates(None, Some(1)));
        assert_eq!(admission.enter(second), Err(Refused), "the rate goes on");
        admission.set(rates(None, None));
        assert_eq!(admission.enter(second), Ok(()));
    }

    fn rates(connections_max: Option<usize>, per_second: Option<usize>) -> Rates {
        Rates {
            connections_max,
            per_second,
        }
    }
}
