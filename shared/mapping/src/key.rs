use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

/// A key of an object in small letters, held in place.
///
/// The longest name of a field has 24 bytes; a longer key is no field's and is held as empty.
pub(crate) struct Key {
    len: usize,
    text: [u8; Self::LEN_MAX],
}

impl Key {
    pub(crate) const LEN_MAX: usize = 32;

    /// The key, for a comparison with names.
    pub(crate) fn as_str(&self) -> &str {
        self.text
            .get(..self.len)
            .and_then(|text| std::str::from_utf8(text).ok())
            .unwrap_or_default()
    }

    fn new(text: &str) -> Self {
        let mut key = Self {
            len: 0,
            text: [0; Self::LEN_MAX],
        };
        if let Some(place) = key.text.get_mut(..text.len()) {
            place.copy_from_slice(text.as_bytes());
            place.make_ascii_lowercase();
            key.len = text.len();
        }
        key
    }
}

/// Reads a key.
pub(crate) struct ReadKey;

impl<'de> DeserializeSeed<'de> for ReadKey {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Key, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for ReadKey {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Key, E> {
        Ok(Key::new(text))
    }
}
