//! The listeners of a process: one table of addresses, and what is served at each.
//!
//! A connection's first request head is read here, without hyper. If an [`Intercept`] claims it,
//! the bare stream is handed over and nothing of ours stays behind: that is what keeps a
//! client's connection at 3 KB. Everything else goes to hyper with the bytes already read, HTTP/1
//! and HTTP/2 with prior knowledge alike. A request that an intercept claims later on such a
//! connection is handed over too; over HTTP/2 without the connection, which it shares with others.

mod accept;
mod answer;
mod connection;
mod head;
mod http1;
mod http2;
mod metrics;
pub mod path;
mod responder;
mod site;
mod socket;
mod stream;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use gyre_telemetry::Registry;

pub use head::Head;
pub use responder::Responder;
pub use site::{Intercept, Site, Taken};
pub use socket::bind_udp;
pub use stream::{Duplex, Stream, poll_read_out};

use crate::{OnExit, Parts};
use metrics::Metrics;

/// Why a process cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address as configured.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Something is to be served where nothing was bound.
    #[error("{0} is not among the addresses that were bound")]
    NotBound(SocketAddr),
    /// A metric is registered already.
    #[error(transparent)]
    Metrics(#[from] gyre_telemetry::metrics::Error),
}

/// Sockets that are bound, and what will be served at each.
#[derive(Debug)]
pub struct Listeners {
    sockets: BTreeMap<SocketAddr, socket::Bound>,
    sites: BTreeMap<SocketAddr, Site>,
    metrics: Metrics,
}

impl Listeners {
    /// Binds each address once; serves nobody yet. 0.0.0.0 stands for IPv6 too, where there is any;
    /// port 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// [`Error::Bind`], [`Error::Metrics`] on a second call with the same registry.
    pub fn bind(
        addresses: impl IntoIterator<Item = SocketAddr>,
        registry: &Registry,
    ) -> Result<Self, Error> {
        let mut sockets = BTreeMap::new();
        for address in addresses {
            if let Entry::Vacant(free) = sockets.entry(address) {
                free.insert(socket::bind(address)?);
            }
        }
        Ok(Self {
            sockets,
            sites: BTreeMap::new(),
            metrics: Metrics::new(registry)?,
        })
    }

    /// What is served at an address, named as it was given to [`Listeners::bind`].
    pub fn at(&mut self, address: SocketAddr) -> &mut Site {
        self.sites.entry(address).or_default()
    }

    /// Where it listens, after port 0 was resolved: each address as given, and as bound.
    pub fn addresses(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr)> {
        self.sockets
            .iter()
            .map(|(given, bound)| (*given, bound.address()))
    }

    /// Begins to serve; ends with the drain. Has to be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::NotBound`] if a site's address was not bound; [`Error::Bind`] if the runtime does
    /// not take a socket.
    pub fn run(self, parts: &Parts) -> Result<(), Error> {
        let Self {
            mut sockets,
            sites,
            metrics,
        } = self;
        for (address, site) in sites {
            let bound = sockets.remove(&address).ok_or(Error::NotBound(address))?;
            let bound_address = bound.address();
            let listener = bound
                .listen()
                .map_err(|source| Error::Bind { address, source })?;
            let server = Arc::new(site::Server {
                site,
                metrics: metrics.clone(),
                tasks: parts.tasks.clone(),
            });
            tracing::info!(address = %bound_address, "listening");
            let accepting = accept::accept(listener, server);
            parts.tasks.spawn("accept", OnExit::Drain, accepting);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
