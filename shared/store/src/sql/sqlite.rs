use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};

use super::outbox::channel_outbox;
use super::statements::exclusions;
use super::{DatabaseError, migrations};

/// Longest wait for a tool that holds the file. 5 s: a copy of a small database takes less.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(5);

/// The tables in a file of this machine, for one process.
#[derive(Debug)]
pub struct Sqlite {
    pool: SqlitePool,
    /// Lies beside the database and is locked while this lives; the system frees it even after a
    /// kill. Two processes would not see each other's changes.
    _lock: File,
}

impl Sqlite {
    /// Opens the file, makes it if it is not there, and brings its tables up to date.
    ///
    /// One connection, so there is one writer; every commit is on the disk before it is answered.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a step of the migration is made whole or not at all.
    pub async fn open(path: &Path) -> Result<Self, DatabaseError> {
        let lock = lock(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_WAIT_MAX);
        let pool = PoolOptions::new()
            .max_connections(1)
            .acquire_timeout(2 * BUSY_WAIT_MAX)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        Migrator::new(migrations::SQLITE).await?.run(&pool).await?;
        Ok(Self { pool, _lock: lock })
    }
}

/// Takes the file for this process.
fn lock(path: &Path) -> Result<File, DatabaseError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let opened = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&beside);
    let failed = |source| DatabaseError::File {
        path: beside.clone(),
        source,
    };
    let file = opened.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DatabaseError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

exclusions!(Sqlite, false);
channel_outbox!(Sqlite);
