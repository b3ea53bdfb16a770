//! A backend over HTTP that says what a test wants it to say, when the test wants it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use gyre_runtime::{Identity, Listeners, Parts};
use gyre_telemetry::Registry;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, timeout};

/// Longest wait for something that is to happen.
const WAIT: Duration = Duration::from_secs(20);

/// What the backend does with a call.
#[derive(Debug)]
pub(crate) enum Answer {
    Say(Value),
    /// It says nothing before the test does.
    Hold(oneshot::Receiver<Value>),
    Fail,
}

#[derive(Debug, Default)]
pub(crate) struct Fake {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// By event; each is used once, and then the last of all that were given is.
    answers: BTreeMap<String, VecDeque<Answer>>,
    always: BTreeMap<String, (Value, Duration)>,
    calls: Vec<(String, Value)>,
    /// Calls whose caller has gone.
    dropped: usize,
}

impl Fake {
    /// Serves one on a free port, until its parts are stopped.
    pub(crate) fn serve() -> (Arc<Self>, SocketAddr, Parts) {
        let registry = Registry::new("backend").unwrap();
        let parts = Parts::new(registry, Identity::new("backend", "backend"));
        let fake = Arc::new(Self::default());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut listeners = Listeners::bind([any], &parts.registry).unwrap();
        let (_, address) = listeners.addresses().next().unwrap();
        let served = Arc::clone(&fake);
        let answer = move |Path(event): Path<String>, body: String| async move {
            served.answer(event, &body).await
        };
        let routes = Router::new().route("/{event}", post(answer));
        listeners.at(any).route(routes);
        listeners.run(&parts).unwrap();
        (fake, address, parts)
    }

    /// What the backend does with the next call that nothing was said for yet.
    pub(crate) fn next(&self, event: &str, answer: Answer) {
        let mut state = self.state.lock();
        let answers = state.answers.entry(event.to_owned()).or_default();
        answers.push_back(answer);
    }

    /// Has the next call wait; what it gets in the end is sent through what is returned.
    pub(crate) fn hold(&self, event: &str) -> oneshot::Sender<Value> {
        let (say, said) = oneshot::channel();
        self.next(event, Answer::Hold(said));
        say
    }

    /// What the backend says to all other calls, after this long.
    pub(crate) fn always(&self, event: &str, answer: Value, after: Duration) {
        let mut state = self.state.lock();
        state.always.insert(event.to_owned(), (answer, after));
    }

    /// Waits until an event has been called so often; gives the bodies.
    pub(crate) async fn called(&self, event: &str, times: usize) -> Vec<Value> {
        self.until(|state| {
            let calls = state.calls.iter().filter(|(name, _)| name == event);
            let bodies: Vec<Value> = calls.map(|(_, body)| body.clone()).collect();
            (bodies.len() >= times).then_some(bodies)
        })
        .await
    }

    /// Waits until so many callers went away before they were answered.
    pub(crate) async fn dropped(&self, times: usize) {
        self.until(|state| (state.dropped >= times).then_some(()))
            .await;
    }

    async fn until<T>(&self, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let seen = async {
            loop {
                let changed = self.changed.notified();
                let found = look(&self.state.lock());
                if let Some(found) = found {
                    return found;
                }
                changed.await;
            }
        };
        timeout(WAIT, seen).await.unwrap()
    }

    async fn answer(&self, event: String, body: &str) -> Response {
        let mut gone = Gone {
            fake: self,
            is_answered: false,
        };
        let (answer, always) = {
            let mut state = self.state.lock();
            let body = serde_json::from_str(body).unwrap();
            state.calls.push((event.clone(), body));
            let answers = state.answers.get_mut(&event);
            let answer = answers.and_then(VecDeque::pop_front);
            (answer, state.always.get(&event).cloned())
        };
        self.changed.notify_waiters();
        let said = match (answer, always) {
            (Some(Answer::Say(said)), _) => Some(said),
            (Some(Answer::Hold(said)), _) => said.await.ok(),
            (None, Some((said, after))) => {
                sleep(after).await;
                Some(said)
            }
            (Some(Answer::Fail), _) | (None, None) => None,
        };
        gone.is_answered = true;
        match said {
            Some(said) => said.to_string().into_response(),
            None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// Sees whether a call was answered or dropped.
struct Gone<'a> {
    fake: &'a Fake,
    is_answered: bool,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.fake.state.lock().dropped += 1;
            self.fake.changed.notify_waiters();
        }
    }
}
