use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use gyre_types::{Now, UnixMillis, Uptime};
use tokio::time::Instant;

/// How often civil time is read from the system. Unit: milliseconds.
///
/// One second: tokens expire by whole seconds, and a clock that was set is followed as fast.
const CORRECTION_MS: u64 = 1_000;

/// Difference to the system's clock that is let be. Unit: milliseconds.
///
/// Two: rounding of both clocks makes one, and following it would let civil time step back.
const TOLERANCE_MS: u64 = 2;

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
    /// Civil time at `start`. Unit: milliseconds since the Unix epoch.
    offset: AtomicI64,
    /// Uptime from which the offset is compared again; `u64::MAX` for a clock that is not.
    correction: AtomicU64,
}

impl Clock {
    /// Starts at zero uptime.
    #[must_use]
    pub fn start() -> Self {
        Self::with(system_millis(), CORRECTION_MS)
    }

    /// Starts at zero uptime and the given civil time, and does not follow the system's: for tests
    /// that move time.
    #[must_use]
    pub fn fixed(unix: UnixMillis) -> Self {
        Self::with(unix.0, u64::MAX)
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
        // `as_millis` counts in 128 bits.
        let uptime = elapsed.as_secs() * 1000 + u64::from(elapsed.subsec_millis());
        if uptime >= shared.correction.load(Ordering::Relaxed) {
            shared.correct(uptime, system_millis());
        }
        Now {
            uptime: Uptime::from_millis(uptime),
            unix: UnixMillis(
                shared
                    .offset
                    .load(Ordering::Relaxed)
                    .saturating_add_unsigned(uptime),
            ),
        }
    }
}

impl Shared {
    fn correct(&self, uptime: u64, system: i64) {
        self.correction
            .store(uptime + CORRECTION_MS, Ordering::Relaxed);
        let offset = system.saturating_sub_unsigned(uptime);
        if offset.abs_diff(self.offset.load(Ordering::Relaxed)) >= TOLERANCE_MS {
            self.offset.store(offset, Ordering::Relaxed);
        }
    }
}

/// Civil time as the system has it; zero before 1970.
fn system_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
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
        let off = clock.now().unix.0.abs_diff(system_millis());
        assert!(off < 1_000, "{off} ms");
    }

    #[test]
    fn a_clock_that_was_set_is_followed_and_rounding_is_not() {
        let clock = Clock::with(5_000, 0);
        clock.shared.correct(0, 5_001);
        assert_eq!(clock.shared.offset.load(Ordering::Relaxed), 5_000);
        clock.shared.correct(0, 65_000);
        assert_eq!(clock.shared.offset.load(Ordering::Relaxed), 65_000);
        assert_eq!(
            clock.shared.correction.load(Ordering::Relaxed),
            CORRECTION_MS
        );
    }
}
