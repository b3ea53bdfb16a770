pub(crate) mod flights;
pub(crate) mod history;
mod storms;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gyre_engine::{
    BoxFuture, Broker, Error, Features, History, HistoryQuery, HistoryRead, Inlet, Order, Publish,
    PublishOptions, Published, Suppressed,
};
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_runtime::Clock;
use gyre_types::{ChannelName, Epoch};
use redis::{Cmd, Value, cmd};

use self::flights::Flights;
use self::history::{Read, Renew, millis, millis_text, new_epoch, odd, stream_keys};
use self::storms::Storms;
use crate::bus::Bus;
use crate::layout::{Kind, Place};
use crate::link::{Facts, Link, Live, Repeat, Request};
use crate::options::Wait;
use crate::scripts::Script;
use crate::wire::{self, Foreign};

/// Moves publications over Redis and keeps them there.
pub(crate) struct RedisBroker<I> {
    link: Link,
    bus: Arc<Bus<I>>,
    clock: Clock,
    reads: Flights<ReadKey, Shared<History>>,
    storms: Storms,
    /// Waits for replicas, by connection.
    waits: Flights<u64, Result<i64, String>>,
}

/// What makes two reads equal.
#[derive(Clone, Eq, Hash, PartialEq)]
struct ReadKey {
    channel: ChannelName,
    since: Option<(u64, String)>,
    limit: Option<usize>,
    is_reverse: bool,
    meta_ttl: Option<Duration>,
}

/// A result that many are given.
#[derive(Clone)]
struct Shared<T>(Result<Arc<T>, Arc<Error>>);

/// What is published to one channel, in the form that the scripts take.
struct Draft<'a> {
    channel: &'a ChannelName,
    place: Place,
    entry: Bytes,
    version: String,
    options: PublishOptions<'a>,
    command: &'static str,
    bus_channel: String,
    epoch: Epoch,
}

impl<I: Inlet> RedisBroker<I> {
    pub(crate) fn new(link: Link, bus: Arc<Bus<I>>, clock: Clock) -> Self {
        Self {
            link,
            bus,
            clock,
            reads: Flights::default(),
            storms: Storms::default(),
            waits: Flights::default(),
        }
    }

    fn draft<'a>(
        &self,
        channel: &'a ChannelName,
        publication: &Publication,
        entry: &Bytes,
        options: PublishOptions<'a>,
    ) -> Draft<'a> {
        let place = self.link.layout().place(channel.as_str());
        Draft {
            channel,
            place,
            entry: entry.clone(),
            version: match publication.version {
                0 => String::new(),
                // Texts of equal length compare as their numbers do, and lose no digit.
                version => format!("{version:020}"),
            },
            options,
            command: self.link.publish_command(),
            bus_channel: self.link.layout().bus_channel(place),
            epoch: new_epoch(),
        }
    }

    async fn publish_one(
        &self,
        channel: &ChannelName,
        publish: Publish<'_>,
    ) -> Result<Published, Error> {
        let entry = wire::entry(publish.publication, self.clock.now().unix);
        let draft = self.draft(channel, publish.publication, &entry, publish.options);
        let args = |command: &mut Cmd, facts: &Facts| draft.add_args(command, facts);
        let (value, live) = self.link.call(&draft.request(&self.link, &args)).await?;
        let (published, number) = read_published(value)?;
        self.bus.arrived(draft.place, number).await;
        match (self.link.options().wait, live) {
            (Some(wait), Some(live)) if published.position.is_some() => {
                self.wait(wait, live).await?;
            }
            _ => {}
        }
        Ok(published)
    }

    /// Waits until enough replicas have what was written on this connection.
    async fn wait(&self, wait: Wait, mut live: Live) -> Result<(), Error> {
        let id = live.id;
        let ask = || async move {
            let mut command = cmd("WAIT");
            command.arg(wait.replicas).arg(millis(wait.timeout));
            // The server answers in time, or is gone with its connection.
            let answer = live.connection.send_packed_command(&command);
            let answer = tokio::time::timeout(wait.timeout * 2, answer).await;
            match answer.map(|answer| answer.and_then(Value::extract_error)) {
                Ok(Ok(Value::Int(replicas))) => Ok(replicas),
                Ok(Ok(_)) => Err("not an answer to WAIT".to_owned()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("no answer in time".to_owned()),
            }
        };
        match self.waits.join(id, ask).await {
            Ok(replicas) if replicas >= i64::from(wait.replicas) => Ok(()),
            Ok(replicas) => Err(Error::OutcomeUnknown {
                reason: format!("{replicas} of {} replicas have it", wait.replicas),
            }),
            Err(reason) => Err(Error::OutcomeUnknown { reason }),
        }
    }

    async fn publish_many(
        &self,
        channels: &[(ChannelName, PublishOptions<'_>)],
        publication: &Publication,
    ) -> Vec<Result<Published, Error>> {
        if self.link.options().wait.is_some() {
            // One after the other, so that equal channels keep their order; waits are merged.
            let mut results = Vec::with_capacity(channels.len());
            for (channel, options) in channels {
                let publish = Publish {
                    publication,
                    options: *options,
                };
                results.push(self.publish_one(channel, publish).await);
            }
            return results;
        }
        let entry = wire::entry(publication, self.clock.now().unix);
        let drafts: Vec<Draft<'_>> = channels
            .iter()
            .map(|(channel, options)| self.draft(channel, publication, &entry, *options))
            .collect();
        let args: Vec<_> = drafts
            .iter()
            .map(|draft| |command: &mut Cmd, facts: &Facts| draft.add_args(command, facts))
            .collect();
        let requests: Vec<Request<'_>> = drafts
            .iter()
            .zip(&args)
            .map(|(draft, args)| draft.request(&self.link, args))
            .collect();
        let results = self.link.call_many(&requests).await;
        let mut published = Vec::with_capacity(results.len());
        for (result, draft) in results.into_iter().zip(&drafts) {
            let read = result.and_then(read_published);
            if let Ok((_, number)) = read {
                self.bus.arrived(draft.place, number).await;
            }
            published.push(read.map(|(published, _)| published));
        }
        published
    }

    /// Tells a channel what is not a publication.
    async fn tell(
        &self,
        channel: &ChannelName,
        letter: &'static str,
        info: &ClientInfo,
    ) -> Result<(), Error> {
        let layout = self.link.layout();
        let place = layout.place(channel.as_str());
        let entry = wire::info(info);
        let command = self.link.publish_command();
        let args = |cmd: &mut Cmd, _: &Facts| {
            cmd.arg(command)
                .arg(layout.bus_channel(place))
                .arg(place.bus)
                .arg(letter)
                .arg(channel.as_str())
                .arg(&*entry);
        };
        let request = Request {
            partition: place.partition,
            script: Script::Pass,
            keys: vec![layout.partition_key(Kind::Header, place.partition)],
            args: &args,
            repeat: Repeat::Never,
        };
        let (value, _) = self.link.call(&request).await?;
        let (_, number) = read_published(value)?;
        self.bus.arrived(place, number).await;
        Ok(())
    }

    async fn read(&self, channel: &ChannelName, query: HistoryQuery<'_>) -> HistoryRead {
        match query.heard {
            Some(retention) => self.read_heard(channel, &query, retention).await,
            None => self.read_with_others(channel, &query).await,
        }
    }

    /// Reads together with those who ask the same.
    async fn read_with_others(
        &self,
        channel: &ChannelName,
        query: &HistoryQuery<'_>,
    ) -> HistoryRead {
        let key = ReadKey {
            channel: channel.clone(),
            since: query
                .since
                .map(|(offset, epoch)| (offset, epoch.to_owned())),
            limit: query.limit,
            is_reverse: query.order == Order::Reverse,
            meta_ttl: query.meta_ttl,
        };
        let read = || async { Shared::new(self.read_now(channel, query).await) };
        self.reads.join(key, read).await.into_result()
    }

    async fn read_now(&self, channel: &ChannelName, query: &HistoryQuery<'_>) -> HistoryRead {
        let read = Read::new(&self.link, channel, query, Renew::For(query.meta_ttl));
        let args = |command: &mut Cmd, facts: &Facts| read.add_args(command, facts);
        let (value, _) = self.link.call(&read.request(&args)).await?;
        let history = history::read(value)?;
        if let Ok(History { top, .. }) = &history {
            self.bus.learn(channel, *top, self.clock.now().unix);
        }
        history
    }

    async fn remove(&self, channel: &ChannelName) -> Result<(), Error> {
        let layout = self.link.layout();
        let place = layout.place(channel.as_str());
        let command = self.link.publish_command();
        let args = |cmd: &mut Cmd, _: &Facts| {
            cmd.arg(command)
                .arg(layout.bus_channel(place))
                .arg(place.bus)
                .arg(wire::REMOVED)
                .arg(channel.as_str());
        };
        let request = Request {
            partition: place.partition,
            script: Script::Remove,
            keys: vec![
                layout.partition_key(Kind::Header, place.partition),
                layout.key(Kind::Stream, place.partition, channel.as_str()),
            ],
            args: &args,
            repeat: Repeat::Freely,
        };
        let (value, _) = self.link.call(&request).await?;
        let number = redis::from_redis_value(value).map_err(|_| odd())?;
        self.bus.arrived(place, number).await;
        Ok(())
    }
}

impl Draft<'_> {
    fn request<'r>(&self, link: &Link, args: &'r (dyn Fn(&mut Cmd, &Facts) + Sync)) -> Request<'r> {
        let layout = link.layout();
        let partition = self.place.partition;
        let key = self.options.idempotency_key;
        let is_kept = self.options.retention.is_some();
        let mut keys = if is_kept {
            stream_keys(link, self.place, self.channel)
        } else {
            vec![layout.partition_key(Kind::Header, partition)]
        };
        if !key.is_empty() {
            keys.push(layout.idempotency_key(partition, self.channel.as_str(), key));
        }
        Request {
            partition,
            script: if is_kept {
                Script::Publish
            } else {
                Script::Pass
            },
            keys,
            args,
            repeat: if key.is_empty() {
                Repeat::Never
            } else {
                Repeat::ByKey
            },
        }
    }

    fn add_args(&self, command: &mut Cmd, facts: &Facts) {
        let options = &self.options;
        let key_ttl = millis(options.idempotency_ttl).max(1);
        let Some(retention) = options.retention else {
            command
                .arg(self.command)
                .arg(&self.bus_channel)
                .arg(self.place.bus)
                .arg(wire::PASSING)
                .arg(self.channel.as_str())
                .arg(&*self.entry)
                .arg(key_ttl);
            return;
        };
        command
            .arg(&*facts.lineage)
            .arg(self.epoch.as_str())
            .arg(self.command)
            .arg(&self.bus_channel)
            .arg(self.place.bus)
            .arg(&*self.entry)
            .arg(retention.size.max(1))
            .arg(millis(retention.ttl))
            .arg(retention.meta_ttl.map(millis_text).unwrap_or_default())
            .arg(&self.version)
            .arg(options.version_epoch)
            .arg(i32::from(options.with_previous))
            .arg(key_ttl)
            .arg(self.channel.as_str());
    }
}

impl<I: Inlet> Broker for RedisBroker<I> {
    fn features(&self) -> Features {
        Features {
            history: true,
            cross_node: true,
        }
    }

    fn publish<'a>(
        &'a self,
        channel: &'a ChannelName,
        publish: Publish<'a>,
    ) -> BoxFuture<'a, Result<Published, Error>> {
        Box::pin(self.publish_one(channel, publish))
    }

    fn publish_to_many<'a>(
        &'a self,
        channels: &'a [(ChannelName, PublishOptions<'a>)],
        publication: &'a Publication,
    ) -> BoxFuture<'a, Vec<Result<Published, Error>>> {
        Box::pin(self.publish_many(channels, publication))
    }

    fn publish_join<'a>(
        &'a self,
        channel: &'a ChannelName,
        info: &'a ClientInfo,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.tell(channel, wire::JOIN, info))
    }

    fn publish_leave<'a>(
        &'a self,
        channel: &'a ChannelName,
        info: &'a ClientInfo,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.tell(channel, wire::LEAVE, info))
    }

    fn subscribe<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.bus.subscribe(channel))
    }

    fn unsubscribe(&self, channel: &ChannelName) {
        self.bus.unsubscribe(channel);
    }

    fn history<'a>(
        &'a self,
        channel: &'a ChannelName,
        query: HistoryQuery<'a>,
    ) -> BoxFuture<'a, HistoryRead> {
        Box::pin(self.read(channel, query))
    }

    fn remove_history<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.remove(channel))
    }
}

impl<T: Clone> Shared<T> {
    fn new(result: Result<T, Error>) -> Self {
        Self(result.map(Arc::new).map_err(Arc::new))
    }

    fn into_result(self) -> Result<T, Error> {
        match self.0 {
            Ok(value) => Ok(Arc::unwrap_or_clone(value)),
            Err(error) => Err(copy_of(&error)),
        }
    }
}

fn copy_of(error: &Error) -> Error {
    match error {
        Error::Unavailable { reason } => Error::Unavailable {
            reason: reason.clone(),
        },
        Error::OutcomeUnknown { reason } => Error::OutcomeUnknown {
            reason: reason.clone(),
        },
        Error::UnrecoverablePosition { top } => Error::UnrecoverablePosition { top: *top },
        Error::Unsupported { feature } => Error::Unsupported { feature },
        Error::Internal { reason } => Error::Internal {
            reason: reason.clone(),
        },
    }
}

/// What a publish came to, and the number of its message; 0 if there was none.
fn read_published(value: Value) -> Result<(Published, u64), Error> {
    let (outcome, position, number): (i64, Vec<u8>, u64) =
        redis::from_redis_value(value).map_err(|_| odd())?;
    let published = Published {
        position: wire::read_position(&position)?,
        suppressed: match outcome {
            0 => None,
            1 => Some(Suppressed::Idempotency),
            2 => Some(Suppressed::Version),
            _ => return Err(odd()),
        },
    };
    Ok((published, number))
}

impl From<Foreign> for Error {
    fn from(foreign: Foreign) -> Self {
        Self::Internal {
            reason: format!("what stands on redis is {foreign}"),
        }
    }
}
