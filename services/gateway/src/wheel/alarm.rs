use gyre_types::Uptime;
use parking_lot::Mutex;

use super::HORIZON;

/// When a connection has to be woken, and what the wheel was asked for because of that.
///
/// The connection says when its next timeout is, the wheel asks when it fires. Most timeouts turn out
/// not to be needed (a pong came, so its absence is not to be noticed): then the entry moves on, and the
/// connection sleeps through it.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    due: Option<Uptime>,
    /// When the entry fires that counts. An entry cannot be taken back: one that an earlier one has
    /// overtaken fires too, and is not answered with a new one, or each would come back for ever.
    entry: Option<Uptime>,
}

/// What an entry that fires is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fired {
    /// A timeout is due.
    Due,
    /// None is before this.
    Again(Uptime),
    /// Nothing.
    Idle,
}

impl Alarm {
    /// The next timeout is at `due`. For when a new entry is needed for it; `None`: there is one.
    pub(crate) fn set(&self, now: Uptime, due: Option<Uptime>) -> Option<Uptime> {
        let mut state = self.0.lock();
        state.due = due;
        let at = due?.min(now + HORIZON);
        if state.entry.is_some_and(|entry| entry <= at) {
            return None;
        }
        state.entry = Some(at);
        state.entry
    }

    /// An entry has fired, perhaps the one that counts.
    pub(crate) fn fired(&self, now: Uptime) -> Fired {
        let mut state = self.0.lock();
        if state.entry.is_none_or(|entry| entry > now) {
            return Fired::Idle;
        }
        state.entry = None;
        match state.due {
            None => Fired::Idle,
            Some(due) if due <= now => Fired::Due,
            Some(due) => {
                let at = due.min(now + HORIZON);
                state.entry = Some(at);
                Fired::Again(at)
            }
        }
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
        let alarm = Alarm::default();
        let mut wheel: Vec<Uptime> = Vec::new();
        let year = at(365 * 24 * 3600);
        let mut most = 0;
        for second in 0..1_000 {
            let now = at(second);
            let before = wheel.len();
            wheel.retain(|at| *at > now);
            for _ in wheel.len()..before {
                match alarm.fired(now) {
                    Fired::Again(at) => wheel.push(at),
                    Fired::Due | Fired::Idle => {}
                }
            }
            let due = if second % 6 == 0 {
                at(second + 5)
            } else {
                year
            };
            wheel.extend(alarm.set(now, Some(due)));
            most = most.max(wheel.len());
        }
        assert!((1..=15).contains(&most), "{most} entries");
    }

    #[test]
    fn an_entry_comes_for_whatever_is_earlier() {
        let alarm = Alarm::default();
        assert_eq!(alarm.set(at(0), Some(at(20))), Some(at(20)));
        assert_eq!(alarm.set(at(0), Some(at(25))), None);
        assert_eq!(alarm.set(at(1), Some(at(5))), Some(at(5)));
        assert_eq!(alarm.fired(at(5)), Fired::Due);
        assert_eq!(alarm.set(at(5), Some(at(20))), Some(at(20)));
        assert_eq!(alarm.fired(at(19)), Fired::Idle); // One that was overtaken.
        assert_eq!(alarm.fired(at(20)), Fired::Due);
        assert_eq!(alarm.set(at(20), Some(at(1_000))), Some(at(80)));
    }

    #[test]
    fn a_timeout_that_is_not_needed_wakes_nobody() {
        let alarm = Alarm::default();
        assert_eq!(alarm.set(at(0), Some(at(8))), Some(at(8)));
        assert_eq!(alarm.set(at(1), Some(at(25))), None);
        assert_eq!(alarm.fired(at(8)), Fired::Again(at(25)));
        assert_eq!(alarm.set(at(9), None), None);
        assert_eq!(alarm.fired(at(25)), Fired::Idle);
    }

    fn at(seconds: u64) -> Uptime {
        Uptime::START + Duration::from_secs(seconds)
    }
}
