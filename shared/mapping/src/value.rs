use bytes::Bytes;
use serde::de::{Deserializer, MapAccess};

/// A value that has a JSON form.
pub trait Value: Default {
    /// Whether it is left out of an object.
    fn is_zero(&self) -> bool;

    /// Reads over what is there; `null` leaves it as it is. `body` is what `json` reads from.
    ///
    /// # Errors
    ///
    /// Those of the deserializer.
    fn read<'de, D: Deserializer<'de>>(
        &mut self,
        json: D,
        body: &'de Bytes,
    ) -> Result<(), D::Error>;

    /// Appends its JSON form.
    fn write(&self, out: &mut Vec<u8>);

    /// Appends a member of an object; `comma` is what separates it from the one before.
    fn write_member(&self, name: &str, comma: &mut Comma, out: &mut Vec<u8>) {
        comma.write_name("", name, out);
        self.write(out);
    }
}

/// A message with a table of fields.
pub trait Message: Value {
    /// Reads the value of a key, in small letters, into its field.
    ///
    /// # Errors
    ///
    /// Those of the deserializer.
    fn read_field<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        object: &mut A,
        body: &'de Bytes,
    ) -> Result<(), A::Error>;

    /// Appends the members.
    fn write_fields(&self, out: &mut Vec<u8>);
}

/// What stands between the members of an object: nothing before the first.
#[derive(Debug, Default)]
pub struct Comma {
    needed: bool,
}

impl Comma {
    /// Appends the separator alone.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>) {
        if self.needed {
            out.push(b',');
        }
        self.needed = true;
    }

    /// Appends the separator and `"<prefix><name>":`, which needs no escapes.
    pub(crate) fn write_name(&mut self, prefix: &str, name: &str, out: &mut Vec<u8>) {
        self.write(out);
        out.push(b'"');
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
    }
}
