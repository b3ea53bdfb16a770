use super::plain::{bounded, whole_number};
use super::{Scalar, Shape, leaf};
use crate::tree::Rejected;
use crate::value::Value;

/// How many of something are allowed. Zero and negative numbers mean that there is no limit.
///
/// An option whose default is not zero takes its default from 0, so −1 is what switches it off.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Limit(pub i64);

impl Limit {
    /// The limit, or `None` if there is none.
    #[must_use]
    pub fn get(self) -> Option<usize> {
        usize::try_from(self.0).ok().filter(|limit| *limit > 0)
    }
}

/// A size. Unit: bytes. Zero and negative numbers mean that there is no limit, or what the option
/// says about zero.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ByteSize(pub i64);

impl ByteSize {
    /// The size, or `None` if it is zero or negative. Unit: bytes.
    #[must_use]
    pub fn get(self) -> Option<usize> {
        usize::try_from(self.0).ok().filter(|size| *size > 0)
    }
}

leaf!(Limit, ByteSize);

impl Scalar for Limit {
    fn read(given: &Value, bounds: Option<(i64, i64)>) -> Result<Option<Self>, Rejected> {
        Ok(bounded(given, bounds, (i64::MIN, i64::MAX))?.map(Self))
    }

    fn expected(bounds: Option<(i64, i64)>) -> String {
        whole_number(bounds, (i64::MIN, i64::MAX))
    }

    fn kind() -> String {
        "number".to_owned()
    }

    fn shape(bounds: Option<(i64, i64)>) -> Shape {
        let (low, high) = bounds.unwrap_or((i64::MIN, i64::MAX));
        Shape::Number { low, high }
    }

    fn shown(&self) -> String {
        self.0.to_string()
    }

    fn written(&self) -> Value {
        Value::Integer(self.0.into())
    }
}

impl Scalar for ByteSize {
    fn read(given: &Value, bounds: Option<(i64, i64)>) -> Result<Option<Self>, Rejected> {
        Ok(bounded(given, bounds, (i64::MIN, i64::MAX))?.map(Self))
    }

    fn expected(bounds: Option<(i64, i64)>) -> String {
        format!("{} (bytes)", whole_number(bounds, (i64::MIN, i64::MAX)))
    }

    fn kind() -> String {
        "bytes".to_owned()
    }

    fn shape(bounds: Option<(i64, i64)>) -> Shape {
        let (low, high) = bounds.unwrap_or((i64::MIN, i64::MAX));
        Shape::Number { low, high }
    }

    fn shown(&self) -> String {
        self.0.to_string()
    }

    fn written(&self) -> Value {
        Value::Integer(self.0.into())
    }
}
