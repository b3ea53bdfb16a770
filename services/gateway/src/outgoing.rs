//! The messages that a session has for its client, counted as they are taken.

use gyre_protocol::codes::{Disconnect, Error};
use gyre_session::{Frame, Message, Session, Transport as Facts};

/// What a session wants to be sent now.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    session: &'a mut Session,
    facts: Facts,
    tally: Tally,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new(session: &'a mut Session, facts: Facts) -> Self {
        Self {
            session,
            facts,
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
        self.tally.add(message.frame(), bytes);
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

    /// What was taken.
    pub(crate) fn tally(self) -> Tally {
        self.tally
    }
}

/// Messages and bytes by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Bit n: something of kind n was counted.
    touched: u32,
    messages: [u32; Frame::ALL.len()],
    bytes: [u64; Frame::ALL.len()],
}

impl Tally {
    pub(crate) fn add(&mut self, frame: Frame, bytes: usize) {
        let index = frame.index();
        if let (Some(messages), Some(total)) =
            (self.messages.get_mut(index), self.bytes.get_mut(index))
        {
            self.touched |= 1 << index;
            *messages += 1;
            *total += bytes as u64;
        }
    }

    /// Kinds that were counted: messages and bytes of each.
    pub(crate) fn counted(&self) -> impl Iterator<Item = (Frame, u64, u64)> {
        let all = Frame::ALL.into_iter().zip(self.messages).zip(self.bytes);
        let touched = self.touched;
        all.take(if touched == 0 { 0 } else { usize::MAX })
            .filter(move |((frame, _), _)| touched & (1 << frame.index()) != 0)
            .map(|((frame, messages), bytes)| (frame, u64::from(messages), bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told_by_kind() {
        let mut tally = Tally::default();
        assert_eq!(tally.counted().count(), 0);
        tally.add(Frame::Publication, 10);
        tally.add(Frame::Ping, 2);
        tally.add(Frame::Publication, 5);
        let counted: Vec<_> = tally.counted().collect();
        assert_eq!(counted, [(Frame::Ping, 1, 2), (Frame::Publication, 2, 15)]);
    }
}
