//! Who is kept out: changed here, durably, and looked up in the view.

mod writer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gyre_runtime::Clock;
use gyre_types::UnixSeconds;
use tokio::sync::{mpsc, oneshot};

pub(crate) use self::writer::Followed;
pub use self::writer::Keeper;
use self::writer::{Job, QUEUE_LEN_MAX, Wish};
use crate::error::Error;
use crate::exclusion::{Change, Exclusion, Key, Kind};
use crate::repository::Exclusions;
use crate::sql::DatabaseError;
use crate::view::{ENTRIES_MAX, View};

/// Exclusions read at once. 1000: a round trip each, and some hundred kilobytes.
const PAGE_LEN: u32 = 1000;

/// Where one kind is changed.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    jobs: mpsc::Sender<Job>,
    /// Nothing is written to disk, and nobody chose that.
    is_memory_by_default: bool,
    /// Other processes change it too.
    is_shared: bool,
    has_warned: Arc<AtomicBool>,
}

/// Changes who is kept out. Cheap to clone.
///
/// A change is answered when it is durable and the view has it. Changes of one kind are made in the
/// order in which they were asked for. Every method may be dropped half way: the change is made all
/// the same.
#[derive(Clone)]
pub struct Access {
    pub(crate) view: Arc<View>,
    pub(crate) users: Door,
    pub(crate) tokens: Door,
    pub(crate) tokens_of_users: Door,
    pub(crate) clock: Clock,
}

impl Access {
    /// Keeps everything in memory. Returns what makes the changes; it has to be run.
    #[must_use]
    pub fn in_memory(clock: &Clock) -> (Self, Keeper) {
        let view = Arc::new(View::default());
        Self::behind(None, None, view, clock)
    }

    /// Keeps everything in one repository, and reads it. Returns what makes the changes; it has to
    /// be run.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn in_repository(
        repository: Arc<dyn Exclusions>,
        clock: &Clock,
    ) -> Result<(Self, Keeper), LoadError> {
        let view = Arc::new(View::default());
        let followed = followed(&*repository, clock).await?;
        for kind in Kind::ALL {
            load(&view, &*repository, kind, clock).await?;
        }
        Ok(Self::behind(Some(repository), followed, view, clock))
    }

    /// All kinds in one place.
    fn behind(
        repository: Option<Arc<dyn Exclusions>>,
        followed: Option<Followed>,
        view: Arc<View>,
        clock: &Clock,
    ) -> (Self, Keeper) {
        let (door, mut keeper) = door(repository, followed, &view, clock);
        keeper.kinds = Kind::ALL.to_vec();
        let access = Self {
            view,
            users: door.clone(),
            tokens: door.clone(),
            tokens_of_users: door,
            clock: clock.clone(),
        };
        (access, keeper)
    }

    /// Where connections look.
    #[must_use]
    pub const fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// The present second, by which exclusions expire.
    #[must_use]
    pub fn now(&self) -> UnixSeconds {
        self.clock.now().unix_seconds()
    }

    /// Makes a change.
    ///
    /// # Errors
    ///
    /// [`Error`]. After [`Error::Database`] it may have been made and not be in the view yet;
    /// repeat it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; once it is queued, it is made.
    pub async fn change(&self, change: Change) -> Result<(), Error> {
        let door = self.door(change.key().kind());
        door.warn(change.key().kind());
        door.ask(Wish::Change(change)).await
    }

    /// Reads what other processes have changed, where any can; it is read once a second anyway.
    ///
    /// # Errors
    ///
    /// [`Error`]; the view has what it had.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn look(&self) -> Result<(), Error> {
        let mut asked: Vec<&Door> = Vec::new();
        for door in Kind::ALL.map(|kind| self.door(kind)) {
            let is_asked = asked
                .iter()
                .any(|other| other.jobs.same_channel(&door.jobs));
            if door.is_shared && !is_asked {
                door.ask(Wish::Look).await?;
                asked.push(door);
            }
        }
        Ok(())
    }

    /// Whether other processes see what is changed of this kind.
    #[must_use]
    pub const fn is_shared(&self, kind: Kind) -> bool {
        self.door(kind).is_shared
    }

    /// Keeps somebody out from now on.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    ///
    /// # Cancel safety
    ///
    /// As [`change`](Self::change).
    pub async fn put(&self, exclusion: Exclusion) -> Result<(), Error> {
        self.change(Change::Put(exclusion)).await
    }

    /// Lets somebody in again.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    ///
    /// # Cancel safety
    ///
    /// As [`change`](Self::change).
    pub async fn remove(&self, key: Key) -> Result<(), Error> {
        self.change(Change::Remove(key)).await
    }

    const fn door(&self, kind: Kind) -> &Door {
        match kind {
            Kind::User => &self.users,
            Kind::Token => &self.tokens,
            Kind::TokensOfUser => &self.tokens_of_users,
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Door {
    /// The same door for a kind whose place nobody chose.
    pub(crate) fn by_default(&self) -> Self {
        Self {
            jobs: self.jobs.clone(),
            is_memory_by_default: true,
            is_shared: false,
            has_warned: Arc::default(),
        }
    }

    async fn ask(&self, wish: Wish) -> Result<(), Error> {
        let (done, outcome) = oneshot::channel();
        let job = Job { wish, done };
        let sent = self.jobs.send(job).await;
        sent.map_err(|_closed| Error::Stopped)?;
        outcome.await.unwrap_or(Err(Error::Stopped))
    }

    /// Says once that a restart will forget it.
    fn warn(&self, kind: Kind) {
        if self.is_memory_by_default && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                section = kind.section(),
                "kept in memory only, a restart forgets it: set storage.sqlite.path, or storage_type of the section"
            );
        }
    }
}

/// A door, and who stands behind it.
pub(crate) fn door(
    repository: Option<Arc<dyn Exclusions>>,
    followed: Option<Followed>,
    view: &Arc<View>,
    clock: &Clock,
) -> (Door, Keeper) {
    let (jobs, queue) = mpsc::channel(QUEUE_LEN_MAX);
    let is_shared = followed.is_some();
    let keeper = Keeper {
        kinds: Vec::new(),
        followed,
        repository,
        view: Arc::clone(view),
        clock: clock.clone(),
        queue,
    };
    let door = Door {
        jobs,
        is_memory_by_default: false,
        is_shared,
        has_warned: Arc::default(),
    };
    (door, keeper)
}

/// Why the exclusions cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The database did not give them.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// They are more than memory is kept for; to start without some would let people in.
    #[error("the database holds more than {ENTRIES_MAX} entries of {}", .0.section())]
    TooMany(Kind),
}

/// Where a repository stands that others change too, before it is read.
pub(crate) async fn followed(
    repository: &dyn Exclusions,
    clock: &Clock,
) -> Result<Option<Followed>, DatabaseError> {
    if !repository.is_shared() {
        return Ok(None);
    }
    Ok(Some(Followed {
        version: repository.version().await?,
        at: clock.now().unix_seconds(),
    }))
}

/// Reads all exclusions of a kind that hold.
pub(crate) async fn load(
    view: &View,
    repository: &dyn Exclusions,
    kind: Kind,
    clock: &Clock,
) -> Result<(), LoadError> {
    let now = clock.now().unix_seconds();
    let mut last: Option<Key> = None;
    loop {
        let page = repository.page(kind, last.as_ref(), now, PAGE_LEN).await?;
        let Some(end) = page.last() else {
            return Ok(());
        };
        last = Some(end.key.clone());
        if view.len(kind) + page.len() > ENTRIES_MAX {
            return Err(LoadError::TooMany(kind));
        }
        for exclusion in page {
            view.apply(Change::Put(exclusion));
        }
    }
}
