use gyre_types::{Fault, Kind};

/// Why bytes are not what they should be. Ends the connection with
/// [`Disconnect::BAD_REQUEST`](crate::codes::Disconnect::BAD_REQUEST).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// A frame holds at least one message.
    #[error("the frame is empty")]
    EmptyFrame,
    /// A command is larger than its transport allows.
    #[error("a command has {size} bytes, at most {limit} are allowed")]
    TooLarge {
        /// Its size, as far as it is known. Unit: bytes.
        size: u64,
        /// What is allowed. Unit: bytes.
        limit: usize,
    },
    /// Something else stands where the format or the schema wants this.
    #[error("expected {expected} at byte {at}")]
    Malformed {
        /// Where, from the start of the message in JSON, of the frame in Protobuf. Unit: bytes.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// Values lie within values too often.
    #[error("values nest deeper than {limit} levels")]
    TooDeep {
        /// What is allowed. Unit: levels.
        limit: u32,
    },
}

impl Fault for DecodeError {
    fn fault(&self) -> Kind {
        match self {
            Self::EmptyFrame | Self::Malformed { .. } => Kind::Caller,
            Self::TooLarge { .. } | Self::TooDeep { .. } => Kind::Limit,
        }
    }
}

/// A payload that has no place in JSON text, for a client that reads JSON. Ends its connection with
/// [`Disconnect::INAPPROPRIATE_PROTOCOL`](crate::codes::Disconnect::INAPPROPRIATE_PROTOCOL).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a payload is not JSON")]
pub struct NotJson;

impl Fault for NotJson {
    fn fault(&self) -> Kind {
        Kind::Caller
    }
}
