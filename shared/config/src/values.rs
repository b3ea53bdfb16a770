//! The types of option values.

mod amounts;
mod duration;
mod keyword;
mod pairs;
mod plain;
mod secret;
mod shape;

pub use amounts::{ByteSize, Limit};
pub use duration::Millis;
pub use pairs::Pairs;
pub use secret::Secret;
pub use shape::Shape;

pub(crate) use keyword::{Keyword, keyword};
pub(crate) use plain::{Scalar, leaf};

#[cfg(test)]
mod tests;
