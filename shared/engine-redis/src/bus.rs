//! What is received: which bus channels are heard, by which connection, and what was lost.
//!
//! Every node that serves a partition has one connection of ours that listens (an *ear*). A bus
//! channel is a *line*; it is heard while one ear has it confirmed. Messages are handed over in the
//! order in which they come, under the lock of their partition: nothing else is handed over for
//! their channels meanwhile, whichever connections come and go.
//!
//! A line that is heard again after it was not, and one whose numbers have a hole, may have lost
//! something. Its channels are repaired from history at once, unseen by anybody ([`heard`]); the inlet
//! is told of those that cannot be.

mod ear;
mod heard;
mod lines;
mod repair;
mod tail;
mod tails;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gyre_engine::{Error, History, Inlet};
use gyre_types::{ChannelName, Position, UnixMillis};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::layout::Place;
use crate::link::{Address, Link};
use lines::{Gap, Lines};

/// Longest wait of a publisher for its own message to arrive. It is on the way when it is
/// acknowledged.
const ARRIVAL_PATIENCE: Duration = Duration::from_millis(50);

/// Everything that this process receives.
pub(crate) struct Bus<I> {
    inlet: Arc<I>,
    link: Link,
    /// By partition.
    partitions: Box<[Mutex<Lines>]>,
    /// Partitions in which lines are to be asked for.
    wanted: Mutex<BTreeSet<u16>>,
    /// Counts the times that something was added to `wanted`.
    wishes: watch::Sender<u64>,
    /// Nodes that are listened to.
    ears: Mutex<BTreeSet<Address>>,
    /// What is to be repaired, and who is told of it.
    gaps: Mutex<VecDeque<(Place, Gap)>>,
    gap: Notify,
    tails: tails::Tails,
}

impl<I: Inlet> Bus<I> {
    /// Begins to listen.
    pub(crate) fn open(link: &Link, inlet: Arc<I>) -> Arc<Self> {
        let partitions = (0..link.layout().partitions())
            .map(|_| Mutex::default())
            .collect();
        let bus = Arc::new(Self {
            inlet,
            link: link.clone(),
            partitions,
            wanted: Mutex::default(),
            wishes: watch::channel(0).0,
            ears: Mutex::default(),
            gaps: Mutex::default(),
            gap: Notify::new(),
            tails: tails::Tails::default(),
        });
        let following = Arc::clone(&bus);
        link.run(async move { following.follow().await });
        link.run(repair::run(Arc::clone(&bus)));
        link.run(tails::sweep(Arc::clone(&bus)));
        bus
    }

    /// One more subscriber of this process in a channel; done when it is heard.
    pub(crate) async fn subscribe(&self, channel: &ChannelName) -> Result<(), Error> {
        if let Err(disagreement) = self.link.agrees() {
            let reason = disagreement.to_string();
            return Err(Error::Unavailable { reason });
        }
        let place = self.link.layout().place(channel.as_str());
        let Some(partition) = self.partition(place) else {
            return Ok(());
        };
        let Some(heard) = partition.lock().add(place.bus, channel) else {
            return Ok(());
        };
        self.want(place.partition);
        if timeout(self.link.options().io_timeout, heard).await.is_ok() {
            return Ok(());
        }
        self.unsubscribe(channel);
        Err(Error::Unavailable {
            reason: "redis does not confirm the subscription".to_owned(),
        })
    }

    /// Waits, for a moment at most, until this process has handed over the message with this number, if
    /// it has subscribers for it: what is done after a publish was acknowledged comes after it here.
    pub(crate) async fn arrived(&self, place: Place, number: u64) {
        let arrival = self
            .partition(place)
            .and_then(|partition| partition.lock().arrival(place.bus, number));
        if let Some(arrival) = arrival {
            // In vain when the connection is lost; its subscribers are told then.
            let _ = timeout(ARRIVAL_PATIENCE, arrival).await;
        }
    }

    /// One subscriber of this process less in a channel.
    pub(crate) fn unsubscribe(&self, channel: &ChannelName) {
        let place = self.link.layout().place(channel.as_str());
        if let Some(partition) = self.partition(place) {
            partition.lock().remove(place.bus, channel);
        }
    }

    /// A line is heard by this ear from now on.
    fn heard(&self, ear: u64, place: Place) {
        if let Some(partition) = self.partition(place) {
            let gaps = partition.lock().heard(ear, place.bus, &*self.inlet);
            self.doubt(place, gaps);
        }
    }

    /// A line is not heard any more by this ear, which was not its wish.
    fn unheard(&self, ear: u64, place: Place) {
        let is_wanted = self
            .partition(place)
            .is_some_and(|partition| partition.lock().unheard(ear, place.bus));
        if is_wanted {
            self.want(place.partition);
            self.link.doubt();
        }
    }

    /// Nothing is heard any more by this ear.
    fn deaf(&self, ear: u64) {
        for partition in &self.partitions {
            partition.lock().deaf(ear);
        }
    }

    /// A message came.
    fn message(&self, ear: u64, place: Place, text: &Bytes) {
        if let Some(partition) = self.partition(place) {
            let gaps = partition.lock().message(ear, place.bus, text, &*self.inlet);
            self.doubt(place, gaps);
        }
    }

    /// Somebody has read a channel's stream up to here, now.
    pub(crate) fn learn(&self, channel: &ChannelName, top: Position, now: UnixMillis) {
        let place = self.link.layout().place(channel.as_str());
        if let Some(partition) = self.partition(place) {
            partition.lock().learn(place.bus, channel, top, now);
        }
    }

    fn doubt(&self, place: Place, gaps: Vec<Gap>) {
        if gaps.is_empty() {
            return;
        }
        let count = u64::try_from(gaps.len()).unwrap_or(u64::MAX);
        self.link.metrics().gaps.inc_by(count);
        let gaps = gaps.into_iter().map(|gap| (place, gap));
        self.gaps.lock().extend(gaps);
        self.gap.notify_one();
    }

    /// What was read for a gap.
    fn repaired(&self, place: Place, gap: &Gap, found: Option<History>) {
        if let Some(partition) = self.partition(place) {
            let left = partition
                .lock()
                .repair(place.bus, &gap.channel, found, &*self.inlet);
            self.doubt(place, left.into_iter().collect());
        }
    }

    fn want(&self, partition: u16) {
        self.wanted.lock().insert(partition);
        self.wishes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    fn partition(&self, place: Place) -> Option<&Mutex<Lines>> {
        self.partitions.get(usize::from(place.partition))
    }

    /// Listens to every node that serves something.
    async fn follow(self: Arc<Self>) {
        let mut tables = self.link.tables();
        loop {
            let table = Arc::clone(&tables.borrow_and_update());
            for address in table.by_node().into_keys() {
                if self.ears.lock().insert(address.clone()) {
                    let bus = Arc::clone(&self);
                    self.link.run(ear::listen(bus, address));
                }
            }
            if tables.changed().await.is_err() {
                return;
            }
        }
    }
}
