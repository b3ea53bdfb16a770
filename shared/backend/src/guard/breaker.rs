use std::time::Duration;

use gyre_config::proxy::CircuitBreaker;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::error::CallError;

/// Parts that the window is counted in. 10: calls fall out of it a tenth of it late.
const SLICES: u32 = 10;

/// Fails calls at once while most of those before them failed.
#[derive(Debug)]
pub(super) struct Breaker {
    rules: Rules,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct Rules {
    slice: Duration,
    min_calls: u32,
    failure_percent: u32,
    open_interval: Duration,
    probes: u32,
}

#[derive(Debug)]
enum State {
    /// Calls go through and are counted.
    Closed(Window),
    /// Calls fail until then.
    Open { until: Instant },
    /// Some calls go through to see whether it is over.
    HalfOpen { given: u32, succeeded: u32 },
}

/// Leave for one call. Dropped without an outcome, it counts as nothing.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    is_done: bool,
}

impl Breaker {
    /// `None` if it is not enabled.
    pub(super) fn new(options: &CircuitBreaker) -> Option<Self> {
        if !options.enabled {
            return None;
        }
        let span = |span: gyre_config::Millis| span.duration().unwrap_or(Duration::from_secs(1));
        let rules = Rules {
            slice: span(options.window) / SLICES,
            min_calls: options.min_calls,
            failure_percent: options.failure_percent,
            open_interval: span(options.open_interval),
            probes: options.probes,
        };
        Some(Self {
            rules,
            state: Mutex::new(State::Closed(Window::new(Instant::now()))),
        })
    }

    /// Asks for leave.
    ///
    /// # Errors
    ///
    /// [`CallError::Open`].
    pub(super) fn permit(&self) -> Result<Permit<'_>, CallError> {
        let mut state = self.state.lock();
        if let State::Open { until } = &*state
            && Instant::now() >= *until
        {
            *state = State::HalfOpen {
                given: 0,
                succeeded: 0,
            };
        }
        let is_probe = match &mut *state {
            State::Closed(_) => false,
            State::HalfOpen { given, .. } if *given < self.rules.probes => {
                *given += 1;
                true
            }
            State::HalfOpen { .. } | State::Open { .. } => return Err(CallError::Open),
        };
        Ok(Permit {
            breaker: self,
            is_probe,
            is_done: false,
        })
    }

    /// Whether calls fail at once.
    pub(super) fn is_open(&self) -> bool {
        match &*self.state.lock() {
            State::Closed(_) | State::HalfOpen { .. } => false,
            State::Open { until } => Instant::now() < *until,
        }
    }

    fn record(&self, is_probe: bool, is_ok: bool) {
        let now = Instant::now();
        let rules = &self.rules;
        let mut state = self.state.lock();
        let next = match &mut *state {
            // A call from before the breaker opened says nothing about what is now.
            State::HalfOpen { .. } if !is_probe => None,
            State::HalfOpen { .. } if !is_ok => Some(rules.opened(now)),
            State::HalfOpen { succeeded, .. } => {
                *succeeded += 1;
                (*succeeded >= rules.probes).then(|| State::Closed(Window::new(now)))
            }
            State::Closed(window) => {
                window.count(now, rules.slice, is_ok);
                window.is_bad(rules).then(|| rules.opened(now))
            }
            State::Open { .. } => None,
        };
        if let Some(next) = next {
            *state = next;
        }
    }

    /// A probe that ended without an outcome leaves its place to another.
    fn give_back(&self) {
        if let State::HalfOpen { given, .. } = &mut *self.state.lock() {
            *given = given.saturating_sub(1);
        }
    }
}

impl Rules {
    fn opened(&self, now: Instant) -> State {
        State::Open {
            until: now + self.open_interval,
        }
    }
}

impl Permit<'_> {
    /// Says what became of the call.
    pub(super) fn done(mut self, is_ok: bool) {
        self.is_done = true;
        self.breaker.record(self.is_probe, is_ok);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_probe && !self.is_done {
            self.breaker.give_back();
        }
    }
}

/// Calls of the last while, in slices of time.
#[derive(Debug)]
struct Window {
    start: Instant,
    slices: [Slice; SLICES as usize],
}

#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    /// Which one since the start; a slice is used again when its time comes round.
    number: u64,
    calls: u32,
    failures: u32,
}

impl Window {
    fn new(start: Instant) -> Self {
        Self {
            start,
            slices: [Slice::default(); SLICES as usize],
        }
    }

    fn count(&mut self, now: Instant, slice: Duration, is_ok: bool) {
        let number = (now - self.start).as_nanos() / slice.as_nanos().max(1);
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        let oldest = number.saturating_sub(u64::from(SLICES) - 1);
        for slice in &mut self.slices {
            if slice.number < oldest {
                *slice = Slice::default();
            }
        }
        let place = usize::try_from(number % u64::from(SLICES)).unwrap_or(0);
        if let Some(slice) = self.slices.get_mut(place) {
            slice.number = number;
            slice.calls = slice.calls.saturating_add(1);
            slice.failures = slice.failures.saturating_add(u32::from(!is_ok));
        }
    }

    fn is_bad(&self, rules: &Rules) -> bool {
        let sum = |of: fn(&Slice) -> u32| self.slices.iter().map(|one| u64::from(of(one))).sum();
        let (calls, failures): (u64, u64) = (sum(|one| one.calls), sum(|one| one.failures));
        calls >= u64::from(rules.min_calls)
            && failures * 100 >= calls * u64::from(rules.failure_percent)
    }
}

#[cfg(test)]
mod tests {
    use gyre_config::Millis;
    use tokio::time::advance;

    use super::*;

    fn breaker(probes: u32) -> Breaker {
        Breaker::new(&CircuitBreaker {
            enabled: true,
            window: Millis::from_secs(10),
            min_calls: 4,
            failure_percent: 50,
            open_interval: Millis::from_secs(5),
            probes,
        })
        .unwrap()
    }

    fn call(breaker: &Breaker, is_ok: bool) -> bool {
        breaker.permit().map(|permit| permit.done(is_ok)).is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_when_enough_calls_failed_and_closes_after_a_good_probe() {
        let breaker = breaker(1);
        for is_ok in [true, true, false] {
            assert!(call(&breaker, is_ok));
        }
        assert!(call(&breaker, false), "three calls say nothing yet");
        assert!(breaker.is_open());
        assert!(!call(&breaker, true), "half of four failed");
        advance(Duration::from_secs(5)).await;
        assert!(call(&breaker, true), "a probe");
        assert!(call(&breaker, true), "closed");
        assert!(
            call(&breaker, false) && call(&breaker, true),
            "counted anew"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_fails_opens_it_again() {
        let breaker = breaker(1);
        for _ in 0..4 {
            call(&breaker, false);
        }
        advance(Duration::from_secs(5)).await;
        assert!(call(&breaker, false));
        assert!(!call(&breaker, true));
        advance(Duration::from_secs(5)).await;
        assert!(call(&breaker, true));
        assert!(!breaker.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_probes_go_than_allowed_and_a_dropped_one_makes_room() {
        let breaker = breaker(2);
        for _ in 0..4 {
            call(&breaker, false);
        }
        advance(Duration::from_secs(5)).await;
        let first = breaker.permit().unwrap();
        let second = breaker.permit().unwrap();
        assert!(breaker.permit().is_err());
        drop(second);
        let second = breaker.permit().unwrap();
        first.done(true);
        assert!(breaker.permit().is_err(), "one good probe of two");
        second.done(true);
        assert!(call(&breaker, true));
    }

    #[tokio::test(start_paused = true)]
    async fn old_failures_are_forgotten() {
        let breaker = breaker(1);
        for _ in 0..3 {
            call(&breaker, false);
        }
        advance(Duration::from_secs(11)).await;
        assert!(call(&breaker, false));
        assert!(!breaker.is_open());
        for _ in 0..3 {
            advance(Duration::from_secs(2)).await;
            call(&breaker, false);
        }
        assert!(breaker.is_open(), "four within ten seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_from_before_do_not_decide_a_probe() {
        let breaker = breaker(1);
        let early = breaker.permit().unwrap();
        for _ in 0..4 {
            call(&breaker, false);
        }
        advance(Duration::from_secs(5)).await;
        let probe = breaker.permit().unwrap();
        early.done(false);
        probe.done(true);
        assert!(call(&breaker, true));
    }
}
