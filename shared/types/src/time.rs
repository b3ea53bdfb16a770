use std::num::NonZeroU64;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point on the process's own monotonic clock. Unit: milliseconds since start.
///
/// Sans-IO code takes it in place of `std::time::Instant`: half the size, an `Option` of it no larger,
/// and a test, a fuzzer or a snapshot can write any value of it down.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Uptime {
    /// The millisecond that it lies in, the first being 1.
    millisecond: NonZeroU64,
}

impl Uptime {
    /// When the process started.
    pub const START: Self = Self::from_millis(0);

    /// The point that lies `millis` after the start; the last one of all is as good as never.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self {
            millisecond: NonZeroU64::MIN.saturating_add(millis),
        }
    }

    /// Milliseconds since the start.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.millisecond.get() - 1
    }
}

impl Default for Uptime {
    fn default() -> Self {
        Self::START
    }
}

impl Add<Duration> for Uptime {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        let millis = u64::try_from(later.as_millis()).unwrap_or(u64::MAX);
        Self {
            millisecond: self.millisecond.saturating_add(millis),
        }
    }
}

impl Sub for Uptime {
    type Output = Duration;

    /// How long after `earlier`; zero if it was not earlier.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_millis(self.as_millis().saturating_sub(earlier.as_millis()))
    }
}

/// A point of civil time. Unit: whole seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixSeconds(pub i64);

/// A point of civil time. Unit: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The second that this point lies in.
    #[must_use]
    pub const fn seconds(self) -> UnixSeconds {
        UnixSeconds(self.0.div_euclid(1000))
    }
}

/// The present, on both clocks, read together once per turn.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Now {
    /// For intervals and timeouts.
    pub uptime: Uptime,
    /// For expiry, which tokens give in civil time.
    pub unix: UnixMillis,
}

impl Now {
    /// The civil second.
    #[must_use]
    pub const fn unix_seconds(self) -> UnixSeconds {
        self.unix.seconds()
    }
}

impl Add<Duration> for Now {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        let millis = i64::try_from(later.as_millis()).unwrap_or(i64::MAX);
        Self {
            uptime: self.uptime + later,
            unix: UnixMillis(self.unix.0.saturating_add(millis)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_move_together() {
        let later = Now::default() + Duration::from_millis(2500);
        assert_eq!(later.uptime - Uptime::START, Duration::from_millis(2500));
        assert_eq!(later.unix_seconds(), UnixSeconds(2));
        assert_eq!(Uptime::START - later.uptime, Duration::ZERO);
        let never = Uptime::START + Duration::MAX;
        assert_eq!(never, Uptime::from_millis(u64::MAX));
        assert!(never > later.uptime && never.as_millis() == u64::MAX - 1);
        assert_eq!(UnixMillis(-1).seconds(), UnixSeconds(-1));
    }
}
