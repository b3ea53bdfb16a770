//! JSON as the protocol speaks it: strict in its grammar, forgiving about names and unknown
//! members, and with payloads that pass through as they were written.
//!
//! Nothing here recurses with its input, and no value is built for what is only passed on.

mod read;
mod scan;
mod write;

use bytes::Bytes;

pub(crate) use read::Reader;
pub(crate) use scan::Scanner;
pub(crate) use write::{encode, quote};

use crate::codec::{DecodeError, Message};

/// Values within values that are stepped over. Unit: levels. As in Go's decoder.
pub const DEPTH_MAX: u32 = 10_000;

/// Whether the bytes are one JSON value in UTF-8, with nothing but blanks around it.
#[must_use]
pub fn is_valid(text: &[u8]) -> bool {
    let mut scanner = Scanner::new(text);
    scanner.skip_value().is_ok() && scanner.is_at_end() && std::str::from_utf8(text).is_ok()
}

/// Whether the bytes are one JSON object in UTF-8, with nothing but blanks around it.
#[must_use]
pub fn is_object(text: &[u8]) -> bool {
    Scanner::new(text).peek() == b'{' && is_valid(text)
}

/// The content of a JSON string, or `None` if the bytes are anything else.
#[must_use]
pub fn string_content(text: &[u8]) -> Option<String> {
    let mut scanner = Scanner::new(text);
    let content = scanner.text().ok()?;
    scanner.is_at_end().then(|| content.into_owned())
}

/// Decodes a message that fills `text`.
pub(crate) fn decode<M: Message>(text: &Bytes) -> Result<M, DecodeError> {
    let mut message = M::default();
    let mut reader = Reader::new(text, text);
    reader.message_or_null(&mut message)?;
    reader.finish()?;
    Ok(message)
}

/// Decodes the message that `text`, a part of `frame`, begins with. What follows is not looked at.
pub(crate) fn decode_first<M: Message>(frame: &Bytes, text: &[u8]) -> Result<M, DecodeError> {
    let mut message = M::default();
    Reader::new(frame, text).message_or_null(&mut message)?;
    Ok(message)
}

#[cfg(test)]
mod tests;
