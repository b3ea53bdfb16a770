//! `engine`: where publications, history and presence live.

use crate::tree::options;
use crate::values::keyword;

options! {
    /// The engine behind all channels.
    pub struct Engine {
        /// Which engine.
        r#type: EngineType = EngineType::Memory;
    }
}

keyword! {
    /// Kinds of engines.
    pub enum EngineType = Memory {
        /// In the memory of this process: one node, nothing outlives it.
        Memory = "memory"
    }
}
