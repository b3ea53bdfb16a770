//! What is kept beside channels: when users were last there, and small tables.

mod statuses;
mod table;

pub(crate) use statuses::RedisStatuses;
pub use table::{Row, Table};
