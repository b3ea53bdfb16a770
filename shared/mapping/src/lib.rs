//! The JSON form of API and backend messages.
//!
//! It is not the proto3 JSON mapping. What callers of the API rely on:
//!
//! - keys are the names of the `.proto`; in input, case does not count, unknown ones are ignored,
//!   and of several the last wins;
//! - 64-bit numbers are numbers;
//! - a `bytes` field holds JSON and stands there as JSON; in output, bytes that are not JSON stand
//!   as base64 beside, under `b64` and the field's name;
//! - in output, zero values are left out, but for those that the message tables mark `always`;
//! - in input, `null` is an absent value, except for a `bytes` field, where it is JSON like any other.
//!
//! The tables in `messages` say which fields a message has; reading and writing are derived
//! from them. What a newcomer would get wrong: [`read`] does not copy payloads, they are slices of
//! the body.

#![forbid(unsafe_code)]

mod key;
mod messages;
mod read;
mod value;
mod write;

use bytes::Bytes;
use serde_json::value::RawValue;

pub use messages::BatchRequest;
pub use value::{Comma, Message, Value};

/// A text that is not the JSON form of the message.
#[derive(Debug, thiserror::Error)]
#[error("not the JSON form of the message: {0}")]
pub struct Malformed(#[from] serde_json::Error);

/// Reads a message. `null` is the empty message.
///
/// # Errors
///
/// [`Malformed`]: not JSON, not an object, a value of the wrong type, a number out of range, or
/// anything but white space after the object.
pub fn read<M: Message>(json: &Bytes) -> Result<M, Malformed> {
    let mut text = serde_json::Deserializer::from_slice(json);
    let mut message = M::default();
    message.read(&mut text, json)?;
    text.end()?;
    Ok(message)
}

/// Appends the JSON form of a message, or of any value that a message may have.
pub fn write<V: Value>(value: &V, out: &mut Vec<u8>) {
    value.write(out);
}

/// Whether these bytes are one JSON text in UTF-8.
#[must_use]
pub fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}
