use gyre_proto::proxy as pb;

/// What a backend said. Of several the first of disconnect, error and result counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<R> {
    /// It agrees. `None`: it answered without a result; what that means depends on the event.
    ///
    /// Payloads stand in the plain fields (`data`, `info`), those that came as base64 too; the fields
    /// that begin with `b64` are empty.
    Result(Option<R>),
    /// It refuses; the client gets this error. Also from a status with a transform.
    Error(pb::Error),
    /// It wants the client gone. Also from a status with a transform.
    Disconnect(pb::Disconnect),
}

impl<R> Answer<R> {
    /// The answer that a response stands for.
    pub(crate) fn new(
        result: Option<R>,
        error: Option<pb::Error>,
        disconnect: Option<pb::Disconnect>,
    ) -> Self {
        match (disconnect, error) {
            (Some(disconnect), _) => Self::Disconnect(disconnect),
            (None, Some(error)) => Self::Error(error),
            (None, None) => Self::Result(result),
        }
    }

    /// The result, where only that counts: an error and a disconnect count as none.
    #[must_use]
    pub fn only_result(self) -> Option<R> {
        match self {
            Self::Result(result) => result,
            Self::Error(_) | Self::Disconnect(_) => None,
        }
    }
}
