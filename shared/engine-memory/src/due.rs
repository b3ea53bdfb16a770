use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use gyre_types::{ChannelName, Uptime};

use crate::stream::{NEVER, Stream};

/// What is over when, earliest first.
///
/// A stream stands here once for a `ttl`, not once for a publication: what is renewed keeps its
/// entry, and is entered again when that comes up.
#[derive(Debug, Default)]
pub(crate) struct Agenda(BinaryHeap<Reverse<Due>>);

/// An entry of the agenda.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Due {
    pub(crate) at: Uptime,
    pub(crate) channel: ChannelName,
    /// Of the idempotency key that is over; `None`: it is about the stream.
    pub(crate) key: Option<Arc<str>>,
}

impl Agenda {
    /// Enters whatever will be over.
    pub(crate) fn add(&mut self, due: Due) {
        self.0.push(Reverse(due));
    }

    /// Enters a stream, if something of it is over before its entry comes up.
    pub(crate) fn follow(&mut self, stream: &mut Stream) {
        let at = stream.over_next();
        if at < stream.due {
            stream.due = at;
            self.add(Due {
                at,
                channel: stream.channel.clone(),
                key: None,
            });
        }
    }

    /// Enters a stream again whose entry came up.
    pub(crate) fn follow_again(&mut self, stream: &mut Stream) {
        stream.due = NEVER;
        self.follow(stream);
    }

    /// Takes out what is over.
    pub(crate) fn next(&mut self, now: Uptime) -> Option<Due> {
        if self.0.peek()?.0.at > now {
            return None;
        }
        self.0.pop().map(|Reverse(due)| due)
    }

    /// Gives memory back that a peak has left.
    pub(crate) fn shrink(&mut self) {
        if is_sparse(self.0.len(), self.0.capacity()) {
            self.0.shrink_to(self.0.len() * 2);
        }
    }
}

/// Whether so much of a capacity is empty that giving it back is worth the move.
pub(crate) const fn is_sparse(len: usize, capacity: usize) -> bool {
    capacity > 64 && len < capacity / 4
}

#[cfg(test)]
impl Agenda {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }
}
