use super::plain::texts;
use super::{Scalar, Shape};
use crate::tree::Rejected;
use crate::value::Value;

/// A type that takes one word of a fixed set.
pub(crate) trait Keyword: Copy {
    /// Every word that may be written.
    const ALL: &'static [&'static str];

    /// What the word stands for.
    fn of_word(word: &str) -> Option<Self>;

    /// The word that is written.
    fn word(self) -> &'static str;
}

/// Declares an option type that takes one word of a fixed set; `= Variant` names the default.
macro_rules! keyword {
    (
        $(#[doc = $about:literal])+
        pub enum $name:ident = $default:ident {
            $( $(#[doc = $doc:literal])+ $variant:ident = $word:literal ),* $(,)?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $(
                $(#[doc = $doc])+
                #[doc = concat!("Written `", stringify!($word), "`.")]
                $variant,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }

        impl $name {
            /// The word that is written in configuration.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl $crate::values::Keyword for $name {
            const ALL: &'static [&'static str] = &[$($word),*];

            fn of_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            fn word(self) -> &'static str {
                self.as_str()
            }
        }

        $crate::values::leaf!($name);
    };
}

pub(crate) use keyword;

impl<K: Keyword> Scalar for K {
    fn read(given: &Value, _: Option<(i64, i64)>) -> Result<Option<Self>, Rejected> {
        match given {
            Value::Text(word) if word.is_empty() => Ok(None),
            Value::Text(word) => K::of_word(word).map(Some).ok_or(Rejected),
            Value::Null
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::List(_)
            | Value::Map(_) => Err(Rejected),
        }
    }

    fn expected(_: Option<(i64, i64)>) -> String {
        quoted(K::ALL.iter().copied(), " or ")
    }

    fn kind() -> String {
        quoted(K::ALL.iter().copied(), ", ")
    }

    fn shape(_: Option<(i64, i64)>) -> Shape {
        Shape::Words(K::ALL)
    }

    fn shown(&self) -> String {
        format!("{:?}", self.word())
    }

    fn written(&self) -> Value {
        Value::Text(self.word().to_owned())
    }
}

impl<K: Keyword> Scalar for Vec<K> {
    fn read(given: &Value, _: Option<(i64, i64)>) -> Result<Option<Self>, Rejected> {
        let words = texts(given)?;
        let values = words.iter().map(|word| K::of_word(word).ok_or(Rejected));
        let values = values.collect::<Result<Self, _>>()?;
        Ok((!values.is_empty()).then_some(values))
    }

    fn expected(_: Option<(i64, i64)>) -> String {
        format!("a list of {}", quoted(K::ALL.iter().copied(), " or "))
    }

    fn kind() -> String {
        format!("list of {}", K::kind())
    }

    fn shape(bounds: Option<(i64, i64)>) -> Shape {
        Shape::List(Box::new(K::shape(bounds)))
    }

    fn written(&self) -> Value {
        Value::List(self.iter().map(Scalar::written).collect())
    }

    fn shown(&self) -> String {
        format!("[{}]", quoted(self.iter().map(|value| value.word()), ", "))
    }
}

/// The words in quotes, with `between` between them.
fn quoted<'a>(words: impl Iterator<Item = &'a str>, between: &str) -> String {
    words
        .map(|word| format!("{word:?}"))
        .collect::<Vec<_>>()
        .join(between)
}
