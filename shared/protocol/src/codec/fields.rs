use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use gyre_types::ClientId;

use super::wire::{self, Tag};
use super::{DecodeError, Key, Message, Sink, ZigZag};
use crate::json;

/// A type that a field of a message may have.
///
/// In JSON a `null` leaves text, numbers and truth values as they are, empties lists, maps and
/// messages, and is kept as it stands by a payload.
pub(crate) trait Field {
    /// Puts the field into a sink, unless it is left out.
    fn put<S: Sink>(&self, key: Key, sink: &mut S);

    /// Takes the field from Protobuf. Messages merge, lists and maps grow, the rest is replaced.
    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError>;

    /// Takes the field from JSON. Messages and maps merge, the rest is replaced.
    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError>;
}

impl Field for String {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        if S::wants(key, self.is_empty()) {
            sink.text(key, self);
        }
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        *self = reader.text(tag)?.into();
        Ok(())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        if !reader.take_null()? {
            *self = reader.text()?.into_owned();
        }
        Ok(())
    }
}

impl Field for Arc<str> {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        if S::wants(key, self.is_empty()) {
            sink.text(key, self);
        }
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        *self = reader.text(tag)?.into();
        Ok(())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        if !reader.take_null()? {
            *self = reader.text()?.into();
        }
        Ok(())
    }
}

impl Field for Bytes {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        if S::wants(key, self.is_empty()) {
            sink.payload(key, self);
        }
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        *self = reader.payload(tag)?;
        Ok(())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        *self = reader.payload()?;
        Ok(())
    }
}

impl Field for bool {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        if S::wants(key, !*self) {
            sink.boolean(key, *self);
        }
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        *self = reader.integer(tag)? != 0;
        Ok(())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        if !reader.take_null()? {
            *self = reader.boolean()?;
        }
        Ok(())
    }
}

impl Field for u64 {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        if S::wants(key, *self == 0) {
            sink.unsigned(key, *self);
        }
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        *self = reader.integer(tag)?;
        Ok(())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        if !reader.take_null()? {
            *self = reader.integer()?;
        }
        Ok(())
    }
}

impl Field for u32 {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        u64::from(*self).put(key, sink);
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        *self = wire::low_half(reader.integer(tag)?);
        Ok(())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        if !reader.take_null()? {
            *self = reader.integer()?;
        }
        Ok(())
    }
}

impl Field for i64 {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        if S::wants(key, *self == 0) {
            sink.signed(key, *self);
        }
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        *self = reader.integer(tag)?.cast_signed();
        Ok(())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        if !reader.take_null()? {
            *self = reader.integer()?;
        }
        Ok(())
    }
}

impl Field for i32 {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        i64::from(*self).put(key, sink);
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        *self = wire::low_half(reader.integer(tag)?).cast_signed();
        Ok(())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        if !reader.take_null()? {
            *self = reader.integer()?;
        }
        Ok(())
    }
}

impl Field for ZigZag {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        if S::wants(key, self.0 == 0) {
            sink.zig_zag(key, self.0);
        }
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        let value = reader.integer(tag)?;
        self.0 = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
        Ok(())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        self.0.read(reader)
    }
}

impl<M: Message> Field for Option<Box<M>> {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        if let Some(message) = self {
            sink.message(key, message.as_ref());
        }
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        reader.message(tag, self.get_or_insert_default().as_mut())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        if reader.take_null()? {
            *self = None;
            return Ok(());
        }
        reader.message(self.get_or_insert_default().as_mut())
    }
}

/// A message that others hold too.
impl<M: Message + Clone> Field for Option<Arc<M>> {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        if let Some(message) = self {
            sink.message(key, message.as_ref());
        }
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        reader.message(tag, Arc::make_mut(self.get_or_insert_default()))
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        if reader.take_null()? {
            *self = None;
            return Ok(());
        }
        reader.message(Arc::make_mut(self.get_or_insert_default()))
    }
}

impl Field for Vec<String> {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        if S::wants(key, self.is_empty()) {
            sink.texts(key, self);
        }
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        self.push(reader.text(tag)?.into());
        Ok(())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        self.clear();
        reader.elements(|reader| {
            let mut element = String::new();
            element.read(reader)?;
            self.push(element);
            Ok(())
        })
    }
}

impl<M: Message> Field for Vec<M> {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        if S::wants(key, self.is_empty()) {
            sink.messages(key, self);
        }
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        let mut element = M::default();
        reader.message(tag, &mut element)?;
        self.push(element);
        Ok(())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        self.clear();
        reader.elements(|reader| {
            let mut element = M::default();
            reader.message_or_null(&mut element)?;
            self.push(element);
            Ok(())
        })
    }
}

impl Field for BTreeMap<String, String> {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        if S::wants(key, self.is_empty()) {
            sink.text_map(key, self);
        }
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        let (name, value) = reader.entry(tag, |value: &mut String, tag, reader| {
            value.merge(tag, reader)
        })?;
        self.insert(name, value);
        Ok(())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        if reader.take_null()? {
            self.clear();
            return Ok(());
        }
        reader.members(|reader, name| {
            let mut value = String::new();
            value.read(reader)?;
            self.insert(name.into_owned(), value);
            Ok(())
        })
    }
}

/// Messages by the name of a channel or a client, neither of which is empty: an entry without a
/// name is dropped, as the reference does.
impl<M: Message> Field for BTreeMap<String, M> {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        if S::wants(key, self.is_empty()) {
            sink.message_map(key, self);
        }
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        let (name, value) =
            reader.entry(tag, |value: &mut M, tag, reader| reader.message(tag, value))?;
        if !name.is_empty() {
            self.insert(name, value);
        }
        Ok(())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        if reader.take_null()? {
            self.clear();
            return Ok(());
        }
        reader.members(|reader, name| {
            let mut value = M::default();
            reader.message_or_null(&mut value)?;
            if !name.is_empty() {
                self.insert(name.into_owned(), value);
            }
            Ok(())
        })
    }
}

/// The same where messages are shared with others.
impl<M: Message> Field for BTreeMap<ClientId, Arc<M>> {
    fn put<S: Sink>(&self, key: Key, sink: &mut S) {
        if S::wants(key, self.is_empty()) {
            sink.message_map(key, self);
        }
    }

    fn merge(&mut self, tag: Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError> {
        let mut entry = BTreeMap::<String, M>::new();
        Field::merge(&mut entry, tag, reader)?;
        self.extend(entry.into_iter().map(shared));
        Ok(())
    }

    fn read(&mut self, reader: &mut json::Reader<'_>) -> Result<(), DecodeError> {
        let mut entries = BTreeMap::<String, M>::new();
        entries.read(reader)?;
        *self = entries.into_iter().map(shared).collect();
        Ok(())
    }
}

fn shared<M>((name, message): (String, M)) -> (ClientId, Arc<M>) {
    (ClientId::new(&name), Arc::new(message))
}
