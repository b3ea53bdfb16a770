use std::sync::Arc;
use std::time::Duration;

use gyre_engine::{ChannelOutbox, StateEvent};
use gyre_proto::proxy as pb;
use gyre_runtime::Clock;
use prometheus::IntGauge;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::show;
use crate::messages::answer::Answer;
use crate::proxy::Proxy;

/// Wait after the first failure; each further one doubles it.
const WAIT_MIN: Duration = Duration::from_millis(100);

/// Longest wait between two tries.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Tells one backend, one batch after the other.
#[derive(Debug)]
pub(super) struct Teller {
    pub(super) proxy: Arc<Proxy>,
    pub(super) outbox: Arc<dyn ChannelOutbox>,
    /// Events in one call.
    pub(super) batch_len: u32,
    pub(super) waiting: IntGauge,
    pub(super) lag: IntGauge,
    pub(super) clock: Clock,
    pub(super) woken: Arc<Notify>,
}

impl Teller {
    /// Never ends by itself.
    pub(super) async fn run(self) {
        let mut failures = 0;
        loop {
            match self.tell().await {
                Told::Nothing => {
                    failures = 0;
                    tokio::select! {
                        () = self.woken.notified() => {}
                        () = self.outbox.changed() => {}
                    }
                }
                Told::Some => failures = 0,
                Told::Failed => {
                    let wait = WAIT_MIN.saturating_mul(2_u32.saturating_pow(failures));
                    failures = failures.saturating_add(1);
                    sleep(wait.min(WAIT_MAX)).await;
                }
            }
        }
    }

    async fn tell(&self) -> Told {
        let events = self.outbox.events(self.proxy.name(), self.batch_len).await;
        let events = match events {
            Ok(events) => events,
            Err(error) => return failed(&*error),
        };
        let Some(last) = events.last().map(|event| event.generation) else {
            self.lag.set(0);
            self.count().await;
            return Told::Nothing;
        };
        if let Some(first) = events.first() {
            self.lag
                .set(self.clock.now().unix.0 - first.transition.at.0);
        }
        let request = pb::NotifyChannelStateRequest {
            events: events.into_iter().map(message).collect(),
        };
        match self.proxy.notify_channel_state(request).await {
            Ok(Answer::Result(_)) => {}
            Ok(Answer::Error(error)) => {
                let (code, message) = (error.code, error.message);
                tracing::warn!(
                    code,
                    message,
                    "the backend does not take changes of channels"
                );
                return Told::Failed;
            }
            // The proxy has told why.
            Ok(Answer::Disconnect(_)) | Err(_) => return Told::Failed,
        }
        // If this fails, they are told once more.
        match self.outbox.told(self.proxy.name(), last).await {
            Ok(()) => Told::Some,
            Err(error) => failed(&*error),
        }
    }

    /// Shows how many wait.
    async fn count(&self) {
        if let Ok(waiting) = self.outbox.waiting().await {
            show(&self.waiting, waiting);
        }
    }
}

/// What came of a try.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    Nothing,
    Some,
    Failed,
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Told {
    tracing::error!(error, "changes of channels cannot be told; tried again");
    Told::Failed
}

fn message(event: StateEvent) -> pb::ChannelEvent {
    let StateEvent {
        generation,
        transition,
    } = event;
    pb::ChannelEvent {
        time_ms: transition.at.0,
        channel: transition.channel.into(),
        r#type: transition.state.as_str().to_owned(),
        generation: generation.unsigned_abs(),
    }
}
