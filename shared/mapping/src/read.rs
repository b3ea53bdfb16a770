//! From JSON: what a `null` is, and how objects, lists and raw payloads are read.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::key::ReadKey;
use crate::value::{Message, Value};

/// Reads the value of a member into its field.
pub(crate) fn member<'de, V: Value, A: MapAccess<'de>>(
    field: &mut V,
    object: &mut A,
    body: &'de Bytes,
) -> Result<(), A::Error> {
    object.next_value_seed(Into {
        target: field,
        body,
    })
}

/// Passes over the value of a member that nobody knows.
pub(crate) fn unknown<'de, A: MapAccess<'de>>(object: &mut A) -> Result<(), A::Error> {
    object.next_value::<IgnoredAny>().map(drop)
}

/// Reads a number or a bool.
pub(crate) fn scalar<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    target: &mut T,
    json: D,
) -> Result<(), D::Error> {
    if let Some(value) = Option::<T>::deserialize(json)? {
        *target = value;
    }
    Ok(())
}

/// Reads a string. Half a surrogate pair, which JSON can say and UTF-8 cannot, is replaced by U+FFFD.
pub(crate) fn text<'de, D: Deserializer<'de>>(
    target: &mut String,
    json: D,
) -> Result<(), D::Error> {
    let raw = <&RawValue>::deserialize(json)?.get();
    if raw == "null" {
        return Ok(());
    }
    let Some(inner) = raw
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return Err(D::Error::custom("expected a string"));
    };
    target.clear();
    if inner.contains('\\') {
        unescape(raw, target).map_err(D::Error::custom)
    } else {
        target.push_str(inner);
        Ok(())
    }
}

/// Reads a payload: any JSON, as it stands, without a copy.
pub(crate) fn raw<'de, D: Deserializer<'de>>(
    target: &mut Bytes,
    json: D,
    body: &'de Bytes,
) -> Result<(), D::Error> {
    let raw = <&RawValue>::deserialize(json)?;
    *target = body.slice_ref(raw.get().as_bytes());
    Ok(())
}

/// Reads an object into a message.
pub(crate) fn message<'de, M: Message, D: Deserializer<'de>>(
    target: &mut M,
    json: D,
    body: &'de Bytes,
) -> Result<(), D::Error> {
    json.deserialize_option(Object { target, body })
}

/// Reads a message that may be absent: `null` makes it so.
pub(crate) fn optional<'de, V: Value, D: Deserializer<'de>>(
    target: &mut Option<V>,
    json: D,
    body: &'de Bytes,
) -> Result<(), D::Error> {
    json.deserialize_option(Optional { target, body })
}

/// Reads a list in place of what was there.
pub(crate) fn list<'de, V: Value, D: Deserializer<'de>>(
    target: &mut Vec<V>,
    json: D,
    body: &'de Bytes,
) -> Result<(), D::Error> {
    json.deserialize_option(List { target, body })
}

/// Reads an object with free keys into what is there.
pub(crate) fn map<'de, V: Value, D: Deserializer<'de>>(
    target: &mut BTreeMap<String, V>,
    json: D,
    body: &'de Bytes,
) -> Result<(), D::Error> {
    json.deserialize_option(Map { target, body })
}

struct Into<'a, 'de, V> {
    target: &'a mut V,
    body: &'de Bytes,
}

impl<'de, V: Value> DeserializeSeed<'de> for Into<'_, 'de, V> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        self.target.read(json, self.body)
    }
}

/// Appends what a string with escapes says.
fn unescape(raw: &str, target: &mut String) -> Result<(), serde_json::Error> {
    // As bytes, because as a string half a surrogate pair is an error.
    serde_json::Deserializer::from_str(raw).deserialize_bytes(Unescaped(target))
}

struct Unescaped<'a>(&'a mut String);

impl Visitor<'_> for Unescaped<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, text: &[u8]) -> Result<(), E> {
        self.0.push_str(&String::from_utf8_lossy(text));
        Ok(())
    }
}

struct Object<'a, 'de, M> {
    target: &'a mut M,
    body: &'de Bytes,
}

impl<'de, M: Message> Visitor<'de> for Object<'_, 'de, M> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(key) = object.next_key_seed(ReadKey)? {
            self.target
                .read_field(key.as_str(), &mut object, self.body)?;
        }
        Ok(())
    }
}

struct Optional<'a, 'de, V> {
    target: &'a mut Option<V>,
    body: &'de Bytes,
}

impl<'de, V: Value> Visitor<'de> for Optional<'_, 'de, V> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or null")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        *self.target = None;
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        self.target.get_or_insert_default().read(json, self.body)
    }
}

struct List<'a, 'de, V> {
    target: &'a mut Vec<V>,
    body: &'de Bytes,
}

impl<'de, V: Value> Visitor<'de> for List<'_, 'de, V> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.target.clear();
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.target.clear();
        while let Some(value) = list.next_element_seed(New {
            body: self.body,
            value: PhantomData,
        })? {
            self.target.push(value);
        }
        Ok(())
    }
}

struct Map<'a, 'de, V> {
    target: &'a mut BTreeMap<String, V>,
    body: &'de Bytes,
}

impl<'de, V: Value> Visitor<'de> for Map<'_, 'de, V> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.target.clear();
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(name) = object.next_key_seed(New::<String> {
            body: self.body,
            value: PhantomData,
        })? {
            let value = object.next_value_seed(New {
                body: self.body,
                value: PhantomData,
            })?;
            self.target.insert(name, value);
        }
        Ok(())
    }
}

/// Reads a value of its own: an element of a list, a name or a value of a map.
struct New<'de, V> {
    body: &'de Bytes,
    value: PhantomData<V>,
}

impl<'de, V: Value> DeserializeSeed<'de> for New<'de, V> {
    type Value = V;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<V, D::Error> {
        let mut value = V::default();
        value.read(json, self.body)?;
        Ok(value)
    }
}
