use std::error::Error;
use std::fmt;
use std::future::pending;

use gyre_types::UnixMillis;

use crate::BoxFuture;

/// Why an outbox did not do it: nobody reacts to it but by trying again.
pub type OutboxError = Box<dyn Error + Send + Sync>;

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
/// One that is shared by several processes takes what each of them sees and keeps what follows for all of
/// them together: a channel is occupied when the first of them says so, and vacated when the last one
/// does, or is gone. Each event is given to one process at a time.
///
/// Methods may be dropped half way: then all of it was done or nothing.
pub trait ChannelOutbox: fmt::Debug + Send + Sync {
    /// This process will tell what is kept for these proxies, and asks for nothing else.
    fn serve(&self, _proxies: &[&str]) {}

    /// Takes all transitions in this order, and remembers which channels are in use. If it fails, each was
    /// taken or not, and will be as if it was not.
    fn record<'a>(
        &'a self,
        transitions: &'a [Transition],
    ) -> BoxFuture<'a, Result<(), OutboxError>>;

    /// The oldest events of a proxy, at most `limit`, those of a channel oldest first, and the one with the
    /// highest generation last.
    fn events<'a>(
        &'a self,
        proxy: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<StateEvent>, OutboxError>>;

    /// Forgets the events of a proxy up to this generation, among those that it was given last.
    fn told<'a>(
        &'a self,
        proxy: &'a str,
        generation: i64,
    ) -> BoxFuture<'a, Result<(), OutboxError>>;

    /// Ends when there may be events that this process did not cause.
    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(pending())
    }

    /// Events that wait, as far as it is known.
    fn waiting(&self) -> BoxFuture<'_, Result<u64, OutboxError>>;

    /// At most `limit` channels in use, after this one, sorted by name.
    fn in_use<'a>(
        &'a self,
        after: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<InUse>, OutboxError>>;

    /// Names of the proxies that there is anything of.
    fn proxies(&self) -> BoxFuture<'_, Result<Vec<String>, OutboxError>>;

    /// Forgets everything of a proxy.
    fn forget<'a>(&'a self, proxy: &'a str) -> BoxFuture<'a, Result<(), OutboxError>>;
}
