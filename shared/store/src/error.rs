use std::sync::Arc;

use gyre_types::{Fault, Kind as FaultKind};

use crate::exclusion::Kind;
use crate::sql::DatabaseError;
use crate::view::ENTRIES_MAX;

/// Why a change was not made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The database did not take it, or did not say that it did. It may be repeated.
    #[error("the database did not take the change")]
    Database(#[source] Arc<DatabaseError>),
    /// There are as many as memory is kept for; expired ones make room by themselves.
    #[error("{} holds {ENTRIES_MAX} entries, more are not kept in memory", .0.section())]
    Full(Kind),
    /// The process ends.
    #[error("the process ends")]
    Stopped,
}

impl Fault for Error {
    fn fault(&self) -> FaultKind {
        match self {
            Self::Database(_) | Self::Stopped => FaultKind::Unavailable,
            Self::Full(_) => FaultKind::Limit,
        }
    }
}
