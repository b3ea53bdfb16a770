//! Splitting frames into messages, and joining messages into frames.
//!
//! JSON: a newline between messages, and perhaps one behind the last. Protobuf: the length of each
//! before it. A frame without a message, and a JSON line without one, is an error.

use bytes::Bytes;

use crate::codec::DecodeError;
use crate::codec::wire;
use crate::command::Command;
use crate::format::Format;
use crate::reply::Received;

/// The commands of one frame, decoded one by one: those before a broken one count.
#[derive(Debug)]
pub struct Commands {
    messages: Messages,
}

impl Commands {
    /// The commands in `frame`, each of at most `limit` bytes. A JSON line's newline and a Protobuf
    /// message's length don't count.
    #[must_use]
    pub const fn new(format: Format, frame: Bytes, limit: usize) -> Self {
        Self {
            messages: Messages::new(format, frame, limit),
        }
    }

    /// Where the next command begins, which the last one's length follows from. Unit: bytes.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.messages.at
    }

    /// The next command; `None` behind the last one, and behind an error. Payloads share the frame.
    // hot path: command 2/5
    pub fn next_command(&mut self) -> Option<Result<Command, DecodeError>> {
        self.messages
            .next_with(|messages, text| Command::decode_in(messages.format, &messages.frame, text))
    }
}

/// The messages of one frame.
#[derive(Debug)]
pub struct Messages {
    format: Format,
    frame: Bytes,
    limit: usize,
    /// Where the next message begins, with its length. Unit: bytes.
    at: usize,
    /// Whether nothing more is to be read.
    is_done: bool,
}

impl Messages {
    /// The messages in `frame`, each of at most `limit` bytes.
    #[must_use]
    pub const fn new(format: Format, frame: Bytes, limit: usize) -> Self {
        Self {
            format,
            frame,
            limit,
            at: 0,
            is_done: false,
        }
    }

    /// The next message as a client sees it; `None` behind the last one, and behind an error.
    pub fn next_received(&mut self) -> Option<Result<Received, DecodeError>> {
        self.next_with(|messages, text| {
            Received::decode(messages.format, &messages.frame.slice_ref(text))
        })
    }

    fn next_with<T>(
        &mut self,
        decode: impl FnOnce(&Self, &[u8]) -> Result<T, DecodeError>,
    ) -> Option<Result<T, DecodeError>> {
        if self.is_done {
            return None;
        }
        let (result, end) = match self.split() {
            Ok((text, end)) => (decode(self, text), end),
            Err(error) => (Err(error), self.frame.len()),
        };
        self.is_done = result.is_err() || end >= self.frame.len();
        self.at = end;
        Some(result)
    }

    /// The next message and where it ends.
    fn split(&self) -> Result<(&[u8], usize), DecodeError> {
        if self.frame.is_empty() {
            return Err(DecodeError::EmptyFrame);
        }
        let rest = self.frame.get(self.at..).unwrap_or_default();
        match self.format {
            Format::Json => self.split_line(rest),
            Format::Protobuf => self.split_delimited(rest),
        }
    }

    fn split_line<'a>(&'a self, rest: &'a [u8]) -> Result<(&'a [u8], usize), DecodeError> {
        let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.check_size(len as u64)?;
        let line = rest.get(..len).unwrap_or_default();
        Ok((line, self.at + len + 1))
    }

    fn split_delimited<'a>(&'a self, rest: &'a [u8]) -> Result<(&'a [u8], usize), DecodeError> {
        let mut reader = wire::Reader::new(&self.frame, rest);
        let len = reader.varint()?;
        self.check_size(len)?;
        let text = reader.bytes(len)?;
        Ok((text, self.frame.len() - reader.rest().len()))
    }

    fn check_size(&self, size: u64) -> Result<(), DecodeError> {
        if usize::try_from(size).is_ok_and(|size| size <= self.limit) {
            return Ok(());
        }
        Err(DecodeError::TooLarge {
            size,
            limit: self.limit,
        })
    }
}

/// A ping, ready to be joined into a frame.
#[must_use]
pub const fn ping(format: Format) -> &'static [u8] {
    match format {
        Format::Json => b"{}",
        Format::Protobuf => &[0],
    }
}

/// Joins encoded messages into one frame, behind what is in `out`.
pub fn join<'a>(format: Format, messages: impl IntoIterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    for (index, message) in messages.into_iter().enumerate() {
        if index > 0 && format == Format::Json {
            out.push(b'\n');
        }
        out.extend_from_slice(message);
    }
}

#[cfg(test)]
mod tests;
