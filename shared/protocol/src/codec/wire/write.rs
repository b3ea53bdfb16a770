use std::collections::BTreeMap;

use bytes::Bytes;

use crate::codec::{Encode, Key, Sink};

/// Encodes a message by itself.
pub(crate) fn encode<M: Encode>(message: &M) -> Bytes {
    let mut out = Vec::with_capacity(len(message));
    message.put(&mut Writer { out: &mut out });
    out.into()
}

/// Encodes a message behind its length.
pub(crate) fn encode_delimited<M: Encode>(message: &M) -> Bytes {
    let len = len(message) as u64;
    let capacity = usize::try_from(len).unwrap_or_default() + varint_len(len);
    let mut out = Vec::with_capacity(capacity);
    put_varint(len, &mut out);
    message.put(&mut Writer { out: &mut out });
    out.into()
}

fn len<M: Encode>(message: &M) -> usize {
    let mut length = Length(0);
    message.put(&mut length);
    length.0
}

const fn varint_len(value: u64) -> usize {
    // Seven bits a byte, and one byte for zero: ceil(bits / 7) without a division.
    ((u64::BITS - (value | 1).leading_zeros()) * 9 + 64) as usize / 64
}

const fn key_len(key: Key) -> usize {
    varint_len((key.number as u64) << 3)
}

const fn delimited_len(len: usize) -> usize {
    varint_len(len as u64) + len
}

const fn zig_zag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// Parts of a map's entry.
const ENTRY_NAME: Key = Key::new(1, "key");
const ENTRY_VALUE: Key = Key::new(2, "value");

fn text_entry_len(name: &str, value: &str) -> usize {
    2 + delimited_len(name.len()) + delimited_len(value.len())
}

fn message_entry_len<M: Encode>(name: &str, value: &M) -> usize {
    2 + delimited_len(name.len()) + delimited_len(len(value))
}

/// Measures what [`Writer`] would write. Unit: bytes.
struct Length(usize);

impl Sink for Length {
    const WRITES_ZEROS: bool = false;

    fn text(&mut self, key: Key, value: &str) {
        self.payload(key, value.as_bytes());
    }

    fn payload(&mut self, key: Key, value: &[u8]) {
        self.0 += key_len(key) + delimited_len(value.len());
    }

    fn boolean(&mut self, key: Key, _value: bool) {
        self.0 += key_len(key) + 1;
    }

    fn unsigned(&mut self, key: Key, value: u64) {
        self.0 += key_len(key) + varint_len(value);
    }

    fn signed(&mut self, key: Key, value: i64) {
        self.unsigned(key, value.cast_unsigned());
    }

    fn zig_zag(&mut self, key: Key, value: i64) {
        self.unsigned(key, zig_zag(value));
    }

    fn message<M: Encode>(&mut self, key: Key, value: &M) {
        self.0 += key_len(key) + delimited_len(len(value));
    }

    fn texts(&mut self, key: Key, values: &[String]) {
        for value in values {
            self.text(key, value);
        }
    }

    fn messages<M: Encode>(&mut self, key: Key, values: &[M]) {
        for value in values {
            self.message(key, value);
        }
    }

    fn text_map(&mut self, key: Key, values: &BTreeMap<String, String>) {
        for (name, value) in values {
            self.0 += key_len(key) + delimited_len(text_entry_len(name, value));
        }
    }

    fn message_map<N: AsRef<str>, M: Encode>(&mut self, key: Key, values: &BTreeMap<N, M>) {
        for (name, value) in values {
            self.0 += key_len(key) + delimited_len(message_entry_len(name.as_ref(), value));
        }
    }
}

/// Writes fields behind what is in `out`.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn key(&mut self, key: Key, wire_type: u64) {
        put_varint(u64::from(key.number) << 3 | wire_type, self.out);
    }

    fn delimited(&mut self, key: Key, len: usize) {
        self.key(key, 2);
        put_varint(len as u64, self.out);
    }
}

impl Sink for Writer<'_> {
    const WRITES_ZEROS: bool = false;

    fn text(&mut self, key: Key, value: &str) {
        self.payload(key, value.as_bytes());
    }

    fn payload(&mut self, key: Key, value: &[u8]) {
        self.delimited(key, value.len());
        self.out.extend_from_slice(value);
    }

    fn boolean(&mut self, key: Key, value: bool) {
        self.unsigned(key, u64::from(value));
    }

    fn unsigned(&mut self, key: Key, value: u64) {
        self.key(key, 0);
        put_varint(value, self.out);
    }

    fn signed(&mut self, key: Key, value: i64) {
        self.unsigned(key, value.cast_unsigned());
    }

    fn zig_zag(&mut self, key: Key, value: i64) {
        self.unsigned(key, zig_zag(value));
    }

    fn message<M: Encode>(&mut self, key: Key, value: &M) {
        self.delimited(key, len(value));
        value.put(self);
    }

    fn texts(&mut self, key: Key, values: &[String]) {
        for value in values {
            self.text(key, value);
        }
    }

    fn messages<M: Encode>(&mut self, key: Key, values: &[M]) {
        for value in values {
            self.message(key, value);
        }
    }

    fn text_map(&mut self, key: Key, values: &BTreeMap<String, String>) {
        for (name, value) in values {
            self.delimited(key, text_entry_len(name, value));
            self.text(ENTRY_NAME, name);
            self.text(ENTRY_VALUE, value);
        }
    }

    fn message_map<N: AsRef<str>, M: Encode>(&mut self, key: Key, values: &BTreeMap<N, M>) {
        for (name, value) in values {
            self.delimited(key, message_entry_len(name.as_ref(), value));
            self.text(ENTRY_NAME, name.as_ref());
            self.message(ENTRY_VALUE, value);
        }
    }
}

/// Writes a varint.
#[expect(
    clippy::cast_possible_truncation,
    reason = "only the lower seven bits are meant"
)]
fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
