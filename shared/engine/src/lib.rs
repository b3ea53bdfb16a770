//! What an engine is: three traits, their values, and the suite that every engine must pass.
//!
//! An engine moves publications between processes ([`Broker`]), knows who is in a channel
//! ([`Presence`]) and which gateways live ([`Registry`]). It knows no clients. The traits are drawn
//! for a remote engine: an operation is one round trip, may be slow, may fail with an unknown
//! outcome, and may be dropped half way (each method states its cancel safety).
//!
//! [`Statuses`], when users were last there, and the [`ChannelOutbox`], which channels came into use or
//! went out of it, are opened by themselves.
//!
//! Publications travel the other way through [`Inlet`], which the gateway implements.

#![forbid(unsafe_code)]

mod broker;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod inlet;
mod outbox;
mod presence;
mod rate;
mod registry;
mod status;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use broker::{
    Broker, Features, History, HistoryQuery, HistoryRead, Order, Publish, PublishOptions,
    Published, Retention, Suppressed, epoch_of,
};
pub use error::Error;
pub use inlet::{Delivered, Inlet};
pub use outbox::{ChannelOutbox, ChannelState, InUse, OutboxError, StateEvent, Transition};
pub use presence::{Members, Presence, PresenceStats};
pub use rate::{Meter, Permits};
pub use registry::{Gateway, Registry};
pub use status::{Status, Statuses};

/// A boxed future: one allocation per operation, so that services hold `Arc<dyn Broker>`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The three parts of an engine, opened together.
#[derive(Clone)]
pub struct Engine {
    /// Moves publications and keeps history.
    pub broker: Arc<dyn Broker>,
    /// Knows who is in a channel.
    pub presence: Arc<dyn Presence>,
    /// Knows which gateways live.
    pub registry: Arc<dyn Registry>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}
