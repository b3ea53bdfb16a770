//! One key set at one address, as it was last seen.
//!
//! What keeps strangers from making us call: a fetch is shared by all who wait for it, one that
//! failed is not repeated for a while, ids that a fresh set does not have are remembered, and beyond
//! all that there is a budget, since anybody may send tokens with ids that nobody has.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use gyre_types::UnixSeconds;
use parking_lot::Mutex;

use super::jwk::{self, Keys, SET_BYTES_MAX};
use super::material::Key;
use crate::error::FetchError;
use crate::keys::Algorithm;
use crate::outside::FetchKeys;

/// How long a set of a client's tokens is taken for fresh. Unit: seconds.
pub(crate) const CLIENT_TTL_SECS: i64 = 3600;
/// How long a set of the API's callers is taken for fresh. Unit: seconds. Callers can do more than
/// clients, so a withdrawn key shall count for less long.
pub(crate) const CALLER_TTL_SECS: i64 = 900;
/// How long keys count when their endpoint does not answer. Unit: seconds. A day: an outage over a
/// night locks nobody out, and a withdrawn key does not live forever.
const STALE_MAX_SECS: i64 = 24 * 3600;
/// Pause after a fetch that failed. Unit: seconds.
const FAILURE_PAUSE_SECS: i64 = 5;
/// Fetches that may follow each other at once.
const FETCHES_BURST: i64 = 4;
/// Pause that gives one more fetch. Unit: seconds.
const FETCH_REFILL_SECS: i64 = 10;
/// Attempts per fetch.
const ATTEMPTS: usize = 2;
/// How long an unknown id stays unknown. Unit: seconds. A client that was quicker than the set's
/// publisher is let in after it.
const MISSING_SECS: i64 = 30;
/// Unknown ids that are remembered.
const MISSING_MAX: usize = 1024;

/// Whether a look-up may lead to a fetch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Patience {
    /// The caller can wait.
    MayFetch,
    /// The caller has waited; it takes what there is.
    Settled,
}

/// What a look-up finds.
pub(crate) enum Found {
    /// A key.
    Key(Arc<Keys>),
    /// A fresh set does not have it.
    Unknown,
    /// It cannot be said: the endpoint does not answer, or was asked too often.
    Unavailable,
    /// A fetch will tell.
    Wait(KeyFetch),
}

/// A key set being fetched. Wait for its end and verify again.
#[derive(Clone)]
#[must_use = "a fetch goes on only while somebody waits for it"]
pub struct KeyFetch(Shared<BoxFuture<'static, ()>>);

impl Future for KeyFetch {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_unpin(cx)
    }
}

impl fmt::Debug for KeyFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFetch").finish_non_exhaustive()
    }
}

/// The key set at one address.
pub(crate) struct KeySet {
    url: String,
    ttl_secs: i64,
    fetcher: Arc<dyn FetchKeys>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The last good answer, and when it was asked for.
    seen: Option<(Arc<Keys>, UnixSeconds)>,
    fetch: Option<KeyFetch>,
    failed_at: Option<UnixSeconds>,
    missing: BTreeMap<String, UnixSeconds>,
    budget: Budget,
}

/// A bucket of fetches, full at first.
#[derive(Default)]
struct Budget {
    taken: i64,
    /// When the bucket was last filled up.
    at: UnixSeconds,
}

impl KeySet {
    pub(crate) fn new(url: String, ttl_secs: i64, fetcher: Arc<dyn FetchKeys>) -> Arc<Self> {
        Arc::new(Self {
            url,
            ttl_secs,
            fetcher,
            state: Mutex::default(),
        })
    }

    /// Looks for the key with this id.
    pub(crate) fn find(self: &Arc<Self>, id: &str, now: UnixSeconds, patience: Patience) -> Found {
        let mut state = self.state.lock();
        let age = state.age_secs(now);
        // A clock that was set back makes the age negative: then nobody knows how old the set is.
        let is_fresh = age.is_some_and(|age| (0..self.ttl_secs).contains(&age));
        let known = state.known(id);
        if is_fresh {
            if let Some(keys) = known {
                return Found::Key(keys);
            }
            if state.is_missing(id, now) {
                return Found::Unknown;
            }
        }
        if patience == Patience::MayFetch
            && let Some(fetch) = self.join(&mut state, now)
        {
            return Found::Wait(fetch);
        }
        match known {
            Some(keys) if age.is_some_and(|age| age < STALE_MAX_SECS) => Found::Key(keys),
            None if is_fresh && patience == Patience::Settled && state.failed_at.is_none() => {
                state.note_missing(id, now);
                Found::Unknown
            }
            Some(_) | None => Found::Unavailable,
        }
    }

    /// Whether a set was ever seen.
    pub(crate) fn is_seen(&self) -> bool {
        self.state.lock().seen.is_some()
    }

    /// The fetch under way, or a new one if it may be.
    fn join(self: &Arc<Self>, state: &mut State, now: UnixSeconds) -> Option<KeyFetch> {
        if let Some(fetch) = &state.fetch {
            return Some(fetch.clone());
        }
        let is_pausing = state
            .failed_at
            .is_some_and(|at| (0..FAILURE_PAUSE_SECS).contains(&(now.0 - at.0)));
        if is_pausing || !state.budget.take(now) {
            return None;
        }
        let set = Arc::downgrade(self);
        let (url, fetcher) = (self.url.clone(), Arc::clone(&self.fetcher));
        let fetch = KeyFetch(run(set, url, fetcher, now).boxed().shared());
        state.fetch = Some(fetch.clone());
        Some(fetch)
    }

    fn land(&self, outcome: Result<Keys, FetchError>, asked_at: UnixSeconds) {
        let mut state = self.state.lock();
        state.fetch = None;
        match outcome {
            Ok(keys) => {
                state.seen = Some((Arc::new(keys), asked_at));
                state.failed_at = None;
                state.missing.clear();
            }
            Err(error) => {
                let has_keys = state.seen.is_some();
                tracing::warn!(url = self.url, %error, has_keys, "key set not fetched");
                state.failed_at = Some(asked_at);
            }
        }
    }
}

/// Fetches and says so to the set, if it still exists.
async fn run(set: Weak<KeySet>, url: String, fetcher: Arc<dyn FetchKeys>, asked_at: UnixSeconds) {
    let mut outcome = attempt(&*fetcher, &url).await;
    for _ in 1..ATTEMPTS {
        if outcome.is_err() {
            outcome = attempt(&*fetcher, &url).await;
        }
    }
    if let Some(set) = set.upgrade() {
        set.land(outcome, asked_at);
    }
}

async fn attempt(fetcher: &dyn FetchKeys, url: &str) -> Result<Keys, FetchError> {
    jwk::read(&fetcher.fetch(url, SET_BYTES_MAX).await?)
}

/// The key with this id among others.
pub(crate) fn key<'a>(keys: &'a Keys, id: &str, algorithm: Algorithm) -> Option<&'a Key> {
    keys.get(id)
        .filter(|jwk| jwk.fits(algorithm))
        .map(|jwk| &jwk.key)
}

impl State {
    fn age_secs(&self, now: UnixSeconds) -> Option<i64> {
        self.seen.as_ref().map(|(_, at)| now.0.saturating_sub(at.0))
    }

    fn known(&self, id: &str) -> Option<Arc<Keys>> {
        self.seen
            .as_ref()
            .filter(|(keys, _)| keys.contains_key(id))
            .map(|(keys, _)| Arc::clone(keys))
    }

    fn is_missing(&self, id: &str, now: UnixSeconds) -> bool {
        self.missing
            .get(id)
            .is_some_and(|at| (0..MISSING_SECS).contains(&(now.0 - at.0)))
    }

    fn note_missing(&mut self, id: &str, now: UnixSeconds) {
        if self.missing.len() >= MISSING_MAX {
            self.missing.clear();
        }
        self.missing.insert(id.to_owned(), now);
    }
}

impl Budget {
    fn take(&mut self, now: UnixSeconds) -> bool {
        let refilled = now.0.saturating_sub(self.at.0) / FETCH_REFILL_SECS;
        if now < self.at {
            self.at = now; // The clock was set back.
        } else if refilled > 0 {
            self.taken = (self.taken - refilled).max(0);
            self.at = UnixSeconds(self.at.0 + refilled * FETCH_REFILL_SECS);
        }
        let has_one = self.taken < FETCHES_BURST;
        self.taken += i64::from(has_one);
        has_one
    }
}

#[cfg(test)]
mod tests;
