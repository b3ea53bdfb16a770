//! How a message becomes bytes and comes back, in both formats.
//!
//! A message is described once, by [`message!`]; a format is a [`Sink`] that its fields are put
//! into, and a reader that hands fields back. What a newcomer would get wrong: nothing here may
//! recurse as deep as input asks for. Messages nest at most [`MESSAGE_DEPTH_MAX`] levels; unknown
//! JSON is stepped over without recursion.

mod error;
mod fields;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

pub use error::{DecodeError, NotJson};
pub(crate) use fields::Field;

use crate::format::Format;
use crate::json;

/// Messages within messages that a decoder follows. Unit: levels.
///
/// 100: only tags filters nest, policy allows fewer, and a thread's stack holds far more.
pub(crate) const MESSAGE_DEPTH_MAX: u32 = 100;

/// An integer that Protobuf writes zig-zag, so that small negative numbers are short.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ZigZag(pub i64);

/// When a field is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Presence {
    /// If it isn't zero.
    NonZero,
    /// In JSON always, because SDKs read it unconditionally.
    Always,
    /// Never, and it isn't read either: it belongs to the server.
    Internal,
}

/// A field's number in Protobuf, its name in JSON, and when it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Key {
    /// Number in Protobuf.
    pub(crate) number: u32,
    /// Name in JSON.
    pub(crate) name: &'static str,
    /// When it is written.
    pub(crate) presence: Presence,
}

impl Key {
    /// A field that is written if it isn't zero. One underscore at the end of `field` keeps it
    /// apart from Rust's keywords and isn't part of the name.
    pub(crate) const fn new(number: u32, field: &'static str) -> Self {
        let name = match field.as_bytes() {
            [.., b'_'] => field.split_at(field.len() - 1).0,
            _ => field,
        };
        Self {
            number,
            name,
            presence: Presence::NonZero,
        }
    }

    /// The same field, always written in JSON.
    pub(crate) const fn always(mut self) -> Self {
        self.presence = Presence::Always;
        self
    }

    /// The same field, never on the wire.
    pub(crate) const fn internal(mut self) -> Self {
        self.presence = Presence::Internal;
        self
    }

    /// Whether the field is never on the wire.
    pub(crate) const fn is_internal(self) -> bool {
        matches!(self.presence, Presence::Internal)
    }
}

/// Something that puts fields into a sink.
pub(crate) trait Encode {
    /// Puts all fields, in the order of the schema.
    fn put<S: Sink>(&self, sink: &mut S);
}

impl<M: Encode> Encode for Arc<M> {
    fn put<S: Sink>(&self, sink: &mut S) {
        M::put(self, sink);
    }
}

/// A message of the schema.
pub(crate) trait Message: Encode + Default {
    /// Its fields, in the order of the schema.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "tests compare the other tables with it")
    )]
    const KEYS: &'static [Key];

    /// Takes the Protobuf field that `tag` announces; steps over an unknown one.
    fn merge(&mut self, tag: wire::Tag, reader: &mut wire::Reader<'_>) -> Result<(), DecodeError>;

    /// Takes the JSON member called `name`; steps over an unknown one.
    fn read(&mut self, name: &str, reader: &mut json::Reader<'_>) -> Result<(), DecodeError>;
}

/// Where fields go: a format, or the measure of one.
///
/// A field that is to be left out is not put; see [`Sink::wants`].
pub(crate) trait Sink {
    /// Whether a field that is [`Presence::Always`] is written though it is zero.
    const WRITES_ZEROS: bool;

    /// Whether a field is to be put.
    fn wants(key: Key, is_zero: bool) -> bool {
        match key.presence {
            Presence::NonZero => !is_zero,
            Presence::Always => Self::WRITES_ZEROS || !is_zero,
            Presence::Internal => false,
        }
    }

    /// Puts text.
    fn text(&mut self, key: Key, value: &str);
    /// Puts a payload: raw JSON in JSON, opaque bytes in Protobuf.
    fn payload(&mut self, key: Key, value: &[u8]);
    /// Puts a truth value.
    fn boolean(&mut self, key: Key, value: bool);
    /// Puts an integer without sign.
    fn unsigned(&mut self, key: Key, value: u64);
    /// Puts an integer with sign.
    fn signed(&mut self, key: Key, value: i64);
    /// Puts an integer that is often negative.
    fn zig_zag(&mut self, key: Key, value: i64);
    /// Puts a message.
    fn message<M: Encode>(&mut self, key: Key, value: &M);
    /// Puts a list of texts.
    fn texts(&mut self, key: Key, values: &[String]);
    /// Puts a list of messages.
    fn messages<M: Encode>(&mut self, key: Key, values: &[M]);
    /// Puts texts by name.
    fn text_map(&mut self, key: Key, values: &BTreeMap<String, String>);
    /// Puts messages by name.
    fn message_map<N: AsRef<str>, M: Encode>(&mut self, key: Key, values: &BTreeMap<N, M>);
}

/// Encodes a message by itself: JSON text, or Protobuf without a length before it.
pub(crate) fn encode<M: Encode>(format: Format, message: &M) -> Result<Bytes, NotJson> {
    match format {
        Format::Json => json::encode(message),
        Format::Protobuf => Ok(wire::encode(message)),
    }
}

/// Decodes a message that fills `text`. In JSON, `null` is the empty message.
pub(crate) fn decode<M: Message>(format: Format, text: &Bytes) -> Result<M, DecodeError> {
    match format {
        Format::Json => json::decode(text),
        Format::Protobuf => wire::decode(text, text),
    }
}

/// Defines a message: the struct, and its codecs in both formats.
///
/// A field is `number name: Type`. `= always` writes it in JSON even if it is zero; `= internal`
/// keeps it off the wire.
macro_rules! message {
    ($(#[$meta:meta])* pub struct $name:ident { $($fields:tt)* }) => {
        $crate::codec::message_codec! { $(#[$meta])* pub struct $name { $($fields)* } }

        impl $name {
            /// Decodes a message that fills `text`. In JSON, `null` is the empty message.
            ///
            /// # Errors
            ///
            /// [`DecodeError`](crate::DecodeError) if `text` isn't one.
            pub fn decode(
                format: $crate::Format,
                text: &::bytes::Bytes,
            ) -> Result<Self, $crate::DecodeError> {
                $crate::codec::decode(format, text)
            }

            /// Encodes the message by itself: JSON text, or Protobuf without a length before it.
            ///
            /// # Errors
            ///
            /// [`NotJson`](crate::NotJson) if a payload has no place in JSON text.
            pub fn encode(
                &self,
                format: $crate::Format,
            ) -> Result<::bytes::Bytes, $crate::NotJson> {
                $crate::codec::encode(format, self)
            }
        }
    };
    ($($private:tt)*) => {
        $crate::codec::message_codec! { $($private)* }
    };
}

/// The part of [`message!`] that doesn't depend on who sees the message.
macro_rules! message_codec {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $number:literal $field:ident: $type:ty $(= $mark:ident)?,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        $vis struct $name {
            $($(#[$field_meta])* $vis $field: $type,)*
        }

        impl $crate::codec::Encode for $name {
            fn put<S: $crate::codec::Sink>(&self, _sink: &mut S) {
                $($crate::codec::Field::put(
                    &self.$field,
                    const { $crate::codec::Key::new($number, stringify!($field))$(.$mark())? },
                    _sink,
                );)*
            }
        }

        impl $crate::codec::Message for $name {
            const KEYS: &'static [$crate::codec::Key] = &[
                $($crate::codec::Key::new($number, stringify!($field))$(.$mark())?),*
            ];

            fn merge(
                &mut self,
                tag: $crate::codec::wire::Tag,
                reader: &mut $crate::codec::wire::Reader<'_>,
            ) -> Result<(), $crate::DecodeError> {
                $({
                    let key = const {
                        $crate::codec::Key::new($number, stringify!($field))$(.$mark())?
                    };
                    if tag.number == key.number && !key.is_internal() {
                        return $crate::codec::Field::merge(&mut self.$field, tag, reader);
                    }
                })*
                reader.skip(tag)
            }

            fn read(
                &mut self,
                _name: &str,
                reader: &mut $crate::json::Reader<'_>,
            ) -> Result<(), $crate::DecodeError> {
                $({
                    let key = const {
                        $crate::codec::Key::new($number, stringify!($field))$(.$mark())?
                    };
                    if _name.eq_ignore_ascii_case(key.name) && !key.is_internal() {
                        return $crate::codec::Field::read(&mut self.$field, reader);
                    }
                })*
                reader.skip()
            }
        }

        #[cfg(test)]
        impl $crate::codec::sample::Sample for $name {
            fn sample(_source: &mut $crate::codec::sample::Source<'_>) -> Self {
                Self {
                    $($field: if const {
                        $crate::codec::Key::new($number, "")$(.$mark())?.is_internal()
                    } {
                        Default::default()
                    } else {
                        $crate::codec::sample::Sample::sample(_source)
                    },)*
                }
            }
        }

        #[cfg(test)]
        #[test]
        #[expect(non_snake_case, reason = "each message has a test of its name")]
        fn $name() {
            $crate::codec::sample::check_message::<$name>();
        }
    };
}

pub(crate) use message_codec;
