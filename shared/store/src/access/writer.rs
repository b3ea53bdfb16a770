use std::sync::Arc;
use std::time::Duration;

use gyre_runtime::Clock;
use gyre_types::UnixSeconds;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};

use crate::error::Error;
use crate::exclusion::{Change, Exclusion, Kind};
use crate::repository::Exclusions;
use crate::sql::{DatabaseError, REMOVED_SECS};
use crate::view::View;

/// Changes that wait at most; callers beyond wait for room. 1024: a second's worth on a slow disk.
pub(super) const QUEUE_LEN_MAX: usize = 1024;

/// Changes made by one commit at most. 128: one sync of the disk pays for all that came meanwhile.
const BATCH_LEN_MAX: usize = 128;

/// How often what no longer holds is given back. Nothing depends on it but room.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// How often changes of other processes are read. One second: who reads once more when told (see
/// [`Access::look`](crate::Access::look)) has them at once.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);

/// Changes read at once. 1000: a round trip each.
const FOLLOW_LEN: u32 = 1000;

/// Who has not read for so long reads everything anew. Half of what marks of removals stay for.
const FOLLOW_GAP_SECS: i64 = REMOVED_SECS / 2;

/// Expired exclusions deleted at once. 1000: a statement of some milliseconds.
const PURGE_LEN: u32 = 1000;

/// What a keeper is asked, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) wish: Wish,
    pub(super) done: oneshot::Sender<Result<(), Error>>,
}

/// What a keeper is asked.
#[derive(Debug)]
pub(super) enum Wish {
    /// Make a change.
    Change(Change),
    /// Read what others have changed.
    Look,
}

/// How far changes of other processes have been read.
#[derive(Debug)]
pub(crate) struct Followed {
    /// Number of the last change.
    pub(crate) version: i64,
    /// When that was the last.
    pub(crate) at: UnixSeconds,
}

/// The one writer of a repository: makes changes in order, several at once where they wait. It also reads
/// what other processes have changed, so that the view never goes back behind a change of its own.
#[derive(Debug)]
pub struct Keeper {
    /// What is kept here.
    pub(crate) kinds: Vec<Kind>,
    /// `None`: nobody else changes the repository.
    pub(crate) followed: Option<Followed>,
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
        let mut looks = interval(FOLLOW_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                taken = self.queue.recv_many(&mut batch, BATCH_LEN_MAX) => {
                    if taken == 0 {
                        return;
                    }
                    self.serve(std::mem::take(&mut batch)).await;
                }
                _ = looks.tick(), if self.followed.is_some() => {
                    if let Err(error) = self.look().await {
                        let error: &(dyn std::error::Error + 'static) = &error;
                        tracing::warn!(error, "changes of other processes cannot be read");
                    }
                }
                _ = sweeps.tick() => self.sweep().await,
            }
        }
    }

    async fn serve(&mut self, jobs: Vec<Job>) {
        let mut changes = Vec::with_capacity(jobs.len());
        let mut looking = Vec::new();
        for Job { wish, done } in jobs {
            match wish {
                Wish::Change(change) => changes.push((change, done)),
                Wish::Look => looking.push(done),
            }
        }
        self.make(changes).await;
        if looking.is_empty() {
            return;
        }
        let looked = self.look().await;
        let looked = looked.map_err(|error| Error::Database(Arc::new(error)));
        for done in looking {
            answer(done, looked.clone());
        }
    }

    /// Reads what other processes have changed.
    async fn look(&mut self) -> Result<(), DatabaseError> {
        let (Some(repository), Some(followed)) = (&self.repository, &mut self.followed) else {
            return Ok(());
        };
        let now = self.clock.now().unix_seconds();
        if now.0.saturating_sub(followed.at.0) > FOLLOW_GAP_SECS {
            let version = repository.version().await?;
            read_anew(&self.view, &**repository, &self.kinds, now).await?;
            followed.version = version;
        }
        loop {
            let changes = repository.since(followed.version, FOLLOW_LEN).await?;
            let is_last = changes.len() < FOLLOW_LEN as usize;
            for (version, change) in changes {
                if self.kinds.contains(&change.key().kind()) {
                    self.view.follow(change);
                }
                followed.version = version;
            }
            if is_last {
                break;
            }
        }
        followed.at = now;
        Ok(())
    }

    async fn make(&self, jobs: Vec<(Change, oneshot::Sender<Result<(), Error>>)>) {
        let mut changes = Vec::with_capacity(jobs.len());
        let mut waiting = Vec::with_capacity(jobs.len());
        for (change, done) in jobs {
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
        let Some(repository) = self.repository.as_ref().filter(|_| !changes.is_empty()) else {
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

/// Puts all that a repository has in the place of what the view had.
async fn read_anew(
    view: &View,
    repository: &dyn Exclusions,
    kinds: &[Kind],
    now: UnixSeconds,
) -> Result<(), DatabaseError> {
    for kind in kinds {
        let mut all = Vec::new();
        loop {
            let last = all.last().map(|one: &Exclusion| one.key.clone());
            let page = repository
                .page(*kind, last.as_ref(), now, FOLLOW_LEN)
                .await?;
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        view.replace(*kind, &all);
    }
    Ok(())
}

/// Who asked may have given up.
fn answer(done: oneshot::Sender<Result<(), Error>>, outcome: Result<(), Error>) {
    let _ = done.send(outcome);
}
