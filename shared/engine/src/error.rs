use gyre_types::{Fault, Kind, Position};

/// Why an operation of an engine did not succeed. A variant per reaction of the caller.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was done; trying again may help.
    #[error("the engine is unavailable: {reason}")]
    Unavailable {
        /// What did not answer.
        reason: String,
    },
    /// It may have been done or not; safe to repeat only with an idempotency key.
    #[error("the outcome is unknown: {reason}")]
    OutcomeUnknown {
        /// What was lost.
        reason: String,
    },
    /// The epoch given is not the stream's.
    #[error("the position is of another life of the stream, whose epoch is now {}", top.epoch)]
    UnrecoverablePosition {
        /// Top of the stream at the moment of the read, where the caller can begin again without
        /// another read.
        top: Position,
    },
    /// The engine cannot do this at all.
    #[error("the engine has no {feature}")]
    Unsupported {
        /// What is missing.
        feature: &'static str,
    },
    /// A promise of the engine was broken.
    #[error("{reason}")]
    Internal {
        /// Which one.
        reason: String,
    },
}

impl Fault for Error {
    fn fault(&self) -> Kind {
        match self {
            Self::Unavailable { .. } | Self::OutcomeUnknown { .. } => Kind::Unavailable,
            Self::UnrecoverablePosition { .. } | Self::Unsupported { .. } => Kind::Caller,
            Self::Internal { .. } => Kind::Internal,
        }
    }
}
