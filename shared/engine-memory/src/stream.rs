use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use gyre_engine::{
    Delivered, Error, History, HistoryQuery, HistoryRead, Order, PublishOptions, Retention,
};
use gyre_protocol::messages::Publication;
use gyre_types::{ChannelName, Epoch, Now, Position, Uptime};

use crate::draft::Draft;

/// What never comes.
pub(crate) const NEVER: Uptime = Uptime::from_millis(u64::MAX);

/// A channel's stream: its position, and what is kept of it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) channel: ChannelName,
    top: Position,
    /// Without holes; the last has the offset `top`, unless there is none.
    publications: VecDeque<Arc<Publication>>,
    kept_until: Uptime,
    lives_until: Uptime,
    /// Boxed: few streams have one.
    version: Option<Box<Version>>,
    /// The one entry of the agenda that counts for this stream.
    pub(crate) due: Uptime,
}

#[derive(Debug)]
struct Version {
    number: u64,
    epoch: Box<str>,
}

/// A version suppressed the publication; the top of the stream.
#[derive(Debug)]
pub(crate) struct Outdated(pub(crate) Position);

impl Stream {
    /// An empty stream.
    pub(crate) const fn new(channel: ChannelName, epoch: Epoch) -> Self {
        Self {
            channel,
            top: Position { offset: 0, epoch },
            publications: VecDeque::new(),
            kept_until: NEVER,
            lives_until: NEVER,
            version: None,
            due: NEVER,
        }
    }

    /// Whether its life is over: whatever is asked of it must be asked of a new one.
    pub(crate) fn is_over(&self, now: Uptime) -> bool {
        self.lives_until <= now
    }

    /// Begins a new life.
    pub(crate) fn begin_again(&mut self, epoch: Epoch) {
        self.top = Position { offset: 0, epoch };
        self.version = None;
        self.clear();
    }

    /// Drops the publications, if their time is over.
    pub(crate) fn expire(&mut self, now: Uptime) {
        if self.kept_until <= now {
            self.clear();
        }
    }

    /// Gives it so much time from now on.
    pub(crate) fn renew(&mut self, meta_ttl: Option<Duration>, now: Uptime) {
        self.lives_until = meta_ttl.map_or(NEVER, |ttl| now + ttl);
    }

    /// Drops the publications; the position stays.
    pub(crate) fn clear(&mut self) {
        self.publications = VecDeque::new();
        self.kept_until = NEVER;
    }

    /// When something of it is over next.
    pub(crate) fn over_next(&self) -> Uptime {
        self.kept_until.min(self.lives_until)
    }

    /// Publications kept.
    pub(crate) fn len(&self) -> usize {
        self.publications.len()
    }

    /// Gives the publication the next offset and keeps it.
    pub(crate) fn push(
        &mut self,
        draft: &Draft<'_>,
        options: &PublishOptions<'_>,
        retention: Retention,
        now: Now,
    ) -> Result<Delivered, Outdated> {
        if !self.accepts(draft.version(), options.version_epoch) {
            return Err(Outdated(self.top));
        }
        self.top.offset += 1;
        let publication = draft.kept(self.top, now);
        let previous = options
            .with_previous
            .then(|| self.publications.back().cloned())
            .flatten();
        let size = usize::try_from(retention.size).unwrap_or(usize::MAX).max(1);
        while self.publications.len() >= size {
            self.publications.pop_front();
        }
        self.publications.push_back(Arc::clone(&publication));
        self.kept_until = now.uptime + retention.ttl;
        Ok(Delivered {
            publication,
            epoch: self.top.epoch,
            previous,
        })
    }

    /// Whether a version may be published; it is then the stored one. 0 is none.
    fn accepts(&mut self, number: u64, epoch: &str) -> bool {
        if number == 0 {
            return true;
        }
        match &mut self.version {
            Some(stored) => {
                let is_of_it = epoch.is_empty() || *epoch == *stored.epoch;
                if is_of_it && number <= stored.number {
                    return false;
                }
                stored.number = number;
                if *stored.epoch != *epoch {
                    stored.epoch = epoch.into();
                }
            }
            none => {
                *none = Some(Box::new(Version {
                    number,
                    epoch: epoch.into(),
                }));
            }
        }
        true
    }

    /// Reads as the query says.
    pub(crate) fn read(&self, query: &HistoryQuery<'_>) -> HistoryRead {
        let since = match query.since {
            Some((_, epoch)) if !epoch.is_empty() && epoch != self.top.epoch.as_str() => {
                return Err(Error::UnrecoverablePosition { top: self.top });
            }
            Some((offset, _)) => Some(offset),
            None => None,
        };
        let limit = query.limit.unwrap_or(usize::MAX);
        let publications = match query.order {
            Order::Forward => {
                let skipped = since.map_or(0, |offset| self.count_up_to(offset));
                let rest = self.publications.iter().skip(skipped);
                rest.take(limit).cloned().collect()
            }
            Order::Reverse => {
                let wanted = since.map_or(self.len(), |offset| {
                    self.count_up_to(offset.saturating_sub(1))
                });
                let skipped = self.len() - wanted;
                let rest = self.publications.iter().rev().skip(skipped);
                rest.take(limit).cloned().collect()
            }
        };
        Ok(History {
            top: self.top,
            publications,
        })
    }

    /// How many of those kept have an offset up to this one.
    fn count_up_to(&self, offset: u64) -> usize {
        let after = usize::try_from(self.top.offset.saturating_sub(offset)).unwrap_or(usize::MAX);
        self.len().saturating_sub(after)
    }
}
