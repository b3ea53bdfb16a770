//! What was handed over lately is kept for those who come back, while there are many.

use std::sync::Arc;
use std::time::Duration;

use gyre_engine::{History, HistoryQuery, Inlet, Retention};
use gyre_types::{ChannelName, UnixMillis};
use parking_lot::Mutex;
use tokio::time::sleep;

use super::Bus;
use super::tail::Budget;
use crate::layout::Place;

/// How often it is looked for tails that are of no use any more.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The tails of a process.
#[derive(Debug, Default)]
pub(super) struct Tails {
    budget: Budget,
    channels: Mutex<Vec<(Place, ChannelName)>>,
}

impl<I: Inlet> Bus<I> {
    /// What a query finds among what was handed over; `None` if the stream has to be asked.
    pub(crate) fn find(
        &self,
        channel: &ChannelName,
        query: &HistoryQuery<'_>,
        retention: Retention,
        now: UnixMillis,
    ) -> Option<History> {
        let place = self.link.layout().place(channel.as_str());
        let mut lines = self.partition(place)?.lock();
        let heard = lines.heard_channel(place.bus, channel)?;
        heard.find(query, retention, now)
    }

    /// Whether somebody came back to a channel lately.
    pub(crate) fn has_tail(&self, channel: &ChannelName) -> bool {
        let place = self.link.layout().place(channel.as_str());
        let lines = self.partition(place).map(Mutex::lock);
        lines.is_some_and(|mut lines| {
            let heard = lines.heard_channel(place.bus, channel);
            heard.is_some_and(|heard| heard.has_tail())
        })
    }

    /// Keeps what was read, oldest first, for the next who asks.
    pub(crate) fn keep(&self, channel: &ChannelName, read: &History, retention: Retention) {
        let place = self.link.layout().place(channel.as_str());
        let Some(partition) = self.partition(place) else {
            return;
        };
        let is_new = {
            let mut lines = partition.lock();
            let heard = lines.heard_channel(place.bus, channel);
            heard.is_some_and(|heard| heard.keep(read, retention, &self.tails.budget))
        };
        if is_new {
            self.tails.channels.lock().push((place, channel.clone()));
        }
    }
}

/// Lets go of tails that are of no use any more.
pub(super) async fn sweep<I: Inlet>(bus: Arc<Bus<I>>) {
    loop {
        sleep(SWEEP_INTERVAL).await;
        let mut channels = std::mem::take(&mut *bus.tails.channels.lock());
        channels.retain(|(place, channel)| {
            let partition = bus.partition(*place);
            partition.is_some_and(|lines| lines.lock().sweep_tail(place.bus, channel))
        });
        bus.tails.channels.lock().append(&mut channels);
    }
}
