//! What follows when the engine lost something on the way: nobody waits for the next publication, or
//! for the next look at the stream, to find that out.
//!
//! A channel with a loss is held: what arrives for it waits, while its history is read from the last
//! publication that went through the hub. What was missing is delivered first, then the stream's top,
//! against which every positioned subscription checks itself, then what has waited. Whoever is still
//! behind is told so (2500 or 3010).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use gyre_engine::{Delivered, Error, History, HistoryQuery};
use gyre_types::ChannelName;
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::effects::meta_ttl;
use crate::inlet::Delivery;
use crate::node::Node;

/// Channels whose history is read at the same time. 32: a lost connection concerns thousands.
const AT_ONCE_MAX: usize = 32;

/// Publications of a channel that wait for its repair. 512: some seconds of a lively one. Beyond, they
/// go through, and whoever lacks something is told.
const HELD_MAX: usize = 512;

/// Publications that are delivered later. 300, as many as a client recovers.
const MISSED_MAX: usize = 300;

/// Pause before an engine that did not answer is asked again; doubled up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The channels that are held.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    /// How many there are: most of the time nobody looks further.
    waiting: AtomicUsize,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    held: HashMap<ChannelName, Held, foldhash::fast::RandomState>,
    queue: VecDeque<ChannelName>,
}

#[derive(Debug, Default)]
struct Held {
    deliveries: Vec<Delivered>,
    /// More came than may wait: nothing is held any more.
    is_full: bool,
    /// Something was lost again since the history was read.
    is_lost_again: bool,
}

impl Repairs {
    /// Something was lost in this channel.
    pub(crate) fn begin(&self, channel: &ChannelName) {
        let mut state = self.state.lock();
        if let Some(held) = state.held.get_mut(channel.as_str()) {
            held.is_lost_again = true;
            return;
        }
        state.held.insert(channel.clone(), Held::default());
        state.queue.push_back(channel.clone());
        self.waiting.fetch_add(1, Ordering::AcqRel);
        drop(state);
        self.wake.notify_one();
    }

    /// Whether any channel is held.
    pub(crate) fn is_busy(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Keeps a delivery if its channel is held; gives back what may go through, in order.
    pub(crate) fn hold(&self, channel: &ChannelName, delivered: Delivered) -> Vec<Delivered> {
        let mut state = self.state.lock();
        let Some(held) = state.held.get_mut(channel.as_str()) else {
            return vec![delivered];
        };
        if held.deliveries.len() < HELD_MAX && !held.is_full {
            held.deliveries.push(delivered);
            return Vec::new();
        }
        held.is_full = true;
        let mut through = std::mem::take(&mut held.deliveries);
        through.push(delivered);
        through
    }

    async fn next(&self) -> ChannelName {
        loop {
            let wake = self.wake.notified();
            if let Some(channel) = self.state.lock().queue.pop_front() {
                return channel;
            }
            wake.await;
        }
    }
}

/// Repairs until it is dropped.
pub(crate) async fn run(node: Arc<Node>, delivery: Arc<Delivery>) {
    let mut repairs = FuturesUnordered::new();
    loop {
        tokio::select! {
            channel = delivery.repairs.next(), if repairs.len() < AT_ONCE_MAX => {
                repairs.push(repair(&node, &delivery, channel));
            }
            Some(()) = repairs.next() => {}
        }
    }
}

async fn repair(node: &Node, delivery: &Delivery, channel: ChannelName) {
    let mut pause = PAUSE;
    loop {
        let last = delivery.hub.last_offset(&channel);
        let Some(last) = last.filter(|_| has_history(node, &channel)) else {
            // Nobody is left, or there is nothing to compare with.
            delivery.release(&channel, None);
            return;
        };
        match read(node, &channel, last).await {
            Ok(history) => {
                if delivery.release(&channel, Some((last, history))) {
                    return;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a stream cannot be compared yet");
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

fn has_history(node: &Node, channel: &ChannelName) -> bool {
    let live = node.live.load();
    let rules = live.settings.policy.resolve(channel.as_str());
    rules.is_ok_and(|rules| rules.retention().is_some())
}

async fn read(node: &Node, channel: &ChannelName, last: u64) -> Result<History, Error> {
    node.metrics.actions.history.inc();
    let query = HistoryQuery {
        since: (last > 0).then_some((last, "")),
        limit: Some(if last > 0 { MISSED_MAX } else { 0 }),
        meta_ttl: meta_ttl(node, channel),
        ..HistoryQuery::default()
    };
    node.engine.broker.history(channel, query).await
}

impl Delivery {
    /// Delivers what was missing, the top, and what has waited. `false`: something was lost meanwhile,
    /// and the channel is still held.
    fn release(&self, channel: &ChannelName, found: Option<(u64, History)>) -> bool {
        // Held throughout, so that nothing of the channel comes in between.
        let mut state = self.repairs.state.lock();
        let Some(held) = state.held.get_mut(channel.as_str()) else {
            return true;
        };
        if let Some((last, history)) = found {
            if std::mem::take(&mut held.is_lost_again) {
                return false;
            }
            self.deliver_missed(channel, last, history);
        }
        let held = state.held.remove(channel.as_str()).unwrap_or_default();
        for delivered in held.deliveries {
            self.deliver(channel, delivered);
        }
        self.repairs.waiting.fetch_sub(1, Ordering::AcqRel);
        true
    }

    fn deliver_missed(&self, channel: &ChannelName, last: u64, history: History) {
        let History { top, publications } = history;
        let first = publications.first().map(|first| first.offset);
        let newest = publications.last().map(|newest| newest.offset);
        // Only if it is all of it: a part would not help anybody.
        if first == Some(last + 1) && newest == Some(top.offset) {
            self.metrics.repaired.inc_by(publications.len() as u64);
            for publication in publications {
                let delivered = Delivered {
                    publication,
                    epoch: top.epoch,
                    previous: None,
                };
                self.deliver(channel, delivered);
            }
        }
        self.metrics.gaps.inc();
        self.hub.fan_out(channel, || {
            gyre_protocol::prepared::Prepared::top(channel, top)
        });
    }
}

#[cfg(test)]
mod tests;
