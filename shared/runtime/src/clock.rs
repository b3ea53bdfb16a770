use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use gyre_types::{Now, UnixMillis, Uptime};
use tokio::time::Instant;

/// How often civil time is read from the system. Unit: milliseconds.
///
/// One second: tokens expire by whole seconds, and a clock that was set is followed as fast.
const CORRECTION_MS: u64 = 1_000;

/// How far civil time may be ahead of the system's clock. Unit: microseconds.
///
/// Two milliseconds: a clock that is slowed down is not worth a step back. Behind it is never let be: in
/// the first moment of a second a token would seem to last longer than its issuer said.
const AHEAD_MAX_US: i64 = 2_000;

/// The process's one clock. Cheap to read and to clone.
///
/// Civil time is the monotonic clock plus an offset, which is corrected once a second: one system
/// call for both, and they never disagree within a turn.
#[derive(Clone, Debug)]
pub struct Clock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    start: Instant,
    /// Civil time at `start`. Unit: microseconds since the Unix epoch.
    offset: AtomicI64,
    /// Uptime from which the offset is compared again; `u64::MAX` for a clock that is not.
    correction: AtomicU64,
}

impl Clock {
    /// Starts at zero uptime.
    #[must_use]
    pub fn start() -> Self {
        Self::with(system_micros(), 0)
    }

    /// Starts at zero uptime and the given civil time, and does not follow the system's: for tests
    /// that move time.
    #[must_use]
    pub fn fixed(unix: UnixMillis) -> Self {
        Self::with(unix.0.saturating_mul(1_000), u64::MAX)
    }

    fn with(offset: i64, correction: u64) -> Self {
        Self {
            shared: Arc::new(Shared {
                start: Instant::now(),
                offset: AtomicI64::new(offset),
                correction: AtomicU64::new(correction),
            }),
        }
    }

    /// The present, on both clocks.
    #[must_use]
    pub fn now(&self) -> Now {
        let shared = &*self.shared;
        let elapsed = shared.start.elapsed();
        // `as_micros` counts in 128 bits.
        let micros = elapsed.as_secs() * 1_000_000 + u64::from(elapsed.subsec_micros());
        let uptime = micros / 1_000;
        if uptime >= shared.correction.load(Ordering::Relaxed) {
            shared.correct(micros, system_micros());
        }
        let offset = shared.offset.load(Ordering::Relaxed);
        Now {
            uptime: Uptime::from_millis(uptime),
            unix: UnixMillis(offset.saturating_add_unsigned(micros).div_euclid(1_000)),
        }
    }
}

impl Shared {
    fn correct(&self, micros: u64, system: i64) {
        let next = micros / 1_000 + CORRECTION_MS;
        self.correction.store(next, Ordering::Relaxed);
        let offset = system.saturating_sub_unsigned(micros);
        let ahead = self.offset.load(Ordering::Relaxed).saturating_sub(offset);
        if !(0..AHEAD_MAX_US).contains(&ahead) {
            self.offset.store(offset, Ordering::Relaxed);
        }
    }
}

/// Civil time as the system has it; zero before 1970.
fn system_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fixed_clock_moves_with_the_test() {
        let clock = Clock::fixed(UnixMillis(1_000_000));
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.now().uptime, Uptime::from_millis(90_000));
        assert_eq!(clock.now().unix, UnixMillis(1_090_000));
    }

    #[test]
    fn the_running_clock_agrees_with_the_system() {
        let clock = Clock::start();
        for _ in 0..10_000 {
            let (before, unix) = (system_micros(), clock.now().unix.0);
            assert!(unix >= before / 1_000, "behind: {unix}, {before}");
            assert!(unix <= system_micros() / 1_000 + 1, "ahead: {unix}");
        }
    }

    #[test]
    fn a_clock_that_was_set_is_followed_and_one_that_is_slowed_down_is_not() {
        let clock = Clock::with(5_000_000, 0);
        clock.shared.correct(0, 5_000_000 - AHEAD_MAX_US + 1);
        assert_eq!(clock.shared.offset.load(Ordering::Relaxed), 5_000_000);
        for set in [5_000_001, 65_000_000, 6_000_000] {
            clock.shared.correct(0, set);
            assert_eq!(clock.shared.offset.load(Ordering::Relaxed), set);
        }
        assert_eq!(
            clock.shared.correction.load(Ordering::Relaxed),
            CORRECTION_MS
        );
    }
}
