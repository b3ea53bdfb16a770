//! The engine on Redis: a single server, Sentinel, or Redis Cluster.
//!
//! Every operation is one script and one round trip ([`scripts`]). What belongs to a channel lies in
//! one partition ([`layout`]), so that the script that keeps a publication also sends it, in order,
//! over the bus ([`bus`]). Connections, and who serves which partition, are the matter of [`link`].
//!
//! What a newcomer would get wrong: failover. A promoted replica may lack what its primary had
//! acknowledged, and Redis does not say so. Every script that touches a stream is therefore told
//! under which replication id its server runs; one that finds another id in the partition begins a
//! new generation, in which every stream has a new epoch (`lua/fence.lua`).

#![forbid(unsafe_code)]

mod beside;
mod broker;
mod bus;
mod channels;
mod layout;
mod link;
mod metrics;
mod options;
mod presence;
mod registry;
mod scripts;
mod wire;

use std::fmt;
use std::sync::Arc;

use gyre_engine::{ChannelOutbox, Engine, Error, Inlet, Statuses};
use gyre_runtime::{Clock, Health, Tasks};

use beside::RedisStatuses;
pub use beside::{Row, Table};
use broker::RedisBroker;
use bus::Bus;
use channels::RedisChannels;
use layout::Layout;
use link::Link;
pub use link::{AddressError, Disagreement, Servers};
pub use metrics::Metrics;
pub use options::{Options, OptionsError, TlsClients};
use presence::RedisPresence;
use registry::RedisRegistry;

/// An engine whose state is on Redis. Cheap to clone.
#[derive(Clone)]
pub struct RedisEngine {
    link: Link,
    engine: Engine,
    clock: Clock,
}

impl RedisEngine {
    /// Opens the engine, which hands over to `inlet`. It connects by itself, now and whenever it has
    /// to; until it has, operations fail. What it does besides runs on `tasks`.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn open<I: Inlet>(
        options: Options,
        inlet: Arc<I>,
        clock: &Clock,
        tasks: &Tasks,
        metrics: &Metrics,
    ) -> Self {
        let layout = Layout::new(&options.prefix, options.partitions, options.bus_channels);
        let link = Link::open(options, Arc::new(layout), tasks, metrics);
        let bus = Bus::open(&link, inlet);
        let engine = Engine {
            broker: Arc::new(RedisBroker::new(link.clone(), bus, clock.clone())),
            presence: RedisPresence::open(&link),
            registry: RedisRegistry::open(&link),
        };
        Self {
            link,
            engine,
            clock: clock.clone(),
        }
    }

    /// The parts of the engine as services hold them.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine.clone()
    }

    /// When users were last there, on the same Redis.
    #[must_use]
    pub fn statuses(&self) -> Arc<dyn Statuses> {
        Arc::new(RedisStatuses::new(self.link.clone(), self.clock.clone()))
    }

    /// Which channels are in use by any gateway, and what became of them, on the same Redis. Does nothing
    /// until it is known for which proxies.
    #[must_use]
    pub fn channels(&self) -> Arc<dyn ChannelOutbox> {
        RedisChannels::open(&self.link, &self.clock)
    }

    /// The same without the rest of an engine.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn open_statuses(
        options: Options,
        clock: &Clock,
        tasks: &Tasks,
        metrics: &Metrics,
    ) -> Arc<dyn Statuses> {
        let layout = Layout::new(&options.prefix, options.partitions, options.bus_channels);
        let link = Link::open_beside(options, Arc::new(layout), tasks, metrics);
        Arc::new(RedisStatuses::new(link, clock.clone()))
    }

    /// Waits until Redis answers.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if it does not within `io_timeout`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn ready(&self) -> Result<(), Error> {
        self.link.ready().await
    }
}

impl RedisEngine {
    /// Waits until it is known whether other processes on the same Redis keep things where this one
    /// does; `connect_timeout` at most, after which it is found out later.
    ///
    /// # Errors
    ///
    /// [`Disagreement`]: nothing can be done until the settings are the same.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn agreed(&self) -> Result<(), Disagreement> {
        self.link.agreed().await
    }

    /// How well the servers can be reached now.
    #[must_use]
    pub fn health(&self) -> Health {
        self.link.health()
    }

    /// How many servers serve something, and how many of them cannot be reached.
    #[must_use]
    pub fn servers(&self) -> Servers {
        self.link.servers()
    }
}

impl fmt::Debug for RedisEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisEngine").finish_non_exhaustive()
    }
}
