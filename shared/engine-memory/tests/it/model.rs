//! Random operations, compared step by step with a model that does the simplest thing.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gyre_engine::{
    Broker, Delivered, Error, HistoryQuery, Inlet, Order, Publish, PublishOptions, Published,
    Retention, Suppressed,
};
use gyre_engine_memory::{MemoryEngine, Swept};
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_types::{ChannelName, Now, Position};
use parking_lot::Mutex;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::subject::{Clock, block_on};

proptest! {
    #[test]
    fn does_what_the_model_does(operations in vec(operation(), 1..120)) {
        let mut run = Run::default();
        for (number, operation) in (0..).zip(operations) {
            run.step(number, &operation)?;
        }
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Publish(Publishing),
    Read(Reading),
    Remove { channel: u8 },
    Pass { millis: u64 },
    Sweep,
}

#[derive(Clone, Debug)]
struct Publishing {
    channel: u8,
    retention: Option<Kept>,
    /// The key, and how long it is remembered.
    key: Option<(u8, u64)>,
    version: u64,
    version_epoch: &'static str,
    with_previous: bool,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    size: u32,
    ttl: u64,
    meta_ttl: Option<u64>,
}

#[derive(Clone, Debug)]
struct Reading {
    channel: u8,
    since: Option<(u64, Life)>,
    limit: Option<usize>,
    order: Order,
    meta_ttl: Option<u64>,
}

/// Which epoch a read gives.
#[derive(Clone, Copy, Debug)]
enum Life {
    Any,
    Current,
    Another,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => publishing().prop_map(Operation::Publish),
        5 => reading().prop_map(Operation::Read),
        1 => (0..3_u8).prop_map(|channel| Operation::Remove { channel }),
        3 => (0..40_u64).prop_map(|millis| Operation::Pass { millis }),
        1 => Just(Operation::Sweep),
    ]
}

prop_compose! {
    fn publishing()(
        channel in 0..3_u8,
        retention in option::weighted(0.8, kept()),
        key in option::weighted(0.3, (0..3_u8, 1..50_u64)),
        version in prop_oneof![3 => Just(0), 2 => 1..6_u64],
        version_epoch in prop_oneof![Just(""), Just("a"), Just("b")],
        with_previous: bool,
    ) -> Publishing {
        Publishing { channel, retention, key, version, version_epoch, with_previous }
    }
}

prop_compose! {
    fn kept()(size in 1..5_u32, ttl in 1..50_u64, meta_ttl in option::of(1..50_u64)) -> Kept {
        Kept { size, ttl, meta_ttl }
    }
}

prop_compose! {
    fn reading()(
        channel in 0..3_u8,
        since in option::of((0..12_u64, life())),
        limit in option::of(0..6_usize),
        order in prop_oneof![Just(Order::Forward), Just(Order::Reverse)],
        meta_ttl in option::of(1..50_u64),
    ) -> Reading {
        Reading { channel, since, limit, order, meta_ttl }
    }
}

fn life() -> impl Strategy<Value = Life> {
    prop_oneof![Just(Life::Any), Just(Life::Current), Just(Life::Another)]
}

/// What each channel has, and nothing about how to find it quickly.
#[derive(Debug, Default)]
struct Model {
    now: u64,
    streams: BTreeMap<u8, Stream>,
    keys: BTreeMap<(u8, u8), Remembered>,
    /// Streams that were ever begun.
    lives: u64,
}

#[derive(Clone, Debug)]
struct Stream {
    life: u64,
    top: u64,
    /// Offset, and number of the step that published it.
    kept: Vec<(u64, u64)>,
    kept_until: u64,
    lives_until: u64,
    version: Option<(u64, &'static str)>,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    until: u64,
    place: Option<Place>,
}

/// Which life of the stream, and the offset in it.
type Place = (u64, u64);

/// What a publish must lead to.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    place: Option<Place>,
    suppressed: Option<Suppressed>,
    /// Number of the step whose publication comes along.
    previous: Option<u64>,
}

impl Model {
    fn publish(&mut self, number: u64, publishing: &Publishing) -> Outcome {
        let mut outcome = Outcome {
            place: None,
            suppressed: None,
            previous: None,
        };
        let key = publishing
            .key
            .map(|(key, ttl)| ((publishing.channel, key), self.now + ttl));
        let remembered = key.and_then(|(key, _)| self.keys.get(&key));
        if let Some(first) = remembered.filter(|first| first.until > self.now) {
            outcome.place = first.place;
            outcome.suppressed = Some(Suppressed::Idempotency);
            return outcome;
        }
        if let Some(kept) = publishing.retention {
            let now = self.now;
            let stream = self.stream(publishing.channel, kept.meta_ttl);
            outcome.previous = stream.kept.last().map(|one| one.1);
            if !stream.accepts(publishing.version, publishing.version_epoch) {
                outcome.place = Some((stream.life, stream.top));
                outcome.suppressed = Some(Suppressed::Version);
                return outcome;
            }
            stream.top += 1;
            stream.kept.push((stream.top, number));
            let excess = stream.kept.len().saturating_sub(kept.size as usize);
            stream.kept.drain(..excess);
            stream.kept_until = now + kept.ttl;
            outcome.place = Some((stream.life, stream.top));
        }
        if let Some((key, until)) = key {
            self.keys.insert(
                key,
                Remembered {
                    until,
                    place: outcome.place,
                },
            );
        }
        outcome.previous = outcome.previous.filter(|_| publishing.with_previous);
        outcome
    }

    /// The stream as it is now.
    fn stream(&mut self, channel: u8, meta_ttl: Option<u64>) -> &mut Stream {
        let (now, lives) = (self.now, &mut self.lives);
        let mut begin = || {
            *lives += 1;
            Stream {
                life: *lives,
                top: 0,
                kept: Vec::new(),
                kept_until: u64::MAX,
                lives_until: u64::MAX,
                version: None,
            }
        };
        let stream = self.streams.entry(channel).or_insert_with(&mut begin);
        if stream.lives_until <= now {
            *stream = begin();
        }
        if stream.kept_until <= now {
            stream.kept.clear();
        }
        stream.lives_until = meta_ttl.map_or(u64::MAX, |ttl| now + ttl);
        stream
    }
}

impl Stream {
    fn accepts(&mut self, version: u64, epoch: &'static str) -> bool {
        if version == 0 {
            return true;
        }
        let is_old = self.version.is_some_and(|(stored, stored_epoch)| {
            version <= stored && (epoch.is_empty() || epoch == stored_epoch)
        });
        if !is_old {
            self.version = Some((version, epoch));
        }
        !is_old
    }

    fn read(&self, reading: &Reading) -> Vec<(u64, u64)> {
        let mut found = self.kept.clone();
        match (reading.order, reading.since) {
            (Order::Forward, Some((offset, _))) => found.retain(|one| one.0 > offset),
            (Order::Reverse, Some((offset, _))) => found.retain(|one| one.0 < offset),
            (Order::Forward | Order::Reverse, None) => {}
        }
        if reading.order == Order::Reverse {
            found.reverse();
        }
        found.truncate(reading.limit.unwrap_or(usize::MAX));
        found
    }
}

/// The engine beside the model.
struct Run {
    model: Model,
    clock: Clock,
    inlet: Arc<Taken>,
    engine: MemoryEngine<Taken, Box<dyn Fn() -> Now + Send + Sync>>,
    /// Epoch of each life, as the engine made it.
    epochs: BTreeMap<u64, String>,
}

impl Default for Run {
    fn default() -> Self {
        let (clock, inlet) = (Clock::default(), Arc::<Taken>::default());
        Self {
            model: Model::default(),
            engine: MemoryEngine::open(Arc::clone(&inlet), Box::new(clock.reader())),
            clock,
            inlet,
            epochs: BTreeMap::new(),
        }
    }
}

impl Run {
    fn step(&mut self, number: u64, operation: &Operation) -> Result<(), TestCaseError> {
        let broker = self.engine.engine().broker;
        match operation {
            Operation::Publish(publishing) => self.publish(&*broker, number, publishing)?,
            Operation::Read(reading) => self.read(&*broker, reading)?,
            Operation::Remove { channel } => {
                block_on(broker.remove_history(&name(*channel)?)).map_err(failed)?;
                if let Some(stream) = self.model.streams.get_mut(channel) {
                    stream.kept.clear();
                }
            }
            Operation::Pass { millis } => {
                self.clock.advance(Duration::from_millis(*millis));
                self.model.now += millis;
            }
            Operation::Sweep => prop_assert_eq!(self.engine.sweep(), Swept::All),
        }
        Ok(())
    }

    fn publish(
        &mut self,
        broker: &dyn Broker,
        number: u64,
        publishing: &Publishing,
    ) -> Result<(), TestCaseError> {
        let key = publishing
            .key
            .map(|(key, _)| key.to_string())
            .unwrap_or_default();
        let publication = Publication {
            data: Bytes::from(number.to_string()),
            version: publishing.version,
            ..Publication::default()
        };
        let publish = Publish {
            publication: &publication,
            options: options(publishing, &key),
        };
        let channel = name(publishing.channel)?;
        let published = block_on(broker.publish(&channel, publish)).map_err(failed)?;

        let outcome = self.model.publish(number, publishing);
        prop_assert_eq!(published.suppressed, outcome.suppressed);
        prop_assert_eq!(
            published.position.map(|p| p.offset),
            outcome.place.map(|p| p.1)
        );
        if let (Some(position), Some((life, _))) = (published.position, outcome.place) {
            self.compare_life(position, life)?;
        }
        self.compare_delivery(number, published, outcome)
    }

    fn compare_delivery(
        &self,
        number: u64,
        published: Published,
        outcome: Outcome,
    ) -> Result<(), TestCaseError> {
        let taken = std::mem::take(&mut *self.inlet.0.lock());
        if outcome.suppressed.is_some() {
            prop_assert!(taken.is_empty());
            return Ok(());
        }
        let [delivered] = &*taken else {
            return Err(failed(taken));
        };
        let position = published.position.unwrap_or_default();
        prop_assert_eq!(delivered.publication.offset, position.offset);
        prop_assert_eq!(delivered.epoch, position.epoch);
        prop_assert_eq!(number_of(&delivered.publication)?, number);
        let previous = delivered.previous.as_deref().map(number_of).transpose()?;
        prop_assert_eq!(previous, outcome.previous);
        Ok(())
    }

    fn read(&mut self, broker: &dyn Broker, reading: &Reading) -> Result<(), TestCaseError> {
        let stream = self.model.stream(reading.channel, reading.meta_ttl).clone();
        let current = self.epochs.get(&stream.life).cloned().unwrap_or_default();
        let query = HistoryQuery {
            since: reading.since.map(|(offset, life)| match life {
                Life::Any => (offset, ""),
                Life::Current => (offset, &*current),
                Life::Another => (offset, "another"),
            }),
            limit: reading.limit,
            order: reading.order,
            meta_ttl: reading.meta_ttl.map(Duration::from_millis),
            heard: None,
        };
        let read = block_on(broker.history(&name(reading.channel)?, query));
        let top = match &read {
            Ok(history) => history.top,
            Err(Error::UnrecoverablePosition { top }) => *top,
            Err(error) => return Err(failed(error)),
        };
        prop_assert_eq!(top.offset, stream.top);
        self.compare_life(top, stream.life)?;
        prop_assert_eq!(
            read.is_err(),
            matches!(reading.since, Some((_, Life::Another)))
        );

        let publications = read.map(|history| history.publications).unwrap_or_default();
        let offsets = publications.iter().map(|one| one.offset);
        let numbers: Vec<u64> = publications
            .iter()
            .map(|one| number_of(one))
            .collect::<Result<_, _>>()?;
        let found: Vec<(u64, u64)> = offsets.zip(numbers).collect();
        match reading.since {
            Some((_, Life::Another)) => prop_assert_eq!(found, []),
            _ => prop_assert_eq!(found, stream.read(reading)),
        }
        Ok(())
    }

    /// Lives and epochs must stand one for one.
    fn compare_life(&mut self, position: Position, life: u64) -> Result<(), TestCaseError> {
        let epoch = position.epoch.as_str();
        let known = self.epochs.entry(life).or_insert_with(|| epoch.to_owned());
        prop_assert_eq!(&*known, epoch);
        prop_assert_eq!(self.epochs.values().filter(|one| *one == epoch).count(), 1);
        Ok(())
    }
}

/// Keeps what arrives until it is taken.
#[derive(Debug, Default)]
struct Taken(Mutex<Vec<Delivered>>);

impl Inlet for Taken {
    fn on_publication(&self, _channel: &ChannelName, delivered: Delivered) {
        self.0.lock().push(delivered);
    }

    fn on_join(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {}

    fn on_leave(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {}

    fn on_gap(&self, _channel: &ChannelName) {}
}

fn options<'a>(publishing: &Publishing, key: &'a str) -> PublishOptions<'a> {
    PublishOptions {
        retention: publishing.retention.map(|kept| Retention {
            size: kept.size,
            ttl: Duration::from_millis(kept.ttl),
            meta_ttl: kept.meta_ttl.map(Duration::from_millis),
        }),
        with_previous: publishing.with_previous,
        idempotency_key: key,
        idempotency_ttl: Duration::from_millis(publishing.key.map_or(0, |(_, ttl)| ttl)),
        version_epoch: publishing.version_epoch,
    }
}

fn name(channel: u8) -> Result<ChannelName, TestCaseError> {
    ChannelName::new(&channel.to_string()).map_err(failed)
}

/// Number of the step that published it.
fn number_of(publication: &Publication) -> Result<u64, TestCaseError> {
    let text = std::str::from_utf8(&publication.data).map_err(failed)?;
    text.parse().map_err(failed)
}

fn failed(what: impl Debug) -> TestCaseError {
    TestCaseError::fail(format!("{what:?}"))
}
