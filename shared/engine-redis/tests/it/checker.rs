//! Publishers that remember what was acknowledged, subscribers that recover as the SDKs do, and a
//! judge.
//!
//! Every acknowledged publication must reach every subscriber in order and exactly once, unless the
//! subscriber is told that it could not be recovered. No position may stand for two publications.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gyre_config::engine::Redis;
use gyre_engine::{
    Broker, Delivered, Engine, Error, HistoryQuery, Inlet, Publish, PublishOptions, Retention,
};
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_types::{ChannelName, Position};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::servers::until;
use crate::subject::Opened;

/// Channels of a run.
const CHANNELS: usize = 40;
/// Pause between two publications to one channel: 200 in a second over all channels.
const PAUSE: Duration = Duration::from_millis(200);

const KEPT: Retention = Retention {
    size: 10_000,
    ttl: Duration::from_secs(600),
    meta_ttl: Some(Duration::from_secs(3600)),
};

/// What a subscriber saw, in its order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Event {
    Publication(u64),
    /// It was told that something may be missing.
    Told,
}

/// The subscribers of one process: one in each channel.
#[derive(Default)]
pub(crate) struct Subscribers {
    channels: Mutex<HashMap<ChannelName, Subscriber>>,
    doubt: Notify,
    gaps: Mutex<usize>,
}

#[derive(Default)]
struct Subscriber {
    position: Position,
    events: Vec<Event>,
    /// Every place that was seen, whether it was taken or not.
    places: BTreeMap<(String, u64), u64>,
    conflicts: Vec<String>,
    in_doubt: bool,
    /// What arrives while history is read.
    held: Option<Vec<(Position, u64)>>,
}

impl Inlet for Subscribers {
    fn on_publication(&self, channel: &ChannelName, delivered: Delivered) {
        let position = Position {
            offset: delivered.publication.offset,
            epoch: delivered.epoch,
        };
        let number = number_of(&delivered.publication);
        let mut channels = self.channels.lock();
        let subscriber = channels.entry(channel.clone()).or_default();
        subscriber.saw(position, number);
        match &mut subscriber.held {
            Some(held) => held.push((position, number)),
            None => subscriber.take(position, number),
        }
        if subscriber.in_doubt {
            self.doubt.notify_one();
        }
    }

    fn on_join(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {}

    fn on_leave(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {}

    fn on_gap(&self, channel: &ChannelName) {
        *self.gaps.lock() += 1;
        let mut channels = self.channels.lock();
        channels.entry(channel.clone()).or_default().in_doubt = true;
        self.doubt.notify_one();
    }
}

impl Subscriber {
    /// Notes which publication stands at a place.
    fn saw(&mut self, position: Position, number: u64) {
        let place = (position.epoch.as_str().to_owned(), position.offset);
        let known = *self.places.entry(place).or_insert(number);
        if known != number {
            self.conflicts
                .push(format!("{position:?} is {known} and {number}"));
        }
    }

    /// What a session does with a publication.
    fn take(&mut self, position: Position, number: u64) {
        if self.in_doubt {
            return;
        }
        let is_same = position.epoch == self.position.epoch;
        if is_same && position.offset <= self.position.offset {
            return;
        }
        if !is_same || position.offset != self.position.offset + 1 {
            self.in_doubt = true;
            return;
        }
        self.position = position;
        self.events.push(Event::Publication(number));
    }

    /// What a resubscription does with what it read.
    fn recover(&mut self, top: Position, found: &[Arc<Publication>]) {
        for one in found {
            let position = Position {
                offset: one.offset,
                epoch: top.epoch,
            };
            self.saw(position, number_of(one));
        }
        let is_whole = top.epoch == self.position.epoch
            && match (found.first(), found.last()) {
                (Some(first), Some(last)) => {
                    first.offset == self.position.offset + 1 && last.offset == top.offset
                }
                _ => top.offset == self.position.offset,
            };
        if is_whole {
            let numbers = found.iter().map(|one| Event::Publication(number_of(one)));
            self.events.extend(numbers);
        } else {
            self.events.push(Event::Told);
        }
        self.position = top;
        for (position, number) in self.held.take().unwrap_or_default() {
            self.take(position, number);
        }
    }
}

impl Subscribers {
    /// Recovers whatever is in doubt, as long as it is polled.
    async fn recover(&self, broker: &dyn Broker) {
        loop {
            let doubted: Vec<ChannelName> = {
                let mut channels = self.channels.lock();
                let doubted = channels.iter_mut().filter(|(_, one)| one.in_doubt);
                doubted
                    .map(|(channel, one)| {
                        one.in_doubt = false;
                        one.held = Some(Vec::new());
                        channel.clone()
                    })
                    .collect()
            };
            if doubted.is_empty() {
                self.doubt.notified().await;
                continue;
            }
            let reading = doubted
                .iter()
                .map(|channel| self.recover_one(broker, channel));
            futures_util::future::join_all(reading).await;
        }
    }

    async fn recover_one(&self, broker: &dyn Broker, channel: &ChannelName) {
        loop {
            let since = self.channels.lock()[channel].position;
            let query = HistoryQuery {
                since: Some((since.offset, since.epoch.as_str())),
                meta_ttl: KEPT.meta_ttl,
                ..HistoryQuery::default()
            };
            let (top, found) = match broker.history(channel, query).await {
                Ok(history) => (history.top, history.publications),
                Err(Error::UnrecoverablePosition { top }) => (top, Vec::new()),
                Err(_) => {
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let mut channels = self.channels.lock();
            return channels.get_mut(channel).unwrap().recover(top, &found);
        }
    }
}

/// One process: its engine, its subscribers.
struct Process {
    opened: Opened,
    subscribers: Arc<Subscribers>,
    recovering: JoinHandle<()>,
}

impl Process {
    async fn start(section: &Redis, channels: &[ChannelName]) -> Self {
        let subscribers = Arc::<Subscribers>::default();
        let opened = Opened::new(section, Arc::clone(&subscribers));
        opened.redis.ready().await.unwrap();
        let broker = Arc::clone(&opened.engine.broker);
        for channel in channels {
            broker.subscribe(channel).await.unwrap();
            let query = HistoryQuery {
                limit: Some(0),
                meta_ttl: KEPT.meta_ttl,
                ..HistoryQuery::default()
            };
            let top = broker.history(channel, query).await.unwrap().top;
            let mut subscribed = subscribers.channels.lock();
            subscribed.entry(channel.clone()).or_default().position = top;
        }
        let recovering = {
            let subscribers = Arc::clone(&subscribers);
            tokio::runtime::Handle::current()
                .spawn(async move { subscribers.recover(&*broker).await })
        };
        Self {
            opened,
            subscribers,
            recovering,
        }
    }
}

/// What is known about publications to one channel.
#[derive(Debug, Default)]
struct Published {
    acknowledged: BTreeSet<u64>,
    /// Surely not published.
    refused: BTreeSet<u64>,
    /// Nobody knows.
    unknown: BTreeSet<u64>,
    /// Longest time without an acknowledgement.
    silence: Duration,
    /// Where the last one stands.
    top: Position,
}

/// Two processes that publish and subscribe while servers fail.
pub(crate) struct Run {
    processes: Vec<Process>,
    channels: Vec<ChannelName>,
    publishing: Vec<JoinHandle<Published>>,
    is_over: Arc<AtomicBool>,
}

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) acknowledged: usize,
    pub(crate) refused: usize,
    pub(crate) unknown: usize,
    /// Times that a subscriber was told that something may be missing.
    pub(crate) told: usize,
    /// Acknowledged publications that a subscriber was told about instead of given.
    pub(crate) missed: usize,
    /// Longest time without an acknowledgement, by channel, in the order of channels.
    pub(crate) silences: Vec<Duration>,
    /// What must not be.
    pub(crate) wrong: Vec<String>,
}

impl Run {
    pub(crate) async fn start(section: &Redis) -> Self {
        let channels: Vec<ChannelName> = (0..CHANNELS)
            .map(|number| ChannelName::new(&format!("channel-{number}")).unwrap())
            .collect();
        let processes = vec![
            Process::start(section, &channels).await,
            Process::start(section, &channels).await,
        ];
        let is_over = Arc::<AtomicBool>::default();
        let publishing = channels
            .iter()
            .enumerate()
            .map(|(index, channel)| {
                let engine = processes[index % processes.len()].opened.engine.clone();
                let (channel, is_over) = (channel.clone(), Arc::clone(&is_over));
                let publishing = publish(engine, channel, is_over);
                tokio::runtime::Handle::current().spawn(publishing)
            })
            .collect();
        Self {
            processes,
            channels,
            publishing,
            is_over,
        }
    }

    /// Goes on for a while.
    pub(crate) async fn pass(&self, time: Duration) {
        sleep(time).await;
    }

    /// Ends the publishing, waits until all that was published last has arrived, and judges.
    pub(crate) async fn end(self) -> Report {
        self.is_over.store(true, Ordering::SeqCst);
        let mut report = Report::default();
        let mut all = Vec::new();
        for publishing in self.publishing {
            all.push(publishing.await.unwrap());
        }
        for (channel, published) in self.channels.iter().zip(&all) {
            for process in &self.processes {
                until(&format!("{channel} comes to its end"), || async {
                    process.subscribers.is_at(channel, published.top)
                })
                .await;
            }
        }
        for published in &all {
            report.acknowledged += published.acknowledged.len();
            report.refused += published.refused.len();
            report.unknown += published.unknown.len();
            report.silences.push(published.silence);
        }
        for process in &self.processes {
            for (channel, published) in self.channels.iter().zip(&all) {
                let channels = process.subscribers.channels.lock();
                judge(channel, published, &channels[channel], &mut report);
            }
        }
        report
            .wrong
            .extend(rewritten(&self.channels, &self.processes));
        for process in self.processes {
            process.recovering.abort();
            process.opened.close().await;
        }
        report
    }
}

impl Subscribers {
    /// Whether the subscriber has come to this place, in one way or the other.
    fn is_at(&self, channel: &ChannelName, top: Position) -> bool {
        let channels = self.channels.lock();
        let subscriber = &channels[channel];
        subscriber.position == top && !subscriber.in_doubt && subscriber.held.is_none()
    }
}

/// Publishes until it is over, and then until something is acknowledged.
async fn publish(engine: Engine, channel: ChannelName, is_over: Arc<AtomicBool>) -> Published {
    let mut published = Published::default();
    let mut last = Instant::now();
    let mut number = 0;
    loop {
        number += 1;
        let was_over = is_over.load(Ordering::SeqCst);
        let result = publish_one(&engine, &channel, number).await;
        let is_done = result.is_ok();
        match result {
            Ok(top) => {
                published.top = top;
                published.silence = published.silence.max(last.elapsed());
                last = Instant::now();
                published.acknowledged.insert(number);
            }
            Err(Error::Unavailable { .. }) => {
                published.refused.insert(number);
            }
            Err(Error::OutcomeUnknown { .. }) if number % 2 == 0 => {
                // Every other one is repeated with its key until it is known.
                while publish_one(&engine, &channel, number).await.is_err() {
                    sleep(Duration::from_millis(20)).await;
                }
                published.acknowledged.insert(number);
            }
            Err(Error::OutcomeUnknown { .. }) => {
                published.unknown.insert(number);
            }
            Err(error) => panic!("{channel} {number}: {error}"),
        }
        if was_over && is_done {
            return published;
        }
        sleep(if is_done { PAUSE } else { PAUSE / 10 }).await;
    }
}

async fn publish_one(
    engine: &Engine,
    channel: &ChannelName,
    number: u64,
) -> Result<Position, Error> {
    let publication = Publication {
        data: Bytes::from(number.to_string()),
        ..Publication::default()
    };
    let key = if number.is_multiple_of(2) {
        number.to_string()
    } else {
        String::new()
    };
    let publish = Publish {
        publication: &publication,
        options: PublishOptions {
            retention: Some(KEPT),
            idempotency_key: &key,
            ..PublishOptions::default()
        },
    };
    let published = engine.broker.publish(channel, publish).await?;
    Ok(published.position.unwrap())
}

fn judge(
    channel: &ChannelName,
    published: &Published,
    subscriber: &Subscriber,
    report: &mut Report,
) {
    let mut before = 0;
    let mut was_told = false;
    for event in &subscriber.events {
        match *event {
            Event::Told => {
                report.told += 1;
                was_told = true;
            }
            Event::Publication(number) => {
                if number <= before {
                    report
                        .wrong
                        .push(format!("{channel}: {number} after {before}"));
                }
                if published.refused.contains(&number) {
                    report
                        .wrong
                        .push(format!("{channel}: {number} was refused"));
                }
                let missing = published
                    .acknowledged
                    .range(before + 1..number.max(before + 1));
                for one in missing {
                    if was_told {
                        report.missed += 1;
                    } else {
                        report
                            .wrong
                            .push(format!("{channel}: {one} is missing without a word"));
                    }
                }
                before = number.max(before);
                was_told = false;
            }
        }
    }
    let conflicts = subscriber.conflicts.iter();
    report
        .wrong
        .extend(conflicts.map(|one| format!("{channel}: {one}")));
}

/// Places that stand for different publications in different processes.
fn rewritten(channels: &[ChannelName], processes: &[Process]) -> Vec<String> {
    let mut wrong = Vec::new();
    for channel in channels {
        let mut known: BTreeMap<(String, u64), u64> = BTreeMap::new();
        for process in processes {
            for (place, number) in &process.subscribers.channels.lock()[channel].places {
                let first = *known.entry(place.clone()).or_insert(*number);
                if first != *number {
                    wrong.push(format!("{channel}: {place:?} is {first} and {number}"));
                }
            }
        }
    }
    wrong
}

fn number_of(publication: &Publication) -> u64 {
    std::str::from_utf8(&publication.data)
        .unwrap()
        .parse()
        .unwrap()
}
