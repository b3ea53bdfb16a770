use std::fmt;
use std::time::Duration;

use gyre_config::proxy::Retry;
use tower::retry::budget::{Budget as _, TpsBudget};

use crate::error::CallError;
use crate::messages::event::Event;

/// The time that the budget looks back on.
const BUDGET_TIME: Duration = Duration::from_secs(10);

/// Repeats per second that are there even if hardly anybody calls.
const BUDGET_MIN_PER_SECOND: u32 = 1;

/// Repeats of calls that got no answer.
pub(super) struct Retries {
    attempts: u32,
    delay: Duration,
    budget: TpsBudget,
}

/// The repeats that one call may have.
pub(super) struct Tries<'a> {
    left: u32,
    wait: Duration,
    budget: &'a TpsBudget,
}

impl Retries {
    pub(super) fn new(options: &Retry) -> Self {
        let percent = u16::try_from(options.budget_percent).unwrap_or(100);
        Self {
            attempts: options.attempts,
            delay: options.delay.duration().unwrap_or_default(),
            budget: TpsBudget::new(
                BUDGET_TIME,
                BUDGET_MIN_PER_SECOND,
                f32::from(percent) / 100.0,
            ),
        }
    }

    /// A call begins.
    pub(super) fn tries(&self, event: Event) -> Tries<'_> {
        let left = if event.is_idempotent() {
            self.attempts
        } else {
            0
        };
        if left > 0 {
            self.budget.deposit();
        }
        Tries {
            left,
            wait: self.delay,
            budget: &self.budget,
        }
    }
}

impl Tries<'_> {
    /// How long to wait before the next try; `None` if there is none.
    pub(super) fn next(&mut self, error: &CallError) -> Option<Duration> {
        if self.left == 0 || !error.may_pass() || !self.budget.withdraw() {
            return None;
        }
        self.left -= 1;
        let wait = self.wait;
        self.wait = wait.saturating_mul(2);
        Some(wait)
    }
}

impl fmt::Debug for Retries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retries")
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use gyre_config::Millis;

    use super::*;

    fn retries(attempts: u32) -> Retries {
        Retries::new(&Retry {
            attempts,
            budget_percent: 20,
            delay: Millis(10),
        })
    }

    #[test]
    fn waits_grow_and_end() {
        let retries = retries(2);
        let mut tries = retries.tries(Event::Connect);
        let status = CallError::Status(503);
        assert_eq!(tries.next(&status), Some(Duration::from_millis(10)));
        assert_eq!(tries.next(&status), Some(Duration::from_millis(20)));
        assert_eq!(tries.next(&status), None);
    }

    #[test]
    fn what_changes_something_or_will_not_change_is_not_repeated() {
        let retries = retries(5);
        let status = CallError::Status(503);
        assert_eq!(retries.tries(Event::Publish).next(&status), None);
        assert_eq!(retries.tries(Event::Rpc).next(&status), None);
        for error in [CallError::Status(404), CallError::Timeout, CallError::Shed] {
            assert_eq!(retries.tries(Event::Connect).next(&error), None, "{error}");
        }
    }

    #[test]
    fn a_crowd_of_failures_is_not_repeated_without_end() {
        let retries = retries(1);
        let status = CallError::Status(503);
        let repeated = (0..1000)
            .filter(|_| retries.tries(Event::Connect).next(&status).is_some())
            .count();
        assert!((200..=220).contains(&repeated), "{repeated}");
    }
}
