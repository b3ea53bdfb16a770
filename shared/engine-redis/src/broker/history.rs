//! Reads of streams.

use std::sync::Arc;
use std::time::Duration;

use gyre_engine::{Error, History, HistoryQuery, HistoryRead, Order, epoch_of};
use gyre_protocol::messages::Publication;
use gyre_types::{ChannelName, Epoch, Position};
use redis::{Cmd, Value};

use crate::layout::{Kind, Place};
use crate::link::{Facts, Link, Repeat, Request};
use crate::scripts::Script;
use crate::wire;

/// Longest time to live that is given to Redis; for ever, as far as anybody is concerned.
const TTL_MS_MAX: u64 = 100 * 365 * 24 * 3600 * 1000;

/// What a read does to the life of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Renew {
    /// Makes it where there is none, and gives it this time; `None`: for ever.
    For(Option<Duration>),
    /// Leaves it alone.
    Not,
}

/// A read in the form that the script takes.
pub(crate) struct Read {
    place: Place,
    keys: Vec<String>,
    range: Range,
    epoch: Epoch,
    renew: String,
    since_epoch: String,
}

impl Read {
    pub(crate) fn new(
        link: &Link,
        channel: &ChannelName,
        query: &HistoryQuery<'_>,
        renew: Renew,
    ) -> Self {
        let place = link.layout().place(channel.as_str());
        Self {
            place,
            keys: stream_keys(link, place, channel),
            range: Range::of(query),
            epoch: new_epoch(),
            renew: match renew {
                Renew::For(ttl) => ttl.map(millis_text).unwrap_or_default(),
                Renew::Not => "-".to_owned(),
            },
            since_epoch: query.since.map_or("", |(_, epoch)| epoch).to_owned(),
        }
    }

    pub(crate) fn request<'r>(&self, args: &'r (dyn Fn(&mut Cmd, &Facts) + Sync)) -> Request<'r> {
        Request {
            partition: self.place.partition,
            script: Script::History,
            keys: self.keys.clone(),
            args,
            repeat: Repeat::Freely,
        }
    }

    pub(crate) fn add_args(&self, command: &mut Cmd, facts: &Facts) {
        command
            .arg(&*facts.lineage)
            .arg(self.epoch.as_str())
            .arg(&self.renew)
            .arg(&self.since_epoch)
            .arg(self.range.command)
            .arg(&self.range.from)
            .arg(&self.range.to)
            .arg(&self.range.count);
    }
}

/// A range of a stream as Redis takes it.
struct Range {
    command: &'static str,
    from: String,
    to: String,
    count: String,
}

impl Range {
    fn of(query: &HistoryQuery<'_>) -> Self {
        let since = query.since.map(|(offset, _)| offset);
        let mut count = query
            .limit
            .map(|limit| limit.to_string())
            .unwrap_or_default();
        let (command, from, to) = match query.order {
            Order::Forward => {
                let first = since.map_or(Some(0), |offset| offset.checked_add(1));
                if first.is_none() {
                    "0".clone_into(&mut count);
                }
                (
                    "XRANGE",
                    first.unwrap_or(u64::MAX).to_string(),
                    "+".to_owned(),
                )
            }
            Order::Reverse => {
                let last = since.map(|offset| offset.saturating_sub(1));
                if last == Some(0) {
                    "0".clone_into(&mut count);
                }
                let from = last.map_or_else(|| "+".to_owned(), |last| last.to_string());
                ("XREVRANGE", from, "-".to_owned())
            }
        };
        Self {
            command,
            from,
            to,
            count,
        }
    }
}

pub(crate) fn stream_keys(link: &Link, place: Place, channel: &ChannelName) -> Vec<String> {
    let (layout, partition) = (link.layout(), place.partition);
    vec![
        layout.partition_key(Kind::Header, partition),
        layout.key(Kind::Meta, partition, channel.as_str()),
        layout.key(Kind::Stream, partition, channel.as_str()),
    ]
}

/// What was read; the inner error if the epoch is another.
pub(crate) fn read(value: Value) -> Result<HistoryRead, Error> {
    let Value::Array(parts) = value else {
        return Err(odd());
    };
    let mut parts = parts.into_iter();
    let position: Vec<u8> =
        redis::from_redis_value(parts.next().unwrap_or_default()).map_err(|_| odd())?;
    let top = wire::read_position(&position)?.ok_or_else(odd)?;
    let Some(entries) = parts.next() else {
        return Ok(Err(Error::UnrecoverablePosition { top }));
    };
    let Value::Array(entries) = entries else {
        return Err(odd());
    };
    let publications: Result<Vec<_>, Error> = entries
        .into_iter()
        .map(|entry| read_entry(entry, top.epoch).map(Arc::new))
        .collect();
    Ok(Ok(History {
        top,
        publications: publications?,
    }))
}

/// Reads one entry of a stream: its id, and its only field.
fn read_entry(value: Value, epoch: Epoch) -> Result<Publication, Error> {
    let (id, fields): (String, (Vec<u8>, Vec<u8>)) =
        redis::from_redis_value(value).map_err(|_| odd())?;
    let offset = id.split('-').next().unwrap_or_default();
    let position = Position {
        offset: offset.parse().map_err(|_| odd())?,
        epoch,
    };
    Ok(wire::read_entry(&fields.1.into(), position)?)
}

pub(crate) fn odd() -> Error {
    Error::Internal {
        reason: "a script answered something else than it does".to_owned(),
    }
}

pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).map_or(TTL_MS_MAX, |millis| millis.min(TTL_MS_MAX))
}

pub(crate) fn millis_text(span: Duration) -> String {
    millis(span).to_string()
}

/// A random epoch.
pub(crate) fn new_epoch() -> Epoch {
    // Bits 48 to 51 and 64 and 65 of a UUID are not random; what is left and right of them is.
    let [a, b, c, d, e, f, .., g, h] = uuid::Uuid::new_v4().into_bytes();
    epoch_of([a, b, c, d, e, f, g, h])
}
