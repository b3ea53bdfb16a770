//! The engine in this process: history, presence and registry in memory.
//!
//! The default of small installations and of tests. Nothing outlives the process, nothing reaches
//! another, and no operation waits: its future is ready when it is first polled, but for
//! `publish_to_many`, which lets others in between.
//!
//! Channels are spread over stripes by a hash of their names. A stripe has two locks. `order` is
//! held while a publication gets its place and goes through the inlet, so that a channel's
//! publications arrive in stream order; `state` guards streams and idempotency keys, and only while
//! they are touched: whoever reads history does not wait for a fan-out.
//!
//! What a newcomer would get wrong: time. What is over is never seen, because every access looks at
//! the clock first; [`MemoryEngine::sweep`] only gives its memory back.

#![forbid(unsafe_code)]

mod broker;
mod draft;
mod due;
mod presence;
mod registry;
mod state;
mod statuses;
mod stream;
mod stripes;

use std::fmt;
use std::sync::Arc;

use gyre_engine::{Engine, Inlet};
use gyre_types::Now;

use broker::MemoryBroker;
use presence::MemoryPresence;
use registry::MemoryRegistry;
pub use statuses::{MemoryStatuses, STATUSES_MAX};

/// An engine whose state is in this process. Cheap to clone: clones share the state.
///
/// Generic over inlet and clock, so that a publication meets no virtual call on its way.
pub struct MemoryEngine<I, C> {
    broker: Arc<MemoryBroker<I, C>>,
    presence: Arc<MemoryPresence>,
    registry: Arc<MemoryRegistry>,
}

/// Whether a sweep came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Swept {
    /// Nothing that is over is left.
    All,
    /// There was more than one call may do: let others in, and call again.
    Some,
}

impl<I, C> MemoryEngine<I, C>
where
    I: Inlet,
    C: Fn() -> Now + Send + Sync + 'static,
{
    /// Opens an empty engine that hands over to `inlet` and reads the time from `clock`, once for an
    /// operation.
    #[must_use]
    pub fn open(inlet: Arc<I>, clock: C) -> Self {
        let broker = Arc::new(MemoryBroker::new(inlet, clock));
        let clock = Arc::clone(&broker);
        Self {
            broker,
            presence: Arc::default(),
            registry: Arc::new(MemoryRegistry::new(move || clock.now())),
        }
    }

    /// The parts of the engine as services hold them.
    #[must_use]
    pub fn engine(&self) -> Engine {
        Engine {
            broker: Arc::clone(&self.broker) as _,
            presence: Arc::clone(&self.presence) as _,
            registry: Arc::clone(&self.registry) as _,
        }
    }

    /// Gives back the memory of streams, publications and idempotency keys that are over. To be
    /// called about once a second; does a bounded amount of work.
    #[must_use]
    pub fn sweep(&self) -> Swept {
        self.broker.sweep()
    }
}

impl<I, C> Clone for MemoryEngine<I, C> {
    fn clone(&self) -> Self {
        Self {
            broker: Arc::clone(&self.broker),
            presence: Arc::clone(&self.presence),
            registry: Arc::clone(&self.registry),
        }
    }
}

impl<I, C> fmt::Debug for MemoryEngine<I, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryEngine").finish_non_exhaustive()
    }
}
