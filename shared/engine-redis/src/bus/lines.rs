use std::collections::HashMap;

use bytes::Bytes;
use gyre_engine::{History, Inlet};
use gyre_types::{ChannelName, Position, UnixMillis};
use tokio::sync::oneshot;

use super::heard::Heard;
use crate::wire::{Foreign, Message};

/// No connection.
const NOBODY: u64 = 0;

/// The bus channels of one partition that have subscribers here.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: HashMap<u16, Line>,
}

/// A channel that may have lost something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Gap {
    pub(super) channel: ChannelName,
    /// Where the last that was handed over stands.
    pub(super) since: Position,
}

/// A bus channel.
#[derive(Debug, Default)]
struct Line {
    /// Subscribers of this process, by channel.
    channels: HashMap<ChannelName, Heard>,
    /// The connection that hears it; 0: none.
    ear: u64,
    /// Whether it was heard before.
    was_heard: bool,
    /// Number of the next message, if it is known.
    next: Option<u64>,
    /// Who waits until it is heard.
    waiting: Vec<oneshot::Sender<()>>,
    /// Whether it was without subscribers at the last sweep.
    is_idle: bool,
    /// Who waits until the message with this number was handed over.
    awaited: Vec<(u64, oneshot::Sender<()>)>,
}

impl Lines {
    /// Adds a subscriber; what to wait for if the line is not heard.
    pub(super) fn add(
        &mut self,
        bus: u16,
        channel: &ChannelName,
    ) -> Option<impl Future<Output = ()> + use<>> {
        let line = self.lines.entry(bus).or_default();
        line.channels
            .entry(channel.clone())
            .or_default()
            .subscribers += 1;
        line.is_idle = false;
        if line.ear != NOBODY {
            return None;
        }
        let (sender, heard) = oneshot::channel();
        line.waiting.push(sender);
        Some(async move {
            if heard.await.is_err() {
                // A line with somebody waiting stays; were it gone, nobody would be told.
                std::future::pending::<()>().await;
            }
        })
    }

    pub(super) fn remove(&mut self, bus: u16, channel: &ChannelName) {
        let Some(line) = self.lines.get_mut(&bus) else {
            return;
        };
        line.waiting.retain(|one| !one.is_closed());
        if let Some(heard) = line.channels.get_mut(channel) {
            heard.subscribers -= 1;
            if heard.subscribers == 0 {
                line.channels.remove(channel);
            }
        }
    }

    /// Lines with subscribers that another connection hears, or none.
    pub(super) fn not_heard_by(&self, ear: u64) -> Vec<u16> {
        let wanted = |line: &Line| line.ear != ear && !line.channels.is_empty();
        let lines = self.lines.iter().filter(|(_, line)| wanted(line));
        lines.map(|(bus, _)| *bus).collect()
    }

    /// Lets go of the lines of this connection, or of none, that were without subscribers for a whole
    /// round.
    pub(super) fn sweep(&mut self, ear: u64) -> Vec<u16> {
        let mut idle = Vec::new();
        self.lines.retain(|bus, line| {
            if !line.channels.is_empty() || (line.ear != ear && line.ear != NOBODY) {
                return true;
            }
            if line.is_idle {
                idle.push(*bus);
                return false;
            }
            line.is_idle = true;
            true
        });
        idle
    }

    /// A connection hears the line from now on. Gaps that are to be repaired.
    pub(super) fn heard<I: Inlet>(&mut self, ear: u64, bus: u16, inlet: &I) -> Vec<Gap> {
        let Some(line) = self.lines.get_mut(&bus).filter(|line| line.ear != ear) else {
            return Vec::new();
        };
        line.ear = ear;
        line.next = None;
        let gaps = if line.was_heard {
            line.gaps(inlet)
        } else {
            Vec::new()
        };
        line.was_heard = true;
        for one in line.waiting.drain(..) {
            // Whoever stopped waiting does not want to know.
            let _ = one.send(());
        }
        gaps
    }

    /// Up to where a reader knows the channel's stream.
    pub(super) fn learn(
        &mut self,
        bus: u16,
        channel: &ChannelName,
        top: Position,
        now: UnixMillis,
    ) {
        let line = self.lines.get_mut(&bus);
        if let Some(heard) = line.and_then(|line| line.channels.get_mut(channel)) {
            heard.learn(top, now);
        }
    }

    /// A channel of a line that is heard.
    pub(super) fn heard_channel(&mut self, bus: u16, channel: &ChannelName) -> Option<&mut Heard> {
        let line = self.lines.get_mut(&bus).filter(|line| line.ear != NOBODY)?;
        line.channels.get_mut(channel)
    }

    /// Lets go of what is kept of a channel, if nobody asked for it lately; whether something is kept.
    pub(super) fn sweep_tail(&mut self, bus: u16, channel: &ChannelName) -> bool {
        let line = self.lines.get_mut(&bus);
        let heard = line.and_then(|line| line.channels.get_mut(channel));
        heard.is_some_and(Heard::sweep)
    }

    /// What was read to repair a gap; `None` if it cannot be. The gap that is left.
    pub(super) fn repair<I: Inlet>(
        &mut self,
        bus: u16,
        channel: &ChannelName,
        found: Option<History>,
        inlet: &I,
    ) -> Option<Gap> {
        let line = self.lines.get_mut(&bus)?;
        let heard = line.channels.get_mut(channel)?;
        let since = heard.repair(channel, found, inlet)?;
        Some(Gap {
            channel: channel.clone(),
            since,
        })
    }

    /// What to wait for until the message with this number was handed over, if it will be.
    pub(super) fn arrival(&mut self, bus: u16, number: u64) -> Option<oneshot::Receiver<()>> {
        let line = self.lines.get_mut(&bus)?;
        let is_coming = line.next.is_none_or(|next| next <= number);
        if line.ear == NOBODY || line.channels.is_empty() || !is_coming {
            return None;
        }
        let (sender, arrival) = oneshot::channel();
        line.awaited.push((number, sender));
        Some(arrival)
    }

    /// Whether there are subscribers that miss it.
    pub(super) fn unheard(&mut self, ear: u64, bus: u16) -> bool {
        match self.lines.get_mut(&bus).filter(|line| line.ear == ear) {
            Some(line) => {
                line.end();
                !line.channels.is_empty()
            }
            None => false,
        }
    }

    pub(super) fn deaf(&mut self, ear: u64) {
        for line in self.lines.values_mut().filter(|line| line.ear == ear) {
            line.end();
        }
    }

    /// Hands a message over. Gaps that are to be repaired.
    pub(super) fn message<I: Inlet>(
        &mut self,
        ear: u64,
        bus: u16,
        text: &Bytes,
        inlet: &I,
    ) -> Vec<Gap> {
        let Some(line) = self.lines.get_mut(&bus).filter(|line| line.ear == ear) else {
            return Vec::new();
        };
        let gaps = match line.take(text, inlet) {
            Ok(gaps) => gaps,
            Err(Foreign) => {
                tracing::warn!("a message on the bus is not of this engine");
                line.gaps(inlet)
            }
        };
        line.release();
        gaps
    }
}

impl Line {
    fn take<I: Inlet>(&mut self, text: &Bytes, inlet: &I) -> Result<Vec<Gap>, Foreign> {
        let message = Message::parse(text)?;
        let gaps = if self.next.is_some_and(|next| next != message.number) {
            self.gaps(inlet)
        } else {
            Vec::new()
        };
        self.next = Some(message.number.wrapping_add(1));
        let name = message.channel()?;
        if let Some((channel, _)) = self.channels.get_key_value(name) {
            let (channel, content) = (channel.clone(), message.read()?);
            if let Some(heard) = self.channels.get_mut(&channel) {
                heard.take(&channel, content, inlet);
            }
        }
        Ok(gaps)
    }

    /// Nobody hears it any more, and nothing comes.
    fn end(&mut self) {
        self.ear = NOBODY;
        self.awaited.clear();
    }

    /// Tells those whose message was handed over.
    fn release(&mut self) {
        if self.awaited.is_empty() {
            return;
        }
        let next = self.next.unwrap_or(0);
        for (_, sender) in self.awaited.extract_if(.., |(number, _)| *number < next) {
            // Whoever stopped waiting does not want to know.
            let _ = sender.send(());
        }
    }

    /// Something was lost: every channel is repaired, or told.
    fn gaps<I: Inlet>(&mut self, inlet: &I) -> Vec<Gap> {
        let channels = self.channels.iter_mut();
        channels
            .filter_map(|(channel, heard)| {
                let since = heard.doubt(channel, inlet)?;
                let channel = channel.clone();
                Some(Gap { channel, since })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
