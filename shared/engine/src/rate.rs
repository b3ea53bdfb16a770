use std::num::NonZeroU32;
use std::time::Duration;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// How much may be done at once after a pause. 50 ms' worth, at least one.
const BURST: Duration = Duration::from_millis(50);

/// What was granted of a rate that all processes share.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Permits {
    /// How many, at most as many as were wanted.
    pub granted: u32,
    /// How long it takes until there is one more.
    pub wait: Duration,
}

/// A rate, exact over any time: so many a second, with no more than [`BURST`] at once.
///
/// Time is whoever's: nanoseconds since any moment. Time that goes back grants nothing more.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Meter {
    /// When everything that was granted is paid for. Unit: nanoseconds.
    paid_at: u64,
}

impl Meter {
    /// Takes up to `wanted` at the moment `now_ns`.
    pub fn take(&mut self, now_ns: u64, per_second: NonZeroU32, wanted: u32) -> Permits {
        let price = NANOS_PER_SECOND / u64::from(per_second.get());
        let burst = u64::try_from(BURST.as_nanos())
            .unwrap_or(u64::MAX)
            .max(price);
        let from = self.paid_at.max(now_ns);
        let credit = (now_ns + burst).saturating_sub(from);
        let affordable = u32::try_from(credit / price).unwrap_or(u32::MAX);
        let granted = wanted.min(affordable);
        self.paid_at = from + u64::from(granted) * price;
        let next = (self.paid_at + price).saturating_sub(now_ns + burst);
        Permits {
            granted,
            wait: Duration::from_nanos(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_second: u32) -> NonZeroU32 {
        NonZeroU32::new(per_second).unwrap()
    }

    /// How long it takes to get this many, waiting exactly as told. Unit: nanoseconds.
    fn time_for(per_second: u32, count: u32, wanted: u32) -> u64 {
        let (mut meter, mut now, mut got) = (Meter::default(), 1_000, 0);
        loop {
            let permits = meter.take(now, rate(per_second), wanted.min(count - got));
            got += permits.granted;
            if got == count {
                return now - 1_000;
            }
            now += u64::try_from(permits.wait.as_nanos()).unwrap();
        }
    }

    #[test]
    fn the_rate_is_exact() {
        for (per_second, count) in [
            (1, 5),
            (10, 100),
            (100, 1000),
            (1000, 5000),
            (20_000, 40_000),
        ] {
            let burst = (per_second / 20).max(1);
            let expected = u64::from(count - burst) * NANOS_PER_SECOND / u64::from(per_second);
            for wanted in [1, 7, 50, u32::MAX] {
                assert_eq!(
                    time_for(per_second, count, wanted),
                    expected,
                    "{per_second}/s"
                );
            }
        }
    }

    #[test]
    fn a_pause_does_not_add_up() {
        let mut meter = Meter::default();
        let later = 3600 * NANOS_PER_SECOND;
        assert_eq!(meter.take(later, rate(1000), u32::MAX).granted, 50);
        assert_eq!(meter.take(later, rate(1000), u32::MAX).granted, 0);
        assert_eq!(meter.take(later - 1, rate(1000), u32::MAX).granted, 0);
    }

    #[test]
    fn several_share_it() {
        let mut meter = Meter::default();
        let mut got = [0, 0];
        for turn in 0..10_000_u64 {
            let now = turn * 1_000_000;
            got[usize::from(turn % 2 == 1)] += meter.take(now, rate(500), 3).granted;
        }
        // Ten seconds of 500, and what was there at first.
        let all: u32 = got.iter().sum();
        assert!((5_000..=5_025).contains(&all), "{got:?}");
    }
}
