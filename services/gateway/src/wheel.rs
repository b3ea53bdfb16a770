//! One coarse timing wheel for all connections of a process.
//!
//! A timer per connection would cost more than the connection. Here a timeout is one entry in the
//! list of its tick, and one task sleeps until the first tick.
//!
//! # What to expect
//!
//! - A target fires at the end of the tick that its time falls into: never early, and late by up to
//!   [`TICK`] and what the runtime adds (its own timer is good to a millisecond).
//! - One that is further away than [`LONG`] may be late by [`SLACK`], so that many of them fall
//!   together: ten pings sent in one go cost half of what they cost one by one.
//! - Nothing can be cancelled. A target that fires looks at its own next timeout, and says when to come
//!   back if nothing is due: a spurious fire is part of the contract.
//! - Times further away than [`HORIZON`] fire at the horizon, so that a connection that is gone is
//!   held for no longer than that.

mod alarm;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gyre_types::Uptime;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

pub(crate) use self::alarm::{Alarm, Fired};

/// Length of a tick. Unit: duration.
///
/// 16 ms: the shortest timeout that clients notice is a second, and 60 ticks a second cost nothing.
pub const TICK: Duration = Duration::from_millis(TICK_MS);

/// What may be late by [`SLACK`]. Unit: duration.
pub const LONG: Duration = Duration::from_secs(8);

/// How late what is [`LONG`] may be. Unit: duration.
///
/// 128 ms: nobody notices after eight seconds.
pub const SLACK: Duration = Duration::from_millis(SLACK_TICKS * TICK_MS);

/// The furthest that a timeout is kept for. Unit: duration.
pub const HORIZON: Duration = Duration::from_mins(1);

const TICK_MS: u64 = 16;
const SLACK_TICKS: u64 = 8;

/// Targets that are fired before others on the thread get a turn. Unit: targets.
///
/// 32: a delivery waits for no more pings than that.
const BURST: usize = 32;

/// What a timeout is reported to.
pub trait Target: Send + Sync + 'static {
    /// A timeout may be due; gives when to fire again, if that is known by now. Must be quick and must
    /// not block: thousands may be fired in one go.
    fn fire(&self, now: Uptime) -> Option<Uptime>;
}

/// The timeouts of many targets. Shared in an `Arc`; does nothing unless [`Wheel::run`] is running.
#[derive(Debug)]
pub struct Wheel<T> {
    zero: Instant,
    ticks: Mutex<Ticks<T>>,
    earlier: Notify,
}

#[derive(Debug)]
struct Ticks<T> {
    due: BTreeMap<u64, Vec<Arc<T>>>,
    /// The tick that the task sleeps until.
    next: u64,
}

impl<T: Target> Wheel<T> {
    /// An empty wheel for a clock whose [`Uptime::START`] was at `zero`.
    #[must_use]
    pub fn new(zero: Instant) -> Self {
        let ticks = Ticks {
            due: BTreeMap::new(),
            next: u64::MAX,
        };
        Self {
            zero,
            ticks: Mutex::new(ticks),
            earlier: Notify::new(),
        }
    }

    /// Has `target` fired at `at`, seen from `now`: soon if `at` is past, at the horizon if it is far.
    ///
    /// Costs a lock and a look-up among at most 3 750 ticks.
    pub fn schedule(&self, now: Uptime, at: Uptime, target: Arc<T>) {
        let tick = tick_of(now, at.min(now + HORIZON));
        let mut ticks = self.ticks.lock();
        ticks.due.entry(tick).or_default().push(target);
        if tick < ticks.next {
            ticks.next = tick;
            drop(ticks);
            self.earlier.notify_one();
        }
    }

    /// How many timeouts are scheduled.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ticks.lock().due.values().map(Vec::len).sum()
    }

    /// Whether none is scheduled.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ticks.lock().due.is_empty()
    }

    /// Fires what falls due, for ever.
    ///
    /// # Cancel safety
    ///
    /// Targets of a tick that was being fired when this was dropped may be lost; all others stay.
    pub async fn run(self: Arc<Self>) {
        loop {
            let now = Uptime::START + Instant::now().saturating_duration_since(self.zero);
            let mut fired = 0;
            while let Some(targets) = self.take_due(now.as_millis() / TICK_MS) {
                for target in targets {
                    if let Some(again) = target.fire(now) {
                        self.schedule(now, again, target);
                    }
                    fired += 1;
                    if fired % BURST == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            }
            self.sleep().await;
        }
    }

    /// The targets of the first tick if it is not after `now`.
    fn take_due(&self, now: u64) -> Option<Vec<Arc<T>>> {
        let mut ticks = self.ticks.lock();
        let first = ticks.due.first_entry().filter(|first| *first.key() <= now);
        let targets = first.map(std::collections::btree_map::OccupiedEntry::remove);
        if targets.is_none() {
            ticks.next = ticks
                .due
                .first_key_value()
                .map_or(u64::MAX, |(tick, _)| *tick);
        }
        targets
    }

    async fn sleep(&self) {
        let next = self.ticks.lock().next;
        let after = Duration::from_millis(next.saturating_mul(TICK_MS));
        match self.zero.checked_add(after).filter(|_| next != u64::MAX) {
            None => self.earlier.notified().await,
            Some(at) => tokio::select! {
                () = sleep_until(at) => {}
                () = self.earlier.notified() => {}
            },
        }
    }
}

/// The tick at whose end a timeout fires.
fn tick_of(now: Uptime, at: Uptime) -> u64 {
    let tick = at.as_millis().div_ceil(TICK_MS);
    if at - now > LONG {
        tick.next_multiple_of(SLACK_TICKS)
    } else {
        tick
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    #[derive(Default)]
    struct Log {
        fired_ms: Mutex<Vec<u64>>,
        again: Mutex<Option<Uptime>>,
    }

    impl Target for Log {
        fn fire(&self, now: Uptime) -> Option<Uptime> {
            self.fired_ms.lock().push(now.as_millis());
            self.again.lock().take()
        }
    }

    struct Bench {
        zero: Instant,
        wheel: Arc<Wheel<Log>>,
    }

    impl Bench {
        fn start() -> Self {
            let zero = Instant::now();
            let wheel = Arc::new(Wheel::new(zero));
            Self { zero, wheel }
        }

        fn now(&self) -> Uptime {
            Uptime::START + (Instant::now() - self.zero)
        }

        fn schedule(&self, after_ms: u64, target: &Arc<Log>) {
            let now = self.now();
            let at = now + Duration::from_millis(after_ms);
            self.wheel.schedule(now, at, Arc::clone(target));
        }

        async fn pass(&self, ms: u64) {
            let rest = tokio::time::sleep(Duration::from_millis(ms));
            tokio::select! {
                () = Arc::clone(&self.wheel).run() => {}
                () = rest => {}
            }
        }
    }

    /// What each of `fired` is late by, against `expected`.
    fn lateness(fired: &[u64], expected: &[u64]) -> Vec<u64> {
        assert_eq!(fired.len(), expected.len(), "{fired:?}");
        fired
            .iter()
            .zip(expected)
            .map(|(at, due)| at.checked_sub(*due).unwrap())
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn fires_never_early_and_at_most_a_tick_late() {
        let bench = Bench::start();
        let target = Arc::<Log>::default();
        let times = [0, 1, 15, 16, 17, 1000, 7_999, 25_000, 59_999];
        for ms in times {
            bench.schedule(ms, &target);
        }
        bench.pass(70_000).await;
        let late = lateness(&target.fired_ms.lock(), &times);
        let (short, long) = late.split_at(7);
        // One more millisecond is the runtime's.
        assert!(short.iter().all(|ms| *ms <= 17), "{late:?}");
        assert!(long.iter().all(|ms| *ms <= 129), "{late:?}");
        assert!(bench.wheel.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_far_falls_together() {
        let bench = Bench::start();
        let target = Arc::<Log>::default();
        for ms in 25_000..25_128 {
            bench.schedule(ms, &target);
        }
        bench.pass(30_000).await;
        let mut times = target.fired_ms.lock().clone();
        times.dedup();
        assert!(times.len() <= 2, "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_may_say_when_to_come_back() {
        let bench = Bench::start();
        let target = Arc::<Log>::default();
        bench.schedule(1_000, &target);
        *target.again.lock() = Some(bench.now() + Duration::from_secs(3));
        bench.pass(10_000).await;
        let late = lateness(&target.fired_ms.lock(), &[1_000, 3_000]);
        assert!(late.iter().all(|ms| *ms <= 17), "{late:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_one_interrupts_the_sleep() {
        let bench = Bench::start();
        let (late, early) = (Arc::<Log>::default(), Arc::<Log>::default());
        bench.schedule(10_000, &late);
        let (wheel, inserted) = (Arc::clone(&bench.wheel), Arc::clone(&early));
        let insert = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            bench.schedule(500, &inserted);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = wheel.run() => {}
            () = insert => {}
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
        }
        assert!(lateness(&early.fired_ms.lock(), &[2500])[0] <= 17);
        assert!(late.fired_ms.lock().is_empty());
        assert_eq!(bench.wheel.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_past_fires_at_once() {
        let bench = Bench::start();
        let target = Arc::<Log>::default();
        bench.pass(1000).await;
        bench
            .wheel
            .schedule(bench.now(), Uptime::START, Arc::clone(&target));
        bench.pass(1).await;
        assert_eq!(lateness(&target.fired_ms.lock(), &[1000]), [0]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_far_fires_at_the_horizon() {
        let bench = Bench::start();
        let target = Arc::<Log>::default();
        bench.schedule(365 * 24 * 3_600_000, &target);
        bench.pass(61_000).await;
        assert!(lateness(&target.fired_ms.lock(), &[60_000])[0] <= 129);
        assert_eq!(Arc::strong_count(&target), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_in_one_tick_all_fires() {
        let bench = Bench::start();
        let targets: Vec<_> = (0..1000).map(|_| Arc::<Log>::default()).collect();
        for target in &targets {
            bench.schedule(100, target);
        }
        bench.pass(200).await;
        assert!(
            targets
                .iter()
                .all(|target| target.fired_ms.lock().len() == 1)
        );
    }
}
