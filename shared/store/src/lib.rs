//! Small durable tables on SQLite or PostgreSQL, and what is read from them without asking.
//!
//! Who is kept out ([`Exclusion`]): blocked users, revoked tokens, and users whose older tokens are
//! void. [`Access`] changes it, durably before it answers; [`View`] is the same in memory, where a
//! connection looks, so that connecting costs no query. And what became of channels that the
//! application was not told yet ([`MemoryOutbox`] and the two databases).
//!
//! What a newcomer would get wrong: a view has the changes of its own process at once, and those of others
//! that share the database within a second, or when [`Access::look`] is called.

#![forbid(unsafe_code)]

mod access;
mod error;
mod exclusion;
mod open;
mod outbox;
mod repository;
mod sql;
mod view;

use std::future::Future;
use std::pin::Pin;

pub use access::{Access, Keeper, LoadError};
pub use error::Error;
pub use exclusion::{BadSubject, Change, Exclusion, Key, Kind, TEXT_BYTES_MAX};
pub use open::{OpenError, OpenRedis, OpenedOnRedis, Store, open};
pub use outbox::MemoryOutbox;
pub use repository::Exclusions;
pub use sql::{DatabaseError, Postgres, REMOVED_SECS, Sqlite};
pub use view::{ENTRIES_MAX, View};

/// A boxed future: repositories are held as `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
