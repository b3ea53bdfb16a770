//! What keeps a backend's trouble from becoming ours: limits, health, repeats.

mod breaker;
mod endpoints;
mod limiter;
mod retries;

use std::time::Duration;

use gyre_config::Proxy as Options;
use http::Uri;
use tokio::time::{Instant, sleep, timeout_at};

use self::breaker::Breaker;
use self::endpoints::Endpoints;
use self::limiter::Limiter;
use self::retries::Retries;
use crate::error::CallError;
use crate::messages::event::Event;

/// The deadline of proxies whose option is not positive, which configuration refuses.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Stands between a proxy and its backend.
#[derive(Debug)]
pub(crate) struct Guard {
    timeout: Duration,
    limiter: Limiter,
    breaker: Option<Breaker>,
    retries: Retries,
    endpoints: Endpoints,
}

impl Guard {
    pub(crate) fn new(options: &Options, endpoints: Vec<Uri>) -> Self {
        Self {
            timeout: timeout(options),
            limiter: Limiter::new(&options.limit),
            breaker: Breaker::new(&options.circuit_breaker),
            retries: Retries::new(&options.retry),
            endpoints: Endpoints::new(endpoints),
        }
    }

    /// How long a call may take.
    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Runs a call by its deadline: in its turn, if the breaker lets it, at a healthy address, again
    /// if that may help.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request. A dropped call counts as no failure.
    pub(crate) async fn run<'a, T, F, A>(&'a self, event: Event, attempt: F) -> Result<T, CallError>
    where
        F: Fn(&'a Uri) -> A,
        A: Future<Output = Result<T, CallError>>,
    {
        let deadline = Instant::now() + self.timeout;
        let _turn = within(deadline, self.limiter.turn()).await?;
        let mut tries = self.retries.tries(event);
        loop {
            let outcome = self.once(deadline, &attempt).await;
            let Err(error) = &outcome else { return outcome };
            let Some(wait) = tries.next(error) else {
                return outcome;
            };
            if Instant::now() + wait >= deadline {
                return outcome;
            }
            tracing::debug!(%event, error = error.as_str(), "the call is repeated");
            sleep(wait).await;
        }
    }

    /// One try, at another address if the first could not even be connected to.
    async fn once<'a, T, F, A>(&'a self, deadline: Instant, attempt: &F) -> Result<T, CallError>
    where
        F: Fn(&'a Uri) -> A,
        A: Future<Output = Result<T, CallError>>,
    {
        let permit = self.breaker.as_ref().map(Breaker::permit).transpose()?;
        let mut left = self.endpoints.len();
        let outcome = loop {
            let endpoint = self.endpoints.pick();
            let outcome = within(deadline, attempt(endpoint.uri())).await;
            endpoint.done(outcome.is_ok());
            left -= 1;
            match outcome {
                Err(error) if error.is_unsent() && left > 0 => {}
                outcome => break outcome,
            }
        };
        if let Some(permit) = permit {
            permit.done(outcome.is_ok());
        }
        outcome
    }

    /// Whether calls fail at once now.
    pub(crate) fn is_open(&self) -> bool {
        self.breaker.as_ref().is_some_and(Breaker::is_open)
    }
}

/// The deadline of a proxy's calls.
pub(crate) fn timeout(options: &Options) -> Duration {
    options.timeout.duration().unwrap_or(TIMEOUT)
}

/// What `attempt` comes to, if it does in time.
async fn within<T>(
    deadline: Instant,
    attempt: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    timeout_at(deadline, attempt)
        .await
        .unwrap_or(Err(CallError::Timeout))
}
