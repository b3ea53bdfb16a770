use std::sync::Arc;
use std::time::Duration;

use gyre_runtime::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};

use crate::error::Error;
use crate::exclusion::Change;
use crate::repository::Exclusions;
use crate::view::View;

/// Changes that wait at most; callers beyond wait for room. 1024: a second's worth on a slow disk.
pub(super) const QUEUE_LEN_MAX: usize = 1024;

/// Changes made by one commit at most. 128: one sync of the disk pays for all that came meanwhile.
const BATCH_LEN_MAX: usize = 128;

/// How often what no longer holds is given back. Nothing depends on it but room.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// Expired exclusions deleted at once. 1000: a statement of some milliseconds.
const PURGE_LEN: u32 = 1000;

/// A change, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) change: Change,
    pub(super) done: oneshot::Sender<Result<(), Error>>,
}

/// The one writer of a repository: makes changes in order, several at once where they wait.
#[derive(Debug)]
pub struct Keeper {
    pub(super) repository: Option<Arc<dyn Exclusions>>,
    pub(super) view: Arc<View>,
    pub(super) clock: Clock,
    pub(super) queue: mpsc::Receiver<Job>,
}

impl Keeper {
    /// Makes changes until nobody can ask for any.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a change that was not answered may or may not have been made.
    pub async fn run(mut self) {
        let mut sweeps = interval(SWEEP_INTERVAL);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                taken = self.queue.recv_many(&mut batch, BATCH_LEN_MAX) => {
                    if taken == 0 {
                        return;
                    }
                    self.make(std::mem::take(&mut batch)).await;
                }
                _ = sweeps.tick() => self.sweep().await,
            }
        }
    }

    async fn make(&self, jobs: Vec<Job>) {
        let mut changes = Vec::with_capacity(jobs.len());
        let mut waiting = Vec::with_capacity(jobs.len());
        for Job { change, done } in jobs {
            match self.view.check_room(&change, changes.len()) {
                Ok(()) => {
                    changes.push(change);
                    waiting.push(done);
                }
                Err(full) => answer(done, Err(full)),
            }
        }
        let outcome = self.write(&changes).await;
        if outcome.is_ok() {
            for change in changes {
                self.view.apply(change);
            }
        }
        for done in waiting {
            answer(done, outcome.clone());
        }
    }

    async fn write(&self, changes: &[Change]) -> Result<(), Error> {
        let Some(repository) = &self.repository else {
            return Ok(());
        };
        let now = self.clock.now().unix_seconds();
        let outcome = repository.apply(changes, now).await;
        outcome.map_err(|error| Error::Database(Arc::new(error)))
    }

    async fn sweep(&self) {
        let now = self.clock.now().unix_seconds();
        self.view.sweep(now);
        let Some(repository) = &self.repository else {
            return;
        };
        // The rest has time until the next sweep: changes go first.
        if let Err(error) = repository.purge(now, PURGE_LEN).await {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(error, "expired exclusions are not deleted");
        }
    }
}

/// Who asked may have given up.
fn answer(done: oneshot::Sender<Result<(), Error>>, outcome: Result<(), Error>) {
    let _ = done.send(outcome);
}
