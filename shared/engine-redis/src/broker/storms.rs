//! Reads of those who come back, when they are many: what this process has handed over answers them, and
//! what it does not know is read once.

use std::collections::HashMap;
use std::sync::Arc;

use gyre_engine::{History, HistoryQuery, HistoryRead, Inlet, Order, Retention};
use gyre_types::ChannelName;
use parking_lot::Mutex;

use super::flights::Flights;
use super::{RedisBroker, Shared};

/// Reads of the same channels that are under way.
#[derive(Default)]
pub(super) struct Storms {
    /// How many, by channel.
    reading: Mutex<HashMap<ChannelName, usize>>,
    /// Reads for many at once.
    wide: Flights<(ChannelName, usize), Shared<History>>,
}

/// Somebody reads.
struct Reading<'s> {
    storms: &'s Storms,
    channel: &'s ChannelName,
    is_first: bool,
}

impl Storms {
    fn begin<'s>(&'s self, channel: &'s ChannelName) -> Reading<'s> {
        let mut reading = self.reading.lock();
        let count = reading.entry(channel.clone()).or_default();
        *count += 1;
        Reading {
            storms: self,
            channel,
            is_first: *count == 1,
        }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut reading = self.storms.reading.lock();
        if let Some(count) = reading.get_mut(self.channel) {
            *count -= 1;
            if *count == 0 {
                reading.remove(self.channel);
            }
        }
    }
}

impl<I: Inlet> RedisBroker<I> {
    /// Reads where it is enough to know what this process has handed over.
    pub(super) async fn read_heard(
        &self,
        channel: &ChannelName,
        query: &HistoryQuery<'_>,
        retention: Retention,
    ) -> HistoryRead {
        let now = self.clock.now().unix;
        if let Some(found) = self.bus.find(channel, query, retention, now) {
            return Ok(found);
        }
        let reading = self.storms.begin(channel);
        let is_recovery = matches!((query.order, query.since), (Order::Forward, Some((_, ""))));
        let is_alone = reading.is_first && !self.bus.has_tail(channel);
        if is_recovery && !is_alone {
            let read = self.read_wide(channel, query, retention).await?;
            if let Some(found) = part(&read, query, width(query, retention)) {
                return Ok(found);
            }
        }
        let read = self.read_with_others(channel, query).await?;
        if query.limit != Some(0) {
            self.keep(channel, &read, query.order, retention);
        }
        Ok(read)
    }

    /// Reads for all who come back now, whatever they have: the newest, oldest first.
    async fn read_wide(
        &self,
        channel: &ChannelName,
        query: &HistoryQuery<'_>,
        retention: Retention,
    ) -> HistoryRead {
        let width = width(query, retention);
        let newest = HistoryQuery {
            limit: Some(width),
            order: Order::Reverse,
            meta_ttl: query.meta_ttl,
            ..HistoryQuery::default()
        };
        let read = || async {
            let read = self.read_now(channel, &newest).await.map(|mut read| {
                read.publications.reverse();
                self.keep(channel, &read, Order::Forward, retention);
                read
            });
            Shared::new(read)
        };
        let key = (channel.clone(), width);
        self.storms.wide.join(key, read).await.into_result()
    }

    fn keep(&self, channel: &ChannelName, read: &History, order: Order, retention: Retention) {
        match order {
            Order::Forward => self.bus.keep(channel, read, retention),
            Order::Reverse => {
                let mut forward = read.clone();
                forward.publications.reverse();
                self.bus.keep(channel, &forward, retention);
            }
        }
    }
}

/// How many publications are read for all: as many as somebody is given, or as there are.
fn width(query: &HistoryQuery<'_>, retention: Retention) -> usize {
    let size = usize::try_from(retention.size).unwrap_or(usize::MAX);
    query.limit.unwrap_or(usize::MAX).min(size)
}

/// What one of many finds in what was read for all; `None` if the stream may have more for it.
fn part(read: &History, query: &HistoryQuery<'_>, width: usize) -> Option<History> {
    let (since, _) = query.since?;
    let first = read.publications.first();
    let is_all = read.publications.len() < width;
    if !is_all && first.is_some_and(|first| first.offset > since + 1) {
        return None;
    }
    let later = read.publications.iter().filter(|one| one.offset > since);
    let publications = later
        .take(query.limit.unwrap_or(usize::MAX))
        .map(Arc::clone);
    Some(History {
        top: read.top,
        publications: publications.collect(),
    })
}
