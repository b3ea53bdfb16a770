use std::sync::atomic::{AtomicUsize, Ordering};

use gyre_config::proxy::CallLimit;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::CallError;

/// How many calls may be under way, and how many may wait.
#[derive(Debug)]
pub(super) struct Limiter {
    /// `None`: no limit.
    turns: Option<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
}

/// A call that is under way; its end lets the next one go.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _permit: Option<SemaphorePermit<'a>>,
}

impl Limiter {
    pub(super) fn new(options: &CallLimit) -> Self {
        let turns = options.in_flight.get();
        Self {
            turns: turns.map(|turns| Semaphore::new(turns.min(Semaphore::MAX_PERMITS))),
            waiting: AtomicUsize::new(0),
            waiting_max: options.queue,
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    ///
    /// [`CallError::Shed`] at once if as many wait as may.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: gives up its place.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, CallError> {
        let Some(turns) = &self.turns else {
            return Ok(Turn { _permit: None });
        };
        if let Ok(permit) = turns.try_acquire() {
            return Ok(Turn {
                _permit: Some(permit),
            });
        }
        let _place = Place::take(&self.waiting, self.waiting_max).ok_or(CallError::Shed)?;
        // The semaphore is never closed.
        let permit = turns.acquire().await.map_err(|_| CallError::Shed)?;
        Ok(Turn {
            _permit: Some(permit),
        })
    }
}

/// A place in the queue.
struct Place<'a> {
    waiting: &'a AtomicUsize,
}

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> Option<Self> {
        let one_more = |count| (count < most).then_some(count + 1);
        waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more)
            .is_ok()
            .then(|| Self { waiting })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use gyre_config::Limit;

    use super::*;

    fn limiter(in_flight: i64, queue: usize) -> Limiter {
        Limiter::new(&CallLimit {
            in_flight: Limit(in_flight),
            queue,
        })
    }

    #[tokio::test]
    async fn what_exceeds_limit_and_queue_is_shed_at_once() {
        let limiter = limiter(1, 1);
        let first = limiter.turn().await.unwrap();
        let mut second = Box::pin(limiter.turn());
        assert!(second.as_mut().now_or_never().is_none(), "it waits");
        let third = limiter.turn().now_or_never().unwrap();
        assert!(matches!(third, Err(CallError::Shed)), "{third:?}");
        let fourth = limiter.turn().now_or_never().unwrap();
        assert!(fourth.is_err(), "a refusal makes no room");
        drop(first);
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_makes_room() {
        let limiter = limiter(1, 1);
        let _first = limiter.turn().await.unwrap();
        let mut second = Box::pin(limiter.turn());
        assert!(second.as_mut().now_or_never().is_none());
        drop(second);
        let mut third = Box::pin(limiter.turn());
        assert!(third.as_mut().now_or_never().is_none(), "it waits");
    }

    #[tokio::test]
    async fn without_a_limit_everybody_goes() {
        let limiter = limiter(0, 0);
        let mut turns = Vec::new();
        for _ in 0..1000 {
            turns.push(limiter.turn().now_or_never().unwrap().unwrap());
        }
    }
}
