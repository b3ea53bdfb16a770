use std::collections::BTreeMap;

use bytes::Bytes;

use crate::codec::{Encode, Key, NotJson, Sink};

/// Digits of the longest integer, with its sign.
const INTEGER_LEN_MAX: usize = 20;

/// Encodes a message as JSON text without newlines.
pub(crate) fn encode<M: Encode>(message: &M) -> Result<Bytes, NotJson> {
    let mut writer = Writer {
        out: Vec::with_capacity(estimate(message)),
        is_json: true,
    };
    writer.object(message);
    if writer.is_json {
        Ok(writer.out.into())
    } else {
        Err(NotJson)
    }
}

/// Writes text as a JSON string that is also safe in HTML.
pub(crate) fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(len) = first_special(rest) {
        let (plain, special) = rest.split_at_checked(len).unwrap_or_default();
        out.extend_from_slice(plain);
        let taken = put_special(special, out);
        rest = special.get(taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Where the first byte stands that may have to be escaped. Hardly any text has one, so whole blocks
/// are looked through without a branch.
fn first_special(text: &[u8]) -> Option<usize> {
    const BLOCK: usize = 16;
    let (blocks, _) = text.as_chunks::<BLOCK>();
    let is_plain = |block: &&[u8; BLOCK]| {
        !block
            .iter()
            .fold(false, |any, byte| any | is_special(*byte))
    };
    let plain = blocks.iter().take_while(is_plain).count() * BLOCK;
    let rest = text.get(plain..).unwrap_or_default();
    let first = rest.iter().position(|byte| is_special(*byte))?;
    Some(plain + first)
}

/// Whether a byte may have to be escaped. 0xe2 begins the two line separators of Unicode.
const fn is_special(byte: u8) -> bool {
    (byte < 0x20)
        | (byte == b'"')
        | (byte == b'\\')
        | (byte == b'<')
        | (byte == b'>')
        | (byte == b'&')
        | (byte == 0xe2)
}

/// Writes the character that `text` begins with and returns its length.
fn put_special(text: &[u8], out: &mut Vec<u8>) -> usize {
    match text {
        [b'"', ..] => out.extend_from_slice(b"\\\""),
        [b'\\', ..] => out.extend_from_slice(b"\\\\"),
        [b'\n', ..] => out.extend_from_slice(b"\\n"),
        [b'\r', ..] => out.extend_from_slice(b"\\r"),
        [b'\t', ..] => out.extend_from_slice(b"\\t"),
        [0xe2, 0x80, last @ (0xa8 | 0xa9), ..] => {
            out.extend_from_slice(if *last == 0xa8 {
                b"\\u2028"
            } else {
                b"\\u2029"
            });
            return 3;
        }
        [0xe2, ..] => out.push(0xe2),
        [byte, ..] => {
            out.extend_from_slice(b"\\u00");
            out.extend([byte >> 4, byte & 0xf].map(hex_digit));
        }
        [] => return 0,
    }
    1
}

const fn hex_digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + value - 10,
    }
}

/// Writes JSON behind what is in `out`.
struct Writer {
    out: Vec<u8>,
    /// Whether all payloads are JSON so far.
    is_json: bool,
}

impl Writer {
    fn object<M: Encode>(&mut self, message: &M) {
        self.out.push(b'{');
        message.put(self);
        self.out.push(b'}');
    }

    fn key(&mut self, key: Key) {
        self.comma(b'{');
        self.out.push(b'"');
        self.out.extend_from_slice(key.name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// Writes a comma unless a container has just begun. No value ends with `begin`.
    fn comma(&mut self, begin: u8) {
        if self.out.last() != Some(&begin) {
            self.out.push(b',');
        }
    }

    fn digits(&mut self, mut value: u64) {
        let mut digits = [0; INTEGER_LEN_MAX];
        let mut first = INTEGER_LEN_MAX;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(value % 10).unwrap_or_default();
            value /= 10;
            first -= 1;
            if value == 0 {
                break;
            }
        }
        self.out
            .extend_from_slice(digits.get(first..).unwrap_or_default());
    }

    fn name(&mut self, name: &str) {
        self.comma(b'{');
        quote(name, &mut self.out);
        self.out.push(b':');
    }
}

impl Sink for Writer {
    const WRITES_ZEROS: bool = true;

    fn text(&mut self, key: Key, value: &str) {
        self.key(key);
        quote(value, &mut self.out);
    }

    /// Newlines are left out: they end a message. In JSON they stand only between tokens.
    fn payload(&mut self, key: Key, value: &[u8]) {
        self.key(key);
        self.is_json = self.is_json && super::is_valid(value);
        let mut rest = value;
        while let Some(len) = memchr::memchr(b'\n', rest) {
            let (line, newline) = rest.split_at_checked(len).unwrap_or_default();
            self.out.extend_from_slice(line);
            rest = newline.get(1..).unwrap_or_default();
        }
        self.out.extend_from_slice(rest);
    }

    fn boolean(&mut self, key: Key, value: bool) {
        self.key(key);
        self.out
            .extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn unsigned(&mut self, key: Key, value: u64) {
        self.key(key);
        self.digits(value);
    }

    fn signed(&mut self, key: Key, value: i64) {
        self.key(key);
        if value < 0 {
            self.out.push(b'-');
        }
        self.digits(value.unsigned_abs());
    }

    fn zig_zag(&mut self, key: Key, value: i64) {
        self.signed(key, value);
    }

    fn message<M: Encode>(&mut self, key: Key, value: &M) {
        self.key(key);
        self.object(value);
    }

    fn texts(&mut self, key: Key, values: &[String]) {
        self.key(key);
        self.out.push(b'[');
        for value in values {
            self.comma(b'[');
            quote(value, &mut self.out);
        }
        self.out.push(b']');
    }

    fn messages<M: Encode>(&mut self, key: Key, values: &[M]) {
        self.key(key);
        self.out.push(b'[');
        for value in values {
            self.comma(b'[');
            self.object(value);
        }
        self.out.push(b']');
    }

    fn text_map(&mut self, key: Key, values: &BTreeMap<String, String>) {
        self.key(key);
        self.out.push(b'{');
        for (name, value) in values {
            self.name(name);
            quote(value, &mut self.out);
        }
        self.out.push(b'}');
    }

    fn message_map<N: AsRef<str>, M: Encode>(&mut self, key: Key, values: &BTreeMap<N, M>) {
        self.key(key);
        self.out.push(b'{');
        for (name, value) in values {
            self.name(name.as_ref());
            self.object(value);
        }
        self.out.push(b'}');
    }
}

/// How long the JSON text of a message is if nothing in it has to be escaped. Unit: bytes.
pub(super) fn estimate<M: Encode>(message: &M) -> usize {
    let mut estimate = Estimate(0);
    message.put(&mut estimate);
    enclosed_len(estimate.0)
}

/// Length of a container whose elements, each with a comma before it, have this length: the first
/// has no comma.
fn enclosed_len(elements: usize) -> usize {
    elements.max(1) + 1
}

const fn quoted_len(text: &str) -> usize {
    text.len() + 2
}

/// Measures what [`Writer`] would write, with a comma before each member. Unit: bytes.
struct Estimate(usize);

impl Estimate {
    /// A member with a value of this length.
    const fn add(&mut self, name: &str, len: usize) {
        const PUNCTUATION: usize = r#","":"#.len();
        self.0 += name.len() + PUNCTUATION + len;
    }
}

impl Sink for Estimate {
    const WRITES_ZEROS: bool = true;

    fn text(&mut self, key: Key, value: &str) {
        self.add(key.name, quoted_len(value));
    }

    fn payload(&mut self, key: Key, value: &[u8]) {
        self.add(key.name, value.len());
    }

    fn boolean(&mut self, key: Key, value: bool) {
        self.add(key.name, if value { "true".len() } else { "false".len() });
    }

    fn unsigned(&mut self, key: Key, value: u64) {
        let digits = value.checked_ilog10().unwrap_or_default() as usize + 1;
        self.add(key.name, digits);
    }

    fn signed(&mut self, key: Key, value: i64) {
        self.unsigned(key, value.unsigned_abs());
        self.0 += usize::from(value < 0);
    }

    fn zig_zag(&mut self, key: Key, value: i64) {
        self.signed(key, value);
    }

    fn message<M: Encode>(&mut self, key: Key, value: &M) {
        self.add(key.name, estimate(value));
    }

    fn texts(&mut self, key: Key, values: &[String]) {
        let elements = values.iter().map(|value| quoted_len(value) + 1).sum();
        self.add(key.name, enclosed_len(elements));
    }

    fn messages<M: Encode>(&mut self, key: Key, values: &[M]) {
        let elements = values.iter().map(|value| estimate(value) + 1).sum();
        self.add(key.name, enclosed_len(elements));
    }

    fn text_map(&mut self, key: Key, values: &BTreeMap<String, String>) {
        let mut members = Self(0);
        for (name, value) in values {
            members.add(name, quoted_len(value));
        }
        self.add(key.name, enclosed_len(members.0));
    }

    fn message_map<N: AsRef<str>, M: Encode>(&mut self, key: Key, values: &BTreeMap<N, M>) {
        let mut members = Self(0);
        for (name, value) in values {
            members.add(name.as_ref(), estimate(value));
        }
        self.add(key.name, enclosed_len(members.0));
    }
}
