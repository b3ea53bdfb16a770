//! Protobuf's wire format: varints, keys, lengths, and the skipping of what is not known.

mod write;

use bytes::Bytes;

pub(crate) use write::{encode, encode_delimited};

use super::{DecodeError, MESSAGE_DEPTH_MAX, Message};

/// Longest varint. Unit: bytes.
const VARINT_LEN_MAX: usize = 10;

/// Groups within groups that are stepped over. Unit: levels. Nobody sends any.
const GROUP_DEPTH_MAX: u32 = 100;

/// How the bytes behind a key are to be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WireType {
    /// A varint.
    Varint,
    /// Eight bytes.
    Fixed64,
    /// A length and as many bytes.
    Delimited,
    /// Fields up to the matching end.
    GroupStart,
    /// The end of a group.
    GroupEnd,
    /// Four bytes.
    Fixed32,
}

/// What stands before a field's value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tag {
    /// Number of the field.
    pub(crate) number: u32,
    /// How its value is written.
    pub(crate) wire_type: WireType,
}

/// Takes values from bytes, front to back.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    /// What payloads are slices of.
    frame: &'a Bytes,
    /// What is left, a part of `frame`.
    rest: &'a [u8],
    /// Messages that the reader is in.
    depth: u32,
}

/// Decodes a message that fills `text`, a part of `frame`.
pub(crate) fn decode<M: Message>(frame: &Bytes, text: &[u8]) -> Result<M, DecodeError> {
    let mut message = M::default();
    Reader::new(frame, text).fields(&mut message)?;
    Ok(message)
}

impl<'a> Reader<'a> {
    /// A reader of `text`, a part of `frame`.
    pub(crate) const fn new(frame: &'a Bytes, text: &'a [u8]) -> Self {
        Self {
            frame,
            rest: text,
            depth: 0,
        }
    }

    /// What has not been read.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes fields until nothing is left.
    fn fields<M: Message>(&mut self, message: &mut M) -> Result<(), DecodeError> {
        while !self.rest.is_empty() {
            let tag = self.tag()?;
            message.merge(tag, self)?;
        }
        Ok(())
    }

    /// Takes a message into `message`, over what is there.
    pub(crate) fn message<M: Message>(
        &mut self,
        tag: Tag,
        message: &mut M,
    ) -> Result<(), DecodeError> {
        self.nested(tag)?.fields(message)
    }

    /// Takes an entry of a map. `merge` takes its value.
    pub(crate) fn entry<T: Default>(
        &mut self,
        tag: Tag,
        merge: impl Fn(&mut T, Tag, &mut Self) -> Result<(), DecodeError>,
    ) -> Result<(String, T), DecodeError> {
        let mut entry = self.nested(tag)?;
        let (mut name, mut value) = (String::new(), T::default());
        while !entry.rest.is_empty() {
            let tag = entry.tag()?;
            match tag.number {
                1 => name = entry.text(tag)?.into(),
                2 => merge(&mut value, tag, &mut entry)?,
                _ => entry.skip(tag)?,
            }
        }
        Ok((name, value))
    }

    /// Takes text.
    pub(crate) fn text(&mut self, tag: Tag) -> Result<&'a str, DecodeError> {
        let bytes = self.delimited(tag)?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed("text in UTF-8"))
    }

    /// Takes a payload, without copying it.
    pub(crate) fn payload(&mut self, tag: Tag) -> Result<Bytes, DecodeError> {
        Ok(self.frame.slice_ref(self.delimited(tag)?))
    }

    /// Takes an integer; what it means is the field's to say.
    pub(crate) fn integer(&mut self, tag: Tag) -> Result<u64, DecodeError> {
        self.check(tag, WireType::Varint)?;
        self.varint()
    }

    /// Steps over the value of a field that is not known.
    pub(crate) fn skip(&mut self, tag: Tag) -> Result<(), DecodeError> {
        self.skip_at(tag, 0)
    }

    /// Takes a varint.
    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for (index, byte) in self.rest.iter().take(VARINT_LEN_MAX).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                if index + 1 == VARINT_LEN_MAX && *byte > 1 {
                    break;
                }
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(self.malformed("a varint of 64 bits"))
    }

    /// Takes as many bytes.
    pub(crate) fn bytes(&mut self, len: u64) -> Result<&'a [u8], DecodeError> {
        let taken = usize::try_from(len)
            .ok()
            .and_then(|len| self.rest.split_at_checked(len));
        let Some((bytes, rest)) = taken else {
            return Err(self.malformed("as many bytes as the length before them says"));
        };
        self.rest = rest;
        Ok(bytes)
    }

    fn tag(&mut self) -> Result<Tag, DecodeError> {
        let key = self.varint()?;
        let wire_type = match key & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Delimited,
            3 => WireType::GroupStart,
            4 => WireType::GroupEnd,
            5 => WireType::Fixed32,
            _ => return Err(self.malformed("a known wire type")),
        };
        match u32::try_from(key >> 3) {
            Ok(number @ 1..=0x1fff_ffff) => Ok(Tag { number, wire_type }),
            Ok(_) | Err(_) => Err(self.malformed("a field number")),
        }
    }

    fn delimited(&mut self, tag: Tag) -> Result<&'a [u8], DecodeError> {
        self.check(tag, WireType::Delimited)?;
        let len = self.varint()?;
        self.bytes(len)
    }

    fn nested(&mut self, tag: Tag) -> Result<Self, DecodeError> {
        if self.depth == MESSAGE_DEPTH_MAX {
            return Err(DecodeError::TooDeep {
                limit: MESSAGE_DEPTH_MAX,
            });
        }
        Ok(Self {
            frame: self.frame,
            rest: self.delimited(tag)?,
            depth: self.depth + 1,
        })
    }

    fn check(&self, tag: Tag, wire_type: WireType) -> Result<(), DecodeError> {
        if tag.wire_type == wire_type {
            return Ok(());
        }
        Err(self.malformed("the wire type of the field"))
    }

    fn skip_at(&mut self, tag: Tag, depth: u32) -> Result<(), DecodeError> {
        match tag.wire_type {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed64 => self.bytes(8).map(drop),
            WireType::Delimited => self.delimited(tag).map(drop),
            WireType::Fixed32 => self.bytes(4).map(drop),
            WireType::GroupStart => self.skip_group(tag.number, depth + 1),
            WireType::GroupEnd => Err(self.malformed("a field, not the end of a group")),
        }
    }

    fn skip_group(&mut self, number: u32, depth: u32) -> Result<(), DecodeError> {
        if depth > GROUP_DEPTH_MAX {
            return Err(DecodeError::TooDeep {
                limit: GROUP_DEPTH_MAX,
            });
        }
        loop {
            let tag = self.tag()?;
            if tag.wire_type != WireType::GroupEnd {
                self.skip_at(tag, depth)?;
            } else if tag.number == number {
                return Ok(());
            } else {
                return Err(self.malformed("the end of the group"));
            }
        }
    }

    fn malformed(&self, expected: &'static str) -> DecodeError {
        let at = self.rest.as_ptr().addr() - self.frame.as_ptr().addr();
        DecodeError::Malformed { at, expected }
    }
}

/// The lower 32 bits: what a field of 32 bits keeps of a varint.
#[expect(
    clippy::cast_possible_truncation,
    reason = "truncation is the rule of the format"
)]
pub(crate) const fn low_half(value: u64) -> u32 {
    value as u32
}
