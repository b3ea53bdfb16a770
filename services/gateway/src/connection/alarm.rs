use gyre_types::Uptime;

use crate::wheel::{HORIZON, TICK};

/// What the wheel has been asked for: at most one entry that counts.
///
/// An entry cannot be taken back. One that an earlier one has overtaken fires too, and must not be
/// answered with a new one: each would come back for ever.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    /// When the entry that counts fires.
    at: Option<Uptime>,
}

impl Alarm {
    pub(super) const fn new() -> Self {
        Self { at: None }
    }

    /// An entry has fired, perhaps the one that counts.
    pub(super) fn fired(&mut self, now: Uptime) {
        if self.at.is_some_and(|at| at <= now + TICK) {
            self.at = None;
        }
    }

    /// For when a new entry is needed to be woken at `next`; `None`: there is one.
    pub(super) fn arm(&mut self, now: Uptime, next: Uptime) -> Option<Uptime> {
        let at = next.min(now + HORIZON);
        if self.at.is_some_and(|armed| armed <= at) {
            return None;
        }
        self.at = Some(at);
        self.at
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A connection that is asked every six seconds for something that may take five, and has nothing
    /// else to wait for but an expiry in a year.
    #[test]
    fn what_was_overtaken_does_not_come_back() {
        let mut alarm = Alarm::new();
        let mut wheel: Vec<Uptime> = Vec::new();
        let year = Uptime::START + Duration::from_hours(365 * 24);
        let mut most = 0;
        for second in 0..1_000 {
            let now = Uptime::from_millis(second * 1_000);
            let before = wheel.len();
            wheel.retain(|at| *at > now);
            for _ in wheel.len()..before {
                alarm.fired(now);
                wheel.extend(alarm.arm(now, year));
            }
            if second % 6 == 0 {
                wheel.extend(alarm.arm(now, now + Duration::from_secs(5)));
            } else {
                wheel.extend(alarm.arm(now, year));
            }
            most = most.max(wheel.len());
        }
        assert!(most <= 15, "{most} entries");
    }

    #[test]
    fn an_entry_comes_for_whatever_is_earlier() {
        let mut alarm = Alarm::new();
        let at = |seconds| Uptime::START + Duration::from_secs(seconds);
        assert_eq!(alarm.arm(at(0), at(20)), Some(at(20)));
        assert_eq!(alarm.arm(at(0), at(25)), None);
        assert_eq!(alarm.arm(at(1), at(5)), Some(at(5)));
        alarm.fired(at(5));
        assert_eq!(alarm.arm(at(5), at(20)), Some(at(20)));
        alarm.fired(at(19)); // The first one, late or early: it does not count.
        assert_eq!(alarm.arm(at(19), at(20)), None);
        alarm.fired(at(20));
        assert_eq!(alarm.arm(at(20), at(1_000)), Some(at(80)));
    }
}
