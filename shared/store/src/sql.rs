//! The tables on SQLite and PostgreSQL: the same statements, two drivers.

mod migrations;
mod outbox;
mod postgres;
mod sqlite;
mod statements;

use std::path::PathBuf;

pub use self::postgres::Postgres;
pub use self::sqlite::Sqlite;
pub use self::statements::REMOVED_SECS;

/// Why a database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It could not be reached, or refused.
    #[error("the database failed")]
    Query(#[from] sqlx::Error),
    /// Its tables could not be brought to what this version needs.
    #[error("the database's tables cannot be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Another process has the file.
    #[error("{path:?} is in use by another process")]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The file's lock cannot be made.
    #[error("{path:?} cannot be opened")]
    File {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A repository that is not ours failed.
    #[error("the storage failed")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}
