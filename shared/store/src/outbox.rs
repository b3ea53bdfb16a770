//! What became of channels that the application was not told yet, kept by one process for itself.

mod memory;

pub use self::memory::MemoryOutbox;
pub(crate) use self::memory::generation_at;
