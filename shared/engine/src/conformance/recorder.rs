use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_types::ChannelName;
use parking_lot::Mutex;

use super::{Check, Failure};
use crate::{Delivered, Inlet};

/// The inlet of the suite: keeps what arrives, and notices calls that should not overlap.
#[derive(Debug, Default)]
pub struct Recorder {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    arrivals: Vec<(ChannelName, Arrival)>,
    busy: BTreeSet<ChannelName>,
    overlap: Option<ChannelName>,
    waiting: Vec<Waker>,
}

/// What the inlet was told about a channel.
#[derive(Clone, Debug)]
pub(super) enum Arrival {
    Publication(Delivered),
    Join(Arc<ClientInfo>),
    Leave(Arc<ClientInfo>),
    Gap,
}

impl Arrival {
    /// The publication, if it is one.
    pub(super) fn publication(&self) -> Option<&Publication> {
        match self {
            Self::Publication(delivered) => Some(&delivered.publication),
            Self::Join(_) | Self::Leave(_) | Self::Gap => None,
        }
    }
}

impl Recorder {
    /// What arrived in a channel until now.
    pub(super) fn arrivals(&self, channel: &ChannelName) -> Vec<Arrival> {
        self.seen.lock().of(channel)
    }

    /// Ready when `count` arrived in a channel.
    pub(super) fn poll(
        &self,
        channel: &ChannelName,
        count: usize,
        context: &Context<'_>,
    ) -> Poll<Vec<Arrival>> {
        let mut seen = self.seen.lock();
        let arrivals = seen.of(channel);
        if arrivals.len() >= count {
            return Poll::Ready(arrivals);
        }
        seen.waiting.push(context.waker().clone());
        Poll::Pending
    }

    /// Whether the calls for each channel came one after the other.
    pub(super) fn check(&self) -> Check {
        match &self.seen.lock().overlap {
            Some(channel) => Err(Failure::Overlap(channel.to_string())),
            None => Ok(()),
        }
    }

    fn record(&self, channel: &ChannelName, arrival: Arrival) {
        self.enter(channel);
        // Gives a second call the chance to come in between, where an engine lets it.
        std::thread::yield_now();
        self.leave(channel, arrival);
    }

    fn enter(&self, channel: &ChannelName) {
        let mut seen = self.seen.lock();
        if !seen.busy.insert(channel.clone()) {
            seen.overlap = Some(channel.clone());
        }
    }

    fn leave(&self, channel: &ChannelName, arrival: Arrival) {
        let waiting = {
            let mut seen = self.seen.lock();
            seen.busy.remove(channel);
            seen.arrivals.push((channel.clone(), arrival));
            std::mem::take(&mut seen.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Seen {
    fn of(&self, channel: &ChannelName) -> Vec<Arrival> {
        self.arrivals
            .iter()
            .filter(|(arrived_in, _)| arrived_in == channel)
            .map(|(_, arrival)| arrival.clone())
            .collect()
    }
}

impl Inlet for Recorder {
    fn on_publication(&self, channel: &ChannelName, delivered: Delivered) {
        self.record(channel, Arrival::Publication(delivered));
    }

    fn on_join(&self, channel: &ChannelName, info: &Arc<ClientInfo>) {
        self.record(channel, Arrival::Join(Arc::clone(info)));
    }

    fn on_leave(&self, channel: &ChannelName, info: &Arc<ClientInfo>) {
        self.record(channel, Arrival::Leave(Arc::clone(info)));
    }

    fn on_gap(&self, channel: &ChannelName) {
        self.record(channel, Arrival::Gap);
    }
}
