//! How many connections this node takes, and how fast.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gyre_types::Uptime;
use parking_lot::Mutex;

/// The node takes no more connections, or not so fast.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refused;

/// Limits of the node, before anything is known of a client.
#[derive(Debug)]
pub(crate) struct Admission {
    /// Connections at the same time; `None`: no limit.
    connections_max: Option<usize>,
    open: AtomicUsize,
    /// The node hands its connections over and takes none any more.
    is_closed: AtomicBool,
    rate: Option<Mutex<Bucket>>,
}

impl Admission {
    pub(crate) fn new(connections_max: Option<usize>, per_second: Option<usize>) -> Self {
        Self {
            connections_max,
            open: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            rate: per_second.map(|rate| Mutex::new(Bucket::new(rate))),
        }
    }

    /// Lets a connection in.
    ///
    /// # Errors
    ///
    /// [`Refused`] at one of the limits, and when the node takes nobody any more.
    pub(crate) fn enter(&self, now: Uptime) -> Result<(), Refused> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(Refused);
        }
        if let Some(rate) = &self.rate
            && !rate.lock().take(now)
        {
            return Err(Refused);
        }
        let before = self.open.fetch_add(1, Ordering::AcqRel);
        if self.connections_max.is_some_and(|max| before >= max) {
            self.leave();
            return Err(Refused);
        }
        Ok(())
    }

    /// Lets nobody in from now on.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Takes back what [`Self::enter`] counted.
    pub(crate) fn leave(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A token bucket: a second's worth at once, then so many a second.
#[derive(Debug)]
struct Bucket {
    rate: u64,
    /// Unit: thousandths of a connection.
    tokens_milli: u64,
    filled_at: Uptime,
}

impl Bucket {
    fn new(rate: usize) -> Self {
        let rate = u64::try_from(rate).unwrap_or(u64::MAX / 1000);
        Self {
            rate,
            tokens_milli: rate.saturating_mul(1000),
            filled_at: Uptime::START,
        }
    }

    fn take(&mut self, now: Uptime) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_at_the_same_time() {
        let admission = Admission::new(Some(2), None);
        assert_eq!(admission.enter(Uptime::START), Ok(()));
        assert_eq!(admission.enter(Uptime::START), Ok(()));
        assert_eq!(admission.enter(Uptime::START), Err(Refused));
        admission.leave();
        assert_eq!(admission.enter(Uptime::START), Ok(()));
    }

    #[test]
    fn only_so_many_in_a_second() {
        let admission = Admission::new(None, Some(3));
        let at = Uptime::from_millis(5_000);
        let entered = (0..5).filter(|_| admission.enter(at).is_ok()).count();
        assert_eq!(entered, 3);
        let later = Uptime::from_millis(5_334);
        assert_eq!(admission.enter(later), Ok(()));
        assert_eq!(admission.enter(later), Err(Refused));
    }
}
