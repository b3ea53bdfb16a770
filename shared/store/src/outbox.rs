//! Which channels are in use, and what became of channels that the application was not told yet.

mod memory;

use std::fmt;

use gyre_types::UnixMillis;

pub use self::memory::MemoryOutbox;
pub(crate) use self::memory::generation_at;
use crate::BoxFuture;
use crate::sql::DatabaseError;

/// What became of a channel.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ChannelState {
    /// It has a subscriber.
    Occupied,
    /// It has none any more.
    Vacated,
}

impl ChannelState {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Occupied => "occupied",
            Self::Vacated => "vacated",
        }
    }

    /// The number that stands in the table. Never given to another state.
    pub(crate) const fn number(self) -> i16 {
        match self {
            Self::Occupied => 1,
            Self::Vacated => 2,
        }
    }

    pub(crate) const fn of_number(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Occupied),
            2 => Some(Self::Vacated),
            _ => None,
        }
    }
}

/// A channel that changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transition {
    /// The channel.
    pub channel: Box<str>,
    /// Name of the proxy whose backend is to be told.
    pub proxy: Box<str>,
    /// What became of it.
    pub state: ChannelState,
    /// When.
    pub at: UnixMillis,
}

/// A transition that is to be told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StateEvent {
    /// Grows from event to event, also across restarts, and never below the microseconds of the clock
    /// at the time it was recorded.
    pub generation: i64,
    /// What is told.
    pub transition: Transition,
}

/// A channel that was in use when it was last heard of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InUse {
    /// The channel.
    pub channel: Box<str>,
    /// Name of the proxy whose backend was told, or will be.
    pub proxy: Box<str>,
}

/// Keeps transitions until the application has been told, so that a restart loses none.
///
/// Methods may be dropped half way: then the database has all of it or nothing of it.
pub trait ChannelOutbox: fmt::Debug + Send + Sync {
    /// Takes all transitions in this order, or none, and remembers which channels are in use.
    fn record<'a>(
        &'a self,
        transitions: &'a [Transition],
    ) -> BoxFuture<'a, Result<(), DatabaseError>>;

    /// The oldest events of a proxy, at most `limit`, oldest first.
    fn events<'a>(
        &'a self,
        proxy: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<StateEvent>, DatabaseError>>;

    /// Forgets the events of a proxy up to this generation.
    fn told<'a>(
        &'a self,
        proxy: &'a str,
        generation: i64,
    ) -> BoxFuture<'a, Result<(), DatabaseError>>;

    /// Events that wait.
    fn waiting(&self) -> BoxFuture<'_, Result<u64, DatabaseError>>;

    /// At most `limit` channels in use, after this one, sorted by name.
    fn in_use<'a>(
        &'a self,
        after: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<InUse>, DatabaseError>>;

    /// Names of the proxies that there is anything of.
    fn proxies(&self) -> BoxFuture<'_, Result<Vec<String>, DatabaseError>>;

    /// Forgets everything of a proxy.
    fn forget<'a>(&'a self, proxy: &'a str) -> BoxFuture<'a, Result<(), DatabaseError>>;
}
