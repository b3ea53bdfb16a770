use std::collections::VecDeque;

use futures_util::FutureExt as _;
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;
use crate::outside::Fetching;

const NOW: i64 = 1_800_000_000;

/// A set with these ids.
fn set(ids: &[&str]) -> String {
    let keys: Vec<_> = ids
        .iter()
        .map(|id| {
            serde_json::json!({
                "kty": "OKP", "crv": "Ed25519", "kid": id,
                "x": "BwfOS5b8nUBQq0BN2CDm9-pLVMuRpw80vvnvpqVRskQ",
            })
        })
        .collect();
    serde_json::json!({ "keys": keys }).to_string()
}

/// An endpoint that a test answers for.
#[derive(Debug, Default)]
struct Endpoint {
    /// What is answered at once; `None`: nothing is there.
    answer: Mutex<Option<String>>,
    /// Attempts that wait for these, the first first.
    held: Mutex<VecDeque<oneshot::Receiver<String>>>,
    attempts: Mutex<usize>,
}

impl Endpoint {
    fn answers(&self, ids: &[&str]) {
        *self.answer.lock() = Some(set(ids));
    }

    fn dies(&self) {
        *self.answer.lock() = None;
    }

    fn attempts(&self) -> usize {
        *self.attempts.lock()
    }

    fn hold(&self) -> oneshot::Sender<String> {
        let (sender, receiver) = oneshot::channel();
        self.held.lock().push_back(receiver);
        sender
    }
}

impl FetchKeys for Endpoint {
    fn fetch(&self, _url: &str, _bytes_max: usize) -> Fetching {
        *self.attempts.lock() += 1;
        if let Some(held) = self.held.lock().pop_front() {
            return Box::pin(async {
                let answer = held.await.map_err(|_| FetchError::new("gone"))?;
                Ok(answer.into_bytes())
            });
        }
        let answer = self.answer.lock().clone();
        Box::pin(async {
            answer
                .map(String::into_bytes)
                .ok_or_else(|| FetchError::new("nobody there"))
        })
    }
}

fn key_set() -> (Arc<Endpoint>, Arc<KeySet>) {
    let endpoint = Arc::new(Endpoint::default());
    let fetcher = Arc::clone(&endpoint);
    let url = "https://keys.example/jwks".to_owned();
    (endpoint, KeySet::new(url, CLIENT_TTL_SECS, fetcher))
}

/// What a token with this key id comes to in the end, at a second.
fn look(set: &Arc<KeySet>, id: &str, at: i64) -> &'static str {
    let now = UnixSeconds(NOW + at);
    let found = match set.find(id, now, Patience::MayFetch) {
        Found::Wait(fetch) => {
            fetch.now_or_never().unwrap();
            set.find(id, now, Patience::Settled)
        }
        found @ (Found::Key(_) | Found::Unknown | Found::Unavailable) => found,
    };
    match found {
        Found::Key(keys) => {
            assert!(keys.contains_key(id));
            "key"
        }
        Found::Unknown => "unknown",
        Found::Unavailable => "unavailable",
        Found::Wait(_) => "wait",
    }
}

#[test]
fn a_set_is_fetched_once_an_hour() {
    let (endpoint, set) = key_set();
    endpoint.answers(&["a", "b"]);
    for (at, attempts) in [(0, 1), (1, 1), (3599, 1), (3600, 2), (3601, 2), (7200, 3)] {
        assert_eq!(look(&set, "a", at), "key");
        assert_eq!(look(&set, "b", at), "key");
        assert_eq!(endpoint.attempts(), attempts, "at {at}");
    }
    // a clock that was set back says nothing about the set's age
    assert_eq!(look(&set, "a", 100), "key");
    assert_eq!(endpoint.attempts(), 4);
}

#[test]
fn a_new_key_is_fetched_when_it_is_first_named_and_a_withdrawn_one_is_gone() {
    let (endpoint, set) = key_set();
    endpoint.answers(&["old"]);
    assert_eq!(look(&set, "old", 0), "key");
    endpoint.answers(&["new"]);
    assert_eq!(look(&set, "old", 10), "key");
    assert_eq!(endpoint.attempts(), 1);
    assert_eq!(look(&set, "new", 10), "key");
    assert_eq!(endpoint.attempts(), 2);
    assert_eq!(look(&set, "old", 10), "unknown");
}

#[test]
fn an_id_that_nobody_has_is_remembered_for_a_while() {
    let (endpoint, set) = key_set();
    endpoint.answers(&["a"]);
    assert_eq!(look(&set, "x", 0), "unknown");
    for at in 0..MISSING_SECS {
        assert_eq!(look(&set, "x", at), "unknown");
    }
    assert_eq!(endpoint.attempts(), 1);
    endpoint.answers(&["a", "x"]);
    assert_eq!(look(&set, "x", MISSING_SECS), "key");
    assert_eq!(endpoint.attempts(), 2);
}

#[test]
fn random_ids_cannot_flood_the_endpoint() {
    let (endpoint, set) = key_set();
    endpoint.answers(&["a"]);
    for number in 0..50_000_i64 {
        let verdict = look(&set, &format!("random-{number}"), number / 1000);
        assert!(matches!(verdict, "unknown" | "unavailable"), "{verdict}");
        assert_eq!(look(&set, "a", number / 1000), "key");
    }
    // the burst, and one for each pause of the 50 seconds
    let attempts = i64::try_from(endpoint.attempts()).unwrap();
    assert!(
        attempts <= FETCHES_BURST + 50 / FETCH_REFILL_SECS,
        "{attempts}"
    );
    assert!(set.state.lock().missing.len() <= MISSING_MAX);
    // and whoever has a good key that is new gets in with the next fetch
    endpoint.answers(&["a", "new"]);
    assert_eq!(look(&set, "new", 61), "key");
}

#[test]
fn keys_outlive_their_endpoint_by_a_day() {
    let (endpoint, set) = key_set();
    assert_eq!(look(&set, "a", 0), "unavailable");
    assert_eq!(endpoint.attempts(), ATTEMPTS);
    // no attempt in the pause
    assert_eq!(look(&set, "a", FAILURE_PAUSE_SECS - 1), "unavailable");
    assert_eq!(endpoint.attempts(), ATTEMPTS);
    endpoint.answers(&["a"]);
    assert_eq!(look(&set, "a", FAILURE_PAUSE_SECS), "key");

    endpoint.dies();
    let day = STALE_MAX_SECS + FAILURE_PAUSE_SECS;
    for at in [4000, 40_000, day - 1] {
        assert_eq!(look(&set, "a", at), "key", "at {at}");
    }
    // a stranger is not told «no» by an endpoint that says nothing
    assert_eq!(look(&set, "b", 40_100), "unavailable");
    assert_eq!(look(&set, "a", day), "unavailable");
    endpoint.answers(&["b"]);
    assert_eq!(look(&set, "a", day + FAILURE_PAUSE_SECS), "unknown");
    assert_eq!(look(&set, "b", day + FAILURE_PAUSE_SECS), "key");
}

#[test]
fn a_second_attempt_is_made_at_once() {
    let (endpoint, set) = key_set();
    endpoint.answers(&["a"]);
    endpoint.hold().send("not a key set".into()).unwrap();
    assert_eq!(look(&set, "a", 0), "key");
    assert_eq!(endpoint.attempts(), 2);
}

#[test]
fn all_who_wait_share_a_fetch_and_who_gives_up_does_not_end_it() {
    let (endpoint, set_of_keys) = key_set();
    let answer = endpoint.hold();
    let wait = |id: &str| match set_of_keys.find(id, UnixSeconds(NOW), Patience::MayFetch) {
        Found::Wait(fetch) => fetch,
        Found::Key(_) | Found::Unknown | Found::Unavailable => panic!("no fetch"),
    };
    let mut first = wait("a");
    assert!((&mut first).now_or_never().is_none());
    let mut second = wait("b");
    assert!((&mut second).now_or_never().is_none());
    drop(first);
    answer.send(set(&["a", "b"])).unwrap();
    second.now_or_never().unwrap();
    assert_eq!(look(&set_of_keys, "a", 0), "key");
    assert_eq!(endpoint.attempts(), 1);
}

#[test]
fn a_fetch_that_everybody_gave_up_is_carried_on_by_the_next() {
    let (endpoint, set_of_keys) = key_set();
    let answer = endpoint.hold();
    for _ in 0..100 {
        match set_of_keys.find("a", UnixSeconds(NOW), Patience::MayFetch) {
            Found::Wait(fetch) => assert!(fetch.now_or_never().is_none()),
            Found::Key(_) | Found::Unknown | Found::Unavailable => panic!("no fetch"),
        }
    }
    assert_eq!(endpoint.attempts(), 1);
    answer.send(set(&["a"])).unwrap();
    assert_eq!(look(&set_of_keys, "a", 0), "key");
}

proptest! {
    /// Whatever is asked for and whatever the endpoint does: attempts stay within the budget, and a
    /// key is only ever found if the endpoint had it.
    #[test]
    fn the_budget_holds(steps in prop::collection::vec((0_usize..6, 0_i64..400, 0_u8..4), 1..200)) {
        let (endpoint, set) = key_set();
        let names = ["a", "b", "c", "d", "e", "f"];
        let (mut at, mut ever) = (0, Vec::new());
        for (id, pause, what) in steps {
            at += pause;
            match what {
                0 => endpoint.dies(),
                1 => {
                    endpoint.answers(&names[..id]);
                    ever.extend_from_slice(&names[..id]);
                }
                _ => {}
            }
            let verdict = look(&set, names[id], at);
            prop_assert!(verdict != "wait");
            prop_assert!(verdict != "key" || ever.contains(&names[id]));
        }
        let fetches = FETCHES_BURST + at / FETCH_REFILL_SECS + 1;
        prop_assert!(endpoint.attempts() <= ATTEMPTS * usize::try_from(fetches).unwrap());
    }

    /// No text of an endpoint makes the reader of key sets fail otherwise than by an error.
    #[test]
    fn any_answer_is_read(json in ".{0,200}", n in "[A-Za-z0-9_=-]{0,400}", crv in "(P-256|P-384|Ed25519)") {
        let _ = jwk::read(json.as_bytes());
        for kty in ["RSA", "EC", "OKP"] {
            let set = serde_json::json!({"keys": [{"kty": kty, "kid": "k", "n": n, "e": n, "x": n, "y": n, "crv": crv}]});
            if let Ok(keys) = jwk::read(set.to_string().as_bytes()) {
                let key = &keys["k"].key;
                prop_assert!(!key.confirms(Algorithm::RS256, b"x", b"y"));
                prop_assert!(!key.confirms(Algorithm::ES256, b"x", &[1; 64]));
            }
        }
    }
}
