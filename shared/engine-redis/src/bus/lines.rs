use std::collections::HashMap;

use bytes::Bytes;
use gyre_engine::Inlet;
use gyre_types::ChannelName;
use tokio::sync::oneshot;

use crate::wire::{Content, Foreign, Message};

/// No connection.
const NOBODY: u64 = 0;

/// The bus channels of one partition that have subscribers here.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: HashMap<u16, Line>,
}

/// A bus channel.
#[derive(Debug, Default)]
struct Line {
    /// Subscribers of this process, by channel.
    channels: HashMap<ChannelName, u32>,
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
        *line.channels.entry(channel.clone()).or_insert(0) += 1;
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
        if let Some(count) = line.channels.get_mut(channel) {
            *count -= 1;
            if *count == 0 {
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

    pub(super) fn heard<I: Inlet>(&mut self, ear: u64, bus: u16, inlet: &I) {
        let Some(line) = self.lines.get_mut(&bus).filter(|line| line.ear != ear) else {
            return;
        };
        line.ear = ear;
        line.next = None;
        if line.was_heard {
            line.tell_gap(inlet);
        }
        line.was_heard = true;
        for one in line.waiting.drain(..) {
            // Whoever stopped waiting does not want to know.
            let _ = one.send(());
        }
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

    pub(super) fn message<I: Inlet>(&mut self, ear: u64, bus: u16, text: &Bytes, inlet: &I) {
        let Some(line) = self.lines.get_mut(&bus).filter(|line| line.ear == ear) else {
            return;
        };
        let taken = line.take(text, inlet);
        line.release();
        if taken.is_err() {
            tracing::warn!("a message on the bus is not of this engine");
            line.tell_gap(inlet);
        }
    }
}

impl Line {
    fn take<I: Inlet>(&mut self, text: &Bytes, inlet: &I) -> Result<(), Foreign> {
        let message = Message::parse(text)?;
        if self.next.is_some_and(|next| next != message.number) {
            self.tell_gap(inlet);
        }
        self.next = Some(message.number.wrapping_add(1));
        let Some((channel, _)) = self.channels.get_key_value(message.channel()?) else {
            return Ok(());
        };
        match message.read()? {
            Content::Publication(delivered) => inlet.on_publication(channel, delivered),
            Content::Join(info) => inlet.on_join(channel, &info),
            Content::Leave(info) => inlet.on_leave(channel, &info),
        }
        Ok(())
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

    fn tell_gap<I: Inlet>(&self, inlet: &I) {
        for channel in self.channels.keys() {
            inlet.on_gap(channel);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gyre_engine::Delivered;
    use gyre_protocol::messages::{ClientInfo, Publication};
    use gyre_types::UnixMillis;
    use parking_lot::Mutex;

    use super::*;
    use crate::wire;

    /// Writes down what it is told.
    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);

    impl Notes {
        fn taken(&self) -> Vec<String> {
            let mut notes = std::mem::take(&mut *self.0.lock());
            notes.sort();
            notes
        }
    }

    impl Inlet for Notes {
        fn on_publication(&self, channel: &ChannelName, delivered: Delivered) {
            let offset = delivered.publication.offset;
            self.0.lock().push(format!("{channel} {offset}"));
        }

        fn on_join(&self, channel: &ChannelName, _info: &Arc<ClientInfo>) {
            self.0.lock().push(format!("{channel} join"));
        }

        fn on_leave(&self, channel: &ChannelName, _info: &Arc<ClientInfo>) {
            self.0.lock().push(format!("{channel} leave"));
        }

        fn on_gap(&self, channel: &ChannelName) {
            self.0.lock().push(format!("{channel} gap"));
        }
    }

    const EAR: u64 = 1;
    const OTHER: u64 = 2;
    const BUS: u16 = 5;

    fn channel(name: &str) -> ChannelName {
        ChannelName::new(name).unwrap()
    }

    fn message(number: u64, channel: &str, offset: u64) -> Bytes {
        let head = format!("p{number}:{offset}:e:{}:0:{channel}", channel.len());
        let mut text = head.into_bytes();
        text.extend_from_slice(&wire::entry(&Publication::default(), UnixMillis(1)));
        text.into()
    }

    fn subscribed(names: &[&str]) -> (Lines, Notes) {
        let (mut lines, notes) = (Lines::default(), Notes::default());
        for name in names {
            drop(lines.add(BUS, &channel(name)));
        }
        lines.heard(EAR, BUS, &notes);
        (lines, notes)
    }

    #[test]
    fn only_channels_with_subscribers_are_handed_over() {
        let (mut lines, notes) = subscribed(&["a", "b"]);
        lines.message(EAR, BUS, &message(7, "a", 1), &notes);
        lines.message(EAR, BUS, &message(8, "else", 1), &notes);
        lines.remove(BUS, &channel("b"));
        lines.message(EAR, BUS, &message(9, "b", 1), &notes);
        assert_eq!(notes.taken(), ["a 1"]);
    }

    #[test]
    fn a_hole_in_the_numbers_is_told_to_all() {
        let (mut lines, notes) = subscribed(&["a", "b"]);
        lines.message(EAR, BUS, &message(7, "a", 1), &notes);
        lines.message(EAR, BUS, &message(9, "else", 1), &notes);
        assert_eq!(notes.taken(), ["a 1", "a gap", "b gap"]);
        lines.message(EAR, BUS, &message(3, "a", 2), &notes);
        assert_eq!(notes.taken(), ["a 2", "a gap", "b gap"]);
    }

    #[test]
    fn what_is_heard_again_may_have_lost_something() {
        let (mut lines, notes) = subscribed(&["a"]);
        assert!(lines.unheard(EAR, BUS));
        assert_eq!(lines.not_heard_by(EAR), [BUS]);
        lines.heard(EAR, BUS, &notes);
        assert_eq!(notes.taken(), ["a gap"]);
    }

    #[test]
    fn the_connection_that_confirmed_last_is_heard() {
        let (mut lines, notes) = subscribed(&["a"]);
        lines.heard(OTHER, BUS, &notes);
        assert_eq!(notes.taken(), ["a gap"]);
        lines.message(EAR, BUS, &message(1, "a", 1), &notes);
        lines.message(OTHER, BUS, &message(1, "a", 1), &notes);
        assert_eq!(notes.taken(), ["a 1"]);
        lines.deaf(EAR);
        assert!(lines.not_heard_by(OTHER).is_empty());
        lines.deaf(OTHER);
        assert_eq!(lines.not_heard_by(OTHER), [BUS]);
    }

    #[test]
    fn whatever_is_not_ours_counts_as_lost() {
        let (mut lines, notes) = subscribed(&["a"]);
        lines.message(EAR, BUS, &Bytes::from_static(b"else"), &notes);
        assert_eq!(notes.taken(), ["a gap"]);
    }

    #[test]
    fn a_line_goes_some_time_after_its_last_subscriber() {
        let (mut lines, notes) = subscribed(&["a"]);
        lines.remove(BUS, &channel("a"));
        assert!(lines.sweep(EAR).is_empty());
        drop(lines.add(BUS, &channel("a")));
        lines.remove(BUS, &channel("a"));
        assert!(lines.sweep(EAR).is_empty());
        assert!(lines.sweep(OTHER).is_empty());
        assert_eq!(lines.sweep(EAR), [BUS]);
        assert!(
            lines.add(BUS, &channel("a")).is_some(),
            "it is asked for again"
        );
        lines.heard(EAR, BUS, &notes);
        assert_eq!(notes.taken(), Vec::<String>::new());
    }
}
