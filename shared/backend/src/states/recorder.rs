use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use gyre_engine::{ChannelOutbox, OutboxError};
use prometheus::IntGauge;
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep};

use super::{Shared, show};

/// Changes recorded by one commit at most. 256: one sync of the disk pays for all of them.
const BATCH_LEN_MAX: usize = 256;

/// How long to wait after the outbox did not take a batch. One second: a database comes back slowly,
/// and only the newest state of each channel waits.
const FAILURE_WAIT: Duration = Duration::from_secs(1);

/// How long to wait while the outbox is full.
const FULL_WAIT: Duration = Duration::from_millis(100);

/// Moves changes from the table to the outbox.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) shared: Arc<Shared>,
    pub(super) outbox: Arc<dyn ChannelOutbox>,
    /// Events that may wait in the outbox.
    pub(super) waiting_max: u64,
    pub(super) waiting: IntGauge,
    /// Who tells backends.
    pub(super) woken: Vec<Arc<Notify>>,
}

impl Recorder {
    /// Never ends by itself.
    pub(super) async fn run(self) {
        loop {
            let now = self.shared.clock.now();
            let next = {
                let mut table = self.shared.table.lock();
                table.advance(now.uptime);
                (!table.is_dirty()).then(|| table.next_due())
            };
            match next {
                None => self.record().await,
                Some(due) => {
                    let due = due.map(|due| due - now.uptime);
                    tokio::select! {
                        () = self.shared.changed.notified() => {}
                        () = wait(due) => {}
                    }
                }
            }
        }
    }

    async fn record(&self) {
        match self.outbox.waiting().await {
            Ok(waiting) if waiting >= self.waiting_max => {
                show(&self.waiting, waiting);
                return sleep(FULL_WAIT).await;
            }
            Ok(_) => {}
            Err(error) => return failed(&error).await,
        }
        let at = self.shared.clock.now().unix;
        let batch = self.shared.table.lock().take(BATCH_LEN_MAX, at);
        if batch.is_empty() {
            return;
        }
        let outcome = self.outbox.record(&batch).await;
        if let Err(error) = outcome {
            self.shared.table.lock().not_recorded(&batch);
            return failed(&error).await;
        }
        self.shared.table.lock().recorded(&batch);
        self.waiting.add(i64::try_from(batch.len()).unwrap_or(0));
        for teller in &self.woken {
            teller.notify_one();
        }
    }
}

/// Says so, and waits.
fn failed(error: &OutboxError) -> Sleep {
    let error: &(dyn std::error::Error + 'static) = &**error;
    tracing::error!(error, "changes of channels are not recorded; tried again");
    sleep(FAILURE_WAIT)
}

/// Waits as long; for ever, if there is nothing to wait for.
async fn wait(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => pending().await,
    }
}
