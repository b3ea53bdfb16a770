use gyre_engine::{Delivered, History, HistoryQuery, Inlet, Retention};
use gyre_types::{ChannelName, Position, UnixMillis};

use super::tail::{Budget, Tail, lives};
use crate::wire::Content;

/// What is held while a gap is repaired; with more, it is told instead. Unit: messages.
const HELD_MAX: usize = 10_000;

/// A channel with subscribers in this process.
///
/// A gap is repaired from history where it is known up to where everything was handed over: what was
/// missed is handed over late, and what comes meanwhile after it, so that nobody notices. Where that
/// cannot be, the inlet is told.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) subscribers: u32,
    /// Up to where everything was handed over, or read before anything was.
    position: Option<Position>,
    /// When that was published or read.
    position_at: UnixMillis,
    /// What was handed over lately, if it was asked for.
    tail: Option<Box<Tail>>,
    /// What comes while a gap is repaired.
    held: Option<Held>,
}

#[derive(Debug, Default)]
struct Held {
    messages: Vec<Content>,
    /// Something was lost again, perhaps after what is being read.
    is_stale: bool,
}

impl Heard {
    /// A reader has seen the top of the stream; whoever reads later sees no less.
    pub(super) const fn learn(&mut self, top: Position, now: UnixMillis) {
        if self.position.is_none() {
            self.position = Some(top);
            self.position_at = now;
        }
    }

    /// What a query finds among what was handed over; `None` if the stream has to be asked.
    pub(super) fn find(
        &mut self,
        query: &HistoryQuery<'_>,
        retention: Retention,
        now: UnixMillis,
    ) -> Option<History> {
        let top = self.position.filter(|_| self.held.is_none())?;
        // Reads of others renew the life of a stream unseen, so this is on the safe side.
        let half = retention.meta_ttl.map(|ttl| ttl / 2);
        if !lives(self.position_at, now, half) {
            return None;
        }
        if query.limit == Some(0) {
            let publications = Vec::new();
            return Some(History { top, publications });
        }
        let size = u64::from(retention.size);
        let is_kept = |since: u64| top.offset.saturating_sub(since) <= size;
        if query.since.is_some_and(|(since, _)| !is_kept(since)) {
            return None;
        }
        let tail = self.tail.as_mut()?;
        tail.lives(now, retention.ttl)
            .then(|| tail.find(query, top))
            .flatten()
    }

    /// Whether somebody came back lately.
    pub(super) const fn has_tail(&self) -> bool {
        self.tail.is_some()
    }

    /// Keeps what was read for the next who asks; `is_new`: nothing was kept until now.
    pub(super) fn keep(&mut self, read: &History, retention: Retention, budget: &Budget) -> bool {
        let position = self.position.filter(|one| one.epoch == read.top.epoch);
        let (Some(position), None) = (position, &self.held) else {
            return false;
        };
        let is_new = self.tail.is_none();
        let tail = self
            .tail
            .get_or_insert_with(|| Box::new(Tail::new(position.offset, retention, budget)));
        tail.extend_back(&read.publications);
        is_new
    }

    /// Lets go of what nobody asked for lately; whether something is kept.
    pub(super) fn sweep(&mut self) -> bool {
        self.tail = self.tail.take().filter(|tail| tail.is_used());
        self.tail.is_some()
    }

    pub(super) fn take<I: Inlet>(&mut self, channel: &ChannelName, content: Content, inlet: &I) {
        match &mut self.held {
            Some(held) if held.messages.len() < HELD_MAX => held.messages.push(content),
            Some(_) => {
                self.give_up(channel, inlet);
                self.hand_over(channel, content, inlet);
            }
            None => self.hand_over(channel, content, inlet),
        }
    }

    /// Something was lost. Where to read from, if that repairs it.
    pub(super) fn doubt<I: Inlet>(&mut self, channel: &ChannelName, inlet: &I) -> Option<Position> {
        if let Some(held) = &mut self.held {
            held.is_stale = true;
            return None;
        }
        if self.position.is_none() {
            inlet.on_gap(channel);
            return None;
        }
        self.held = Some(Held::default());
        self.position
    }

    /// What was read; `None` if it cannot be. Where to read from again, if something was lost
    /// meanwhile.
    pub(super) fn repair<I: Inlet>(
        &mut self,
        channel: &ChannelName,
        found: Option<History>,
        inlet: &I,
    ) -> Option<Position> {
        let held = self.held.as_mut()?;
        if held.is_stale {
            held.is_stale = false;
            return self.position;
        }
        let since = self.position.unwrap_or_default();
        match found.filter(|history| is_whole(since, history)) {
            Some(history) => {
                for publication in history.publications {
                    let delivered = Delivered {
                        publication,
                        epoch: history.top.epoch,
                        previous: None,
                    };
                    self.hand_over(channel, Content::Publication(delivered), inlet);
                }
            }
            None => {
                self.lose();
                inlet.on_gap(channel);
            }
        }
        self.release(channel, inlet);
        None
    }

    /// Lets what was held go, but for what was read.
    fn release<I: Inlet>(&mut self, channel: &ChannelName, inlet: &I) {
        for content in self.held.take().unwrap_or_default().messages {
            if !self.is_known(&content) {
                self.hand_over(channel, content, inlet);
            }
        }
    }

    /// It is not known any more where the stream stands.
    fn lose(&mut self) {
        self.position = None;
        self.tail = None;
    }

    fn give_up<I: Inlet>(&mut self, channel: &ChannelName, inlet: &I) {
        self.lose();
        inlet.on_gap(channel);
        self.release(channel, inlet);
    }

    fn hand_over<I: Inlet>(&mut self, channel: &ChannelName, content: Content, inlet: &I) {
        match content {
            Content::Publication(delivered) => {
                if let Some(position) = position_of(&delivered) {
                    self.advance(position, &delivered);
                }
                inlet.on_publication(channel, delivered);
            }
            Content::Removed => self.tail = None,
            Content::Join(info) => inlet.on_join(channel, &info),
            Content::Leave(info) => inlet.on_leave(channel, &info),
        }
    }

    fn advance(&mut self, position: Position, delivered: &Delivered) {
        let is_same = self.position.is_some_and(|one| one.epoch == position.epoch);
        if let Some(tail) = &mut self.tail
            && !(is_same && tail.push(&delivered.publication))
        {
            self.tail = None;
        }
        self.position = Some(position);
        self.position_at = UnixMillis(delivered.publication.time);
    }

    fn is_known(&self, content: &Content) -> bool {
        let (Content::Publication(delivered), Some(known)) = (content, self.position) else {
            return false;
        };
        position_of(delivered)
            .is_some_and(|one| one.epoch == known.epoch && one.offset <= known.offset)
    }
}

/// Its place, if it has one.
fn position_of(delivered: &Delivered) -> Option<Position> {
    let offset = delivered.publication.offset;
    (offset > 0).then_some(Position {
        offset,
        epoch: delivered.epoch,
    })
}

/// Whether this is all that came after a position.
fn is_whole(since: Position, history: &History) -> bool {
    let (first, last) = (history.publications.first(), history.publications.last());
    let is_complete = match (first, last) {
        (Some(first), Some(last)) => {
            first.offset == since.offset + 1 && last.offset == history.top.offset
        }
        _ => history.top.offset == since.offset,
    };
    history.top.epoch == since.epoch && is_complete
}

#[cfg(test)]
mod tests;
