/// What may be written for an option, for programs that check or complete configuration.
///
/// The loader takes more: numbers and truth values as texts, and zero, false or an empty text for
/// «the default» everywhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Shape {
    /// `true` or `false`.
    Truth,
    /// A whole number from `low` to `high`; 0 as well, for the default.
    Number {
        /// The smallest.
        low: i64,
        /// The largest.
        high: i64,
    },
    /// A text.
    Text,
    /// A text such as `25s` or `1h30m`, or a whole number of nanoseconds.
    Duration,
    /// One of these words; the empty word as well, for the default.
    Words(&'static [&'static str]),
    /// That, as a number or as a text, which may be empty.
    Optional(Box<Self>),
    /// A list of that, or one text with spaces between.
    List(Box<Self>),
    /// An object of texts, a list of objects with `key` and `value`, or the JSON of either.
    Pairs,
    /// A list of objects whose options are listed by themselves.
    Objects,
}
