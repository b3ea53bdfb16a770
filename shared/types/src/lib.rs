//! Domain vocabulary: names, stream positions, time, limits, faults.
//!
//! A leaf crate. It performs no I/O, reads no clock and knows no wire format. What a newcomer would
//! get wrong: a value of these types is always valid, so nothing downstream checks again.

#![forbid(unsafe_code)]

mod capability;
mod epoch;
mod fault;
mod ids;
pub mod limits;
mod names;
mod replaced;
mod time;

pub use capability::Capability;
pub use epoch::Epoch;
pub use fault::{Fault, Kind};
pub use ids::{HubSlot, SubscriptionId, Ticket};
pub use names::{ChannelName, ClientId, EmptyChannelName, UserId};
pub use replaced::Override;
pub use time::{Now, UnixMillis, UnixSeconds, Uptime};

/// A place in a channel's stream: which life of the stream, and how far into it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Position {
    /// Offset of the last publication; 0 is the empty stream. The first publication has 1.
    pub offset: u64,
    /// The stream's life. Offsets of two epochs do not compare.
    pub epoch: Epoch,
}
