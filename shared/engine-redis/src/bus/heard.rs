use gyre_engine::{Delivered, History, Inlet};
use gyre_types::{ChannelName, Position};

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
    pub(super) const fn learn(&mut self, top: Position) {
        if self.position.is_none() {
            self.position = Some(top);
        }
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
                self.position = None;
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

    fn give_up<I: Inlet>(&mut self, channel: &ChannelName, inlet: &I) {
        self.position = None;
        inlet.on_gap(channel);
        self.release(channel, inlet);
    }

    fn hand_over<I: Inlet>(&mut self, channel: &ChannelName, content: Content, inlet: &I) {
        match content {
            Content::Publication(delivered) => {
                if let Some(position) = position_of(&delivered) {
                    self.position = Some(position);
                }
                inlet.on_publication(channel, delivered);
            }
            Content::Join(info) => inlet.on_join(channel, &info),
            Content::Leave(info) => inlet.on_leave(channel, &info),
        }
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
