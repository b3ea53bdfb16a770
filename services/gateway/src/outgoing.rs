//! The messages that a session has for its client, counted as they are taken.

use gyre_protocol::codes::{Disconnect, Error};
use gyre_session::{Frame, Message, Session, Transport as Facts};

use crate::metrics::Frames;

/// What a session wants to be sent now.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    session: &'a mut Session,
    facts: Facts,
    counters: &'a Frames,
    tally: Tally,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new(session: &'a mut Session, facts: Facts, counters: &'a Frames) -> Self {
        Self {
            session,
            facts,
            counters,
            tally: Tally::default(),
        }
    }

    /// The next message.
    pub(crate) fn next(&mut self) -> Option<Message> {
        let message = self.session.poll_message()?;
        let bytes = match &message {
            Message::Own(bytes, _) => bytes.len(),
            Message::Shared { .. } => {
                let encoded = message.shared(self.facts);
                encoded.map_or(0, |encoded| encoded.bytes().len())
            }
            Message::TransportPing => 0,
        };
        let run = self.tally.add(message.frame(), bytes);
        self.counters.count(run);
        Some(message)
    }

    /// Throws away what is left: something else takes its place.
    pub(crate) fn discard(&mut self) {
        while self.session.poll_message().is_some() {}
    }

    /// Why the connection ends, once it does.
    pub(crate) fn closing(&self) -> Option<&Disconnect> {
        self.session.closing()
    }

    /// With which error a connect over a unidirectional transport was refused.
    pub(crate) fn connect_error(&self) -> Option<&Error> {
        self.session.connect_error()
    }

    /// Counts the last of what was taken.
    pub(crate) fn end(mut self) {
        self.counters.count(self.tally.take());
    }
}

/// Messages of one kind that came one after the other: how many, and their bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Run {
    pub(crate) frame: Frame,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// The run of messages under way. Most turns have only one: counting is an access to what all threads
/// count in.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    run: Option<Run>,
}

impl Tally {
    /// Adds a message; gives the run before it, if it begins one.
    pub(crate) fn add(&mut self, frame: Frame, bytes: usize) -> Option<Run> {
        let bytes = bytes as u64;
        if let Some(run) = &mut self.run
            && run.frame == frame
        {
            run.messages += 1;
            run.bytes += bytes;
            return None;
        }
        self.run.replace(Run {
            frame,
            messages: 1,
            bytes,
        })
    }

    /// The run under way, which ends.
    pub(crate) const fn take(&mut self) -> Option<Run> {
        self.run.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told_by_kind() {
        let run = |frame, messages, bytes| {
            Some(Run {
                frame,
                messages,
                bytes,
            })
        };
        let mut tally = Tally::default();
        assert_eq!(tally.take(), None);
        assert_eq!(tally.add(Frame::Publication, 10), None);
        assert_eq!(tally.add(Frame::Publication, 5), None);
        assert_eq!(tally.add(Frame::Ping, 2), run(Frame::Publication, 2, 15));
        assert_eq!(tally.take(), run(Frame::Ping, 1, 2));
        assert_eq!(tally.take(), None);
    }
}
