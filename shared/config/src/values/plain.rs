use super::shape::Shape;
use crate::tree::{Leaf, Rejected};
use crate::value::Value;

/// A type that an option's value can have.
pub(crate) trait Scalar: Sized {
    /// Reads the value; `None` stands for a zero value.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if the value is not of this type or outside of `bounds`.
    fn read(given: &Value, bounds: Option<(i64, i64)>) -> Result<Option<Self>, Rejected>;
    /// Replaces what the value takes from the environment.
    ///
    /// # Errors
    ///
    /// The variable that is not there.
    fn expand(&mut self, _variable: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
        Ok(())
    }
    /// What may be written, as it follows «expected».
    fn expected(bounds: Option<(i64, i64)>) -> String;
    /// The name of the type, for tables.
    fn kind() -> String;
    /// What may be written, for programs.
    fn shape(bounds: Option<(i64, i64)>) -> Shape;
    /// The value, as one writes it.
    fn shown(&self) -> String;
    /// The value as it stands in a file; a secret too.
    fn written(&self) -> Value;
    /// Whether the value must not be printed.
    const SECRET: bool = false;
}

impl<T: Scalar> Leaf for T {
    fn set(&mut self, given: &Value, bounds: Option<(i64, i64)>) -> Result<(), Rejected> {
        if let Some(value) = T::read(given, bounds)? {
            *self = value;
        }
        Ok(())
    }

    fn expand(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
        Scalar::expand(self, variable)
    }

    fn expected(&self, bounds: Option<(i64, i64)>) -> String {
        T::expected(bounds)
    }

    fn kind(&self) -> String {
        T::kind()
    }

    fn shape(&self, bounds: Option<(i64, i64)>) -> Shape {
        T::shape(bounds)
    }

    fn shown(&self) -> String {
        Scalar::shown(self)
    }

    fn written(&self) -> Value {
        Scalar::written(self)
    }

    fn is_secret(&self) -> bool {
        T::SECRET
    }
}

/// Lets types stand in the tree as options.
///
/// Not a blanket implementation: lists of texts are options, lists of objects are not.
macro_rules! leaf {
    ($($kind:ty),+ $(,)?) => {
        $(
            impl $crate::tree::Node for $kind {
                fn accept(
                    &mut self,
                    about: &$crate::tree::About,
                    visitor: &mut dyn $crate::tree::Visitor,
                ) {
                    visitor.leaf(about, self);
                }
            }
        )+
    };
}

pub(crate) use leaf;

leaf!(bool, i64, usize, u16, u32, Option<u16>, String, Vec<String>);

impl Scalar for bool {
    fn read(given: &Value, _: Option<(i64, i64)>) -> Result<Option<Self>, Rejected> {
        let yes = match given {
            Value::Bool(yes) => *yes,
            Value::Integer(0) => false,
            Value::Integer(1) => true,
            // The set of words that Go's `strconv.ParseBool` takes.
            Value::Text(text) => match text.as_str() {
                "1" | "t" | "T" | "TRUE" | "true" | "True" => true,
                "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => false,
                _ => return Err(Rejected),
            },
            Value::Null | Value::Integer(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => {
                return Err(Rejected);
            }
        };
        Ok(yes.then_some(true))
    }

    fn expected(_: Option<(i64, i64)>) -> String {
        "true or false".to_owned()
    }

    fn kind() -> String {
        "true or false".to_owned()
    }

    fn shape(_: Option<(i64, i64)>) -> Shape {
        Shape::Truth
    }

    fn shown(&self) -> String {
        self.to_string()
    }

    fn written(&self) -> Value {
        Value::Bool(*self)
    }
}

/// Reads a whole number of any size; texts of digits count.
pub(super) fn integer(given: &Value) -> Result<i128, Rejected> {
    match given {
        Value::Integer(number) => Ok(*number),
        // TOML and YAML writers print 3.0 for 3.
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            format!("{number:.0}").parse().map_err(|_| Rejected)
        }
        Value::Text(text) if text.is_empty() => Ok(0),
        Value::Text(text) => text.trim().parse().map_err(|_| Rejected),
        Value::Null | Value::Bool(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => {
            Err(Rejected)
        }
    }
}

/// Reads a whole number within `bounds`, and within `natural` where there are none.
///
/// Zero is let through: it stands for the default.
pub(super) fn bounded(
    given: &Value,
    bounds: Option<(i64, i64)>,
    natural: (i64, i64),
) -> Result<Option<i64>, Rejected> {
    let number = integer(given)?;
    if number == 0 {
        return Ok(None);
    }
    let (low, high) = bounds.unwrap_or(natural);
    let number = i64::try_from(number).map_err(|_| Rejected)?;
    if (low..=high).contains(&number) {
        Ok(Some(number))
    } else {
        Err(Rejected)
    }
}

/// Says which whole numbers are allowed.
pub(super) fn whole_number(bounds: Option<(i64, i64)>, natural: (i64, i64)) -> String {
    match bounds.unwrap_or(natural) {
        (i64::MIN, _) => "a whole number".to_owned(),
        (low, i64::MAX) => format!("a whole number, at least {low}"),
        (low, high) => format!("a whole number from {low} to {high}"),
    }
}

macro_rules! number {
    ($($kind:ty: $natural:expr),+ $(,)?) => {
        $(
            impl Scalar for $kind {
                fn read(
                    given: &Value,
                    bounds: Option<(i64, i64)>,
                ) -> Result<Option<Self>, Rejected> {
                    let number = bounded(given, bounds, $natural)?;
                    number.map(Self::try_from).transpose().map_err(|_| Rejected)
                }

                fn expected(bounds: Option<(i64, i64)>) -> String {
                    whole_number(bounds, $natural)
                }

                fn kind() -> String {
                    "number".to_owned()
                }

                fn shape(bounds: Option<(i64, i64)>) -> Shape {
                    let (low, high) = bounds.unwrap_or($natural);
                    Shape::Number { low, high }
                }

                fn shown(&self) -> String {
                    self.to_string()
                }

                fn written(&self) -> Value {
                    i128::try_from(*self).map_or(Value::Null, Value::Integer)
                }
            }
        )+
    };
}

number! {
    i64: (i64::MIN, i64::MAX),
    usize: (0, i64::MAX),
    u32: (1, i64::from(u32::MAX)),
    u16: (1, i64::from(u16::MAX)),
}

impl Scalar for Option<u16> {
    fn read(given: &Value, bounds: Option<(i64, i64)>) -> Result<Option<Self>, Rejected> {
        Ok(u16::read(given, bounds)?.map(Some))
    }

    fn expected(bounds: Option<(i64, i64)>) -> String {
        <u16 as Scalar>::expected(bounds)
    }

    fn kind() -> String {
        "number".to_owned()
    }

    fn shape(bounds: Option<(i64, i64)>) -> Shape {
        Shape::Optional(Box::new(<u16 as Scalar>::shape(bounds)))
    }

    fn shown(&self) -> String {
        self.map_or_else(|| "\"\"".to_owned(), |number| number.to_string())
    }

    fn written(&self) -> Value {
        self.map_or_else(
            || Value::Text(String::new()),
            |number| Value::Integer(number.into()),
        )
    }
}

impl Scalar for String {
    fn read(given: &Value, _: Option<(i64, i64)>) -> Result<Option<Self>, Rejected> {
        text(given)
    }

    fn expected(_: Option<(i64, i64)>) -> String {
        "a text".to_owned()
    }

    fn kind() -> String {
        "text".to_owned()
    }

    fn shape(_: Option<(i64, i64)>) -> Shape {
        Shape::Text
    }

    fn shown(&self) -> String {
        format!("{self:?}")
    }

    fn written(&self) -> Value {
        Value::Text(self.clone())
    }
}

/// Reads a text. A number counts: YAML makes one of a user id or a key that has only digits.
pub(super) fn text(given: &Value) -> Result<Option<String>, Rejected> {
    match given {
        Value::Text(text) if text.is_empty() => Ok(None),
        Value::Text(text) => Ok(Some(text.clone())),
        Value::Integer(number) => Ok(Some(number.to_string())),
        Value::Null | Value::Bool(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => {
            Err(Rejected)
        }
    }
}

/// Reads a list of texts: a list, or one text with spaces between.
pub(super) fn texts(given: &Value) -> Result<Vec<String>, Rejected> {
    match given {
        Value::Text(text) => Ok(text.split_whitespace().map(str::to_owned).collect()),
        Value::List(items) => items
            .iter()
            .filter_map(|item| text(item).transpose())
            .collect(),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Map(_) => {
            Err(Rejected)
        }
    }
}

impl Scalar for Vec<String> {
    fn read(given: &Value, _: Option<(i64, i64)>) -> Result<Option<Self>, Rejected> {
        let texts = texts(given)?;
        Ok((!texts.is_empty()).then_some(texts))
    }

    fn expected(_: Option<(i64, i64)>) -> String {
        "a list of texts, or one text with spaces between".to_owned()
    }

    fn kind() -> String {
        "texts".to_owned()
    }

    fn shape(_: Option<(i64, i64)>) -> Shape {
        Shape::List(Box::new(Shape::Text))
    }

    fn shown(&self) -> String {
        format!("{self:?}")
    }

    fn written(&self) -> Value {
        Value::List(self.iter().cloned().map(Value::Text).collect())
    }
}
