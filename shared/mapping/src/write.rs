//! To JSON, and which form each type of field has.

use std::collections::BTreeMap;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::Deserializer;

use crate::value::{Comma, Value};
use crate::{is_json, read};

macro_rules! scalars {
    ($($type:ty: $zero:expr;)*) => {$(
        impl Value for $type {
            fn is_zero(&self) -> bool {
                *self == $zero
            }

            fn read<'de, D: Deserializer<'de>>(
                &mut self,
                json: D,
                _body: &'de Bytes,
            ) -> Result<(), D::Error> {
                read::scalar(self, json)
            }

            fn write(&self, out: &mut Vec<u8>) {
                // Writing to memory does not fail.
                let _ = write!(out, "{self}");
            }
        }
    )*};
}

scalars! {
    bool: false;
    u32: 0;
    u64: 0;
    i32: 0;
    i64: 0;
}

/// Whole numbers are written without a fraction; what JSON cannot say is 0.
impl Value for f64 {
    fn is_zero(&self) -> bool {
        *self == 0.0
    }

    fn read<'de, D: Deserializer<'de>>(
        &mut self,
        json: D,
        _body: &'de Bytes,
    ) -> Result<(), D::Error> {
        read::scalar(self, json)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let number = if self.is_finite() { *self } else { 0.0 };
        // Writing to memory does not fail.
        let _ = write!(out, "{number}");
    }
}

impl Value for String {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn read<'de, D: Deserializer<'de>>(
        &mut self,
        json: D,
        _body: &'de Bytes,
    ) -> Result<(), D::Error> {
        read::text(self, json)
    }

    fn write(&self, out: &mut Vec<u8>) {
        text(self, out);
    }
}

/// A payload.
impl Value for Bytes {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn read<'de, D: Deserializer<'de>>(
        &mut self,
        json: D,
        body: &'de Bytes,
    ) -> Result<(), D::Error> {
        read::raw(self, json, body)
    }

    fn write(&self, out: &mut Vec<u8>) {
        if is_json(self) {
            out.extend_from_slice(self);
        } else {
            base64(self, out);
        }
    }

    fn write_member(&self, name: &str, comma: &mut Comma, out: &mut Vec<u8>) {
        if is_json(self) {
            comma.write_name("", name, out);
            out.extend_from_slice(self);
        } else {
            comma.write_name("b64", name, out);
            base64(self, out);
        }
    }
}

impl<V: Value> Value for Option<V> {
    fn is_zero(&self) -> bool {
        self.is_none()
    }

    fn read<'de, D: Deserializer<'de>>(
        &mut self,
        json: D,
        body: &'de Bytes,
    ) -> Result<(), D::Error> {
        read::optional(self, json, body)
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

impl<V: Value> Value for Box<V> {
    fn is_zero(&self) -> bool {
        V::is_zero(self)
    }

    fn read<'de, D: Deserializer<'de>>(
        &mut self,
        json: D,
        body: &'de Bytes,
    ) -> Result<(), D::Error> {
        V::read(self, json, body)
    }

    fn write(&self, out: &mut Vec<u8>) {
        V::write(self, out);
    }
}

impl<V: Value> Value for Vec<V> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn read<'de, D: Deserializer<'de>>(
        &mut self,
        json: D,
        body: &'de Bytes,
    ) -> Result<(), D::Error> {
        read::list(self, json, body)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut comma = Comma::default();
        out.push(b'[');
        for value in self {
            comma.write(out);
            value.write(out);
        }
        out.push(b']');
    }
}

impl<V: Value> Value for BTreeMap<String, V> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn read<'de, D: Deserializer<'de>>(
        &mut self,
        json: D,
        body: &'de Bytes,
    ) -> Result<(), D::Error> {
        read::map(self, json, body)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut comma = Comma::default();
        out.push(b'{');
        for (name, value) in self {
            comma.write(out);
            text(name, out);
            out.push(b':');
            value.write(out);
        }
        out.push(b'}');
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    // A string into memory does not fail.
    let _ = serde_json::to_writer(out, text);
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
    out.push(b'"');
}
