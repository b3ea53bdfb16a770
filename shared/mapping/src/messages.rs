//! Which fields a message has. A row per message; `always` marks what is printed even if it is zero.

/// Derives both directions of the JSON form from a table of messages and their fields.
macro_rules! messages {
    ($($message:ident { $($field:ident $($always:ident)?),* $(,)? })*) => {
        $(
            impl crate::value::Value for $message {
                fn is_zero(&self) -> bool {
                    false
                }

                fn read<'de, D: serde::de::Deserializer<'de>>(
                    &mut self,
                    json: D,
                    body: &'de bytes::Bytes,
                ) -> Result<(), D::Error> {
                    crate::read::message(self, json, body)
                }

                fn write(&self, out: &mut Vec<u8>) {
                    out.push(b'{');
                    crate::value::Message::write_fields(self, out);
                    out.push(b'}');
                }
            }

            impl crate::value::Message for $message {
                fn read_field<'de, A: serde::de::MapAccess<'de>>(
                    &mut self,
                    key: &str,
                    object: &mut A,
                    _body: &'de bytes::Bytes,
                ) -> Result<(), A::Error> {
                    match key {
                        $(crate::messages::name!($field) => {
                            crate::read::member(&mut self.$field, object, _body)
                        })*
                        _ => crate::read::unknown(object),
                    }
                }

                fn write_fields(&self, _out: &mut Vec<u8>) {
                    let mut _comma = crate::value::Comma::default();
                    $(if crate::messages::printed!($($always)?)
                        || !crate::value::Value::is_zero(&self.$field)
                    {
                        crate::value::Value::write_member(
                            &self.$field,
                            crate::messages::name!($field),
                            &mut _comma,
                            _out,
                        );
                    })*
                }
            }
        )*

        /// The rows, for the comparison with the `.proto`.
        #[cfg(test)]
        pub(super) const ROWS: &[(&str, &[&str])] = &[
            $((stringify!($message), &[$(crate::messages::name!($field)),*])),*
        ];
    };
}

/// The JSON name of a field.
macro_rules! name {
    (r#override) => {
        "override"
    };
    (r#match) => {
        "match"
    };
    (r#type) => {
        "type"
    };
    ($field:ident) => {
        stringify!($field)
    };
}

/// Whether a field is printed even if it is zero.
macro_rules! printed {
    () => {
        false
    };
    (always) => {
        true
    };
}

use {name, printed};

mod batch;
mod channels;
mod common;
mod connections;
mod devices;
mod events;
mod maps;
mod publications;
mod push;
mod users;

pub use batch::BatchRequest;

#[cfg(test)]
mod tests;
