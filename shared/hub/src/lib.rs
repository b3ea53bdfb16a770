//! Channel to subscribers of this node, and the fan-out loop.
//!
//! The hub knows who wants a channel and nothing else: no session, no socket, no clock. Delivery is
//! the hot path of the product:
//!
//! | # | function | cost |
//! |---|---|---|
//! | 1 | `Inlet::on_publication` | one [`Prepared`](gyre_protocol::prepared::Prepared) for all subscribers |
//! | 2 | [`Hub::fan_out`] | one look-up by name, the read lock of one shard |
//! | 3 | [`Subscriber::offer`] | per subscriber: one bounded queue push and one reference count |
//! | 4 | the connection's driver | takes what was offered, in batches |
//! | 5 | `Session::handle_delivery` | finds the subscription by slot, checks its position |
//! | 6 | `Transport::write` | one write per turn |
//!
//! What a newcomer would get wrong: a subscriber is found by the slot that [`Hub::subscribe`] gave
//! out, never by searching, so that leaving a channel of a million subscribers costs what leaving
//! one of ten does.

#![forbid(unsafe_code)]

mod channel;
mod hub;

pub use hub::{Counts, Hub, Joined, Left, SHARDS, Subscriber, Wants};
