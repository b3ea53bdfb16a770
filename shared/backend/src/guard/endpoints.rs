use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Uri;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Failures in a row after which an address is left out. 3: one may be chance.
const FAILURES_MAX: u32 = 3;

/// How long it is left out the first time; each further failure doubles it.
const OUT_MIN: Duration = Duration::from_secs(1);

/// How long it is left out at most. 30 s: a server that comes back is found within half a minute.
const OUT_MAX: Duration = Duration::from_secs(30);

/// The addresses of one backend. Never empty.
#[derive(Debug)]
pub(super) struct Endpoints {
    all: Vec<Endpoint>,
    /// Where the next search begins, so that equals take turns.
    next: AtomicUsize,
}

#[derive(Debug)]
struct Endpoint {
    uri: Uri,
    in_flight: AtomicUsize,
    health: Mutex<Health>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Health {
    /// Failures since the last success.
    failures: u32,
    /// Left out until then.
    out_until: Option<Instant>,
}

/// An address that a call goes to. Dropped without an outcome, it counts as nothing.
#[derive(Debug)]
pub(super) struct Picked<'a> {
    endpoint: &'a Endpoint,
}

impl Endpoints {
    pub(super) fn new(addresses: Vec<Uri>) -> Self {
        let endpoint = |uri| Endpoint {
            uri,
            in_flight: AtomicUsize::new(0),
            health: Mutex::default(),
        };
        Self {
            all: addresses.into_iter().map(endpoint).collect(),
            next: AtomicUsize::new(0),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.all.len()
    }

    /// The healthy address with the fewest calls; if none is healthy, that which will be first.
    pub(super) fn pick(&self) -> Picked<'_> {
        let (first, now) = (self.next.fetch_add(1, Ordering::Relaxed), Instant::now());
        let (head, tail) = self.all.split_at(first % self.all.len());
        let rank = |endpoint: &&Endpoint| {
            let out = endpoint.health.lock().out_until;
            let out = out.filter(|until| *until > now);
            (out, endpoint.in_flight.load(Ordering::Relaxed))
        };
        let best = tail.iter().chain(head).min_by_key(rank);
        #[expect(clippy::expect_used, reason = "there is at least one address")]
        let endpoint = best.expect("a backend has an address");
        endpoint.in_flight.fetch_add(1, Ordering::Relaxed);
        Picked { endpoint }
    }
}

impl<'a> Picked<'a> {
    pub(super) const fn uri(&self) -> &'a Uri {
        &self.endpoint.uri
    }

    /// Says what became of the call.
    pub(super) fn done(self, is_ok: bool) {
        let mut health = self.endpoint.health.lock();
        if is_ok {
            *health = Health::default();
            return;
        }
        health.failures = health.failures.saturating_add(1);
        if let Some(more) = health.failures.checked_sub(FAILURES_MAX) {
            let out = OUT_MIN.saturating_mul(2_u32.saturating_pow(more));
            health.out_until = Some(Instant::now() + out.min(OUT_MAX));
        }
    }
}

impl Drop for Picked<'_> {
    fn drop(&mut self) {
        self.endpoint.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn three() -> Endpoints {
        let addresses = ["http://a", "http://b", "http://c"];
        Endpoints::new(addresses.map(|uri| uri.parse().unwrap()).into())
    }

    fn host<'a>(picked: &Picked<'a>) -> &'a str {
        picked.uri().host().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn equals_take_turns_and_the_busy_wait() {
        let endpoints = three();
        let mut turns: Vec<_> = (0..3).map(|_| endpoints.pick()).collect();
        let mut hosts: Vec<_> = turns.iter().map(host).collect();
        hosts.sort_unstable();
        assert_eq!(hosts, ["a", "b", "c"]);
        let free = host(&turns.remove(1));
        for _ in 0..3 {
            assert_eq!(host(&endpoints.pick()), free, "the others have calls");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_is_left_out_and_comes_back() {
        let endpoints = three();
        let fail = || {
            let mut picked = endpoints.pick();
            while host(&picked) != "b" {
                picked = endpoints.pick();
            }
            picked.done(false);
        };
        let sees_b = || (0..6).any(|_| host(&endpoints.pick()) == "b");
        fail();
        fail();
        assert!(sees_b());
        fail();
        assert!(!sees_b());
        advance(OUT_MIN).await;
        assert!(sees_b());
        fail();
        advance(OUT_MIN).await;
        assert!(!sees_b(), "twice as long");
        advance(OUT_MIN).await;
        assert!(sees_b());
    }

    #[tokio::test(start_paused = true)]
    async fn with_none_healthy_the_first_that_will_be_is_asked() {
        let endpoints = Endpoints::new(vec!["http://a".parse().unwrap()]);
        for _ in 0..10 {
            endpoints.pick().done(false);
        }
        assert_eq!(host(&endpoints.pick()), "a");
    }
}
