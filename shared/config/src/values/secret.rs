use std::fmt;

use super::plain::text;
use super::{Scalar, Shape, leaf};
use crate::tree::Rejected;
use crate::value::Value;

/// A text that must not be printed: keys and passwords. `Debug` and `Display` write `***`.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself; not to be logged.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether none is configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

leaf!(Secret);

impl Scalar for Secret {
    const SECRET: bool = true;

    fn read(given: &Value, _: Option<(i64, i64)>) -> Result<Option<Self>, Rejected> {
        Ok(text(given)?.map(Self))
    }

    fn expected(_: Option<(i64, i64)>) -> String {
        "a text (secret)".to_owned()
    }

    fn kind() -> String {
        "secret text".to_owned()
    }

    fn shape(_: Option<(i64, i64)>) -> Shape {
        Shape::Text
    }

    fn written(&self) -> Value {
        Value::Text(self.0.clone())
    }

    fn shown(&self) -> String {
        if self.is_empty() { "\"\"" } else { "***" }.to_owned()
    }
}
