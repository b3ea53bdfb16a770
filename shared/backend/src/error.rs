use std::error::Error as StdError;
use std::sync::Arc;

use gyre_types::{Fault, Kind};

/// Why there is no answer of the backend's. What clients see of it is always the same (error 100 and
/// its like), so the text is for the log.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// There was no whole answer within `timeout`.
    #[error("no answer within the time that the proxy's option timeout gives")]
    Timeout,
    /// Too many calls are under way and wait already.
    #[error("too many calls are under way")]
    Shed,
    /// Calls fail at once because those before them failed.
    #[error("the circuit breaker is open")]
    Open,
    /// The backend cannot be reached, or the connection broke.
    #[error("the backend is not reached")]
    Unreachable(#[source] Arc<dyn StdError + Send + Sync>),
    /// An HTTP status other than 200 that has no transform.
    #[error("the backend answered with HTTP status {0}")]
    Status(u16),
    /// A gRPC status other than OK.
    #[error("the backend answered with gRPC status {code:?}: {message}")]
    Grpc {
        /// The code.
        code: tonic::Code,
        /// What the backend said about it.
        message: String,
    },
    /// The answer is not one: not JSON, not Protobuf, or of the wrong types.
    #[error("the backend's answer is not understood")]
    Malformed(#[source] Arc<dyn StdError + Send + Sync>),
    /// The answer is longer than `max_response_size`.
    #[error("the backend's answer is longer than {0} bytes")]
    TooLong(usize),
    /// A field of a result that begins with `b64` is no base64. Ends connections at refresh (3004)
    /// and subscriptions at `sub_refresh` (2501), where every other failure is waited out.
    #[error("field {0} of the backend's result is not base64")]
    Base64(&'static str),
    /// A subscription stream began without an answer to the subscribe.
    #[error("the stream does not begin with an answer to the subscribe")]
    NoSubscribeResponse,
    /// The event cannot be sent this way: subscription streams need gRPC.
    #[error("subscription streams need a backend over gRPC")]
    NeedsGrpc,
}

impl Fault for CallError {
    fn fault(&self) -> Kind {
        match self {
            Self::Timeout
            | Self::Open
            | Self::Unreachable(_)
            | Self::Status(_)
            | Self::Grpc { .. }
            | Self::Malformed(_)
            | Self::TooLong(_)
            | Self::Base64(_)
            | Self::NoSubscribeResponse => Kind::Unavailable,
            Self::Shed => Kind::Limit,
            Self::NeedsGrpc => Kind::Internal,
        }
    }
}

impl CallError {
    /// Whether a repeat may do better.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Status(status) => matches!(status, 429 | 502 | 503 | 504),
            Self::Grpc { code, .. } => *code == tonic::Code::Unavailable,
            Self::Timeout
            | Self::Shed
            | Self::Open
            | Self::Malformed(_)
            | Self::TooLong(_)
            | Self::Base64(_)
            | Self::NoSubscribeResponse
            | Self::NeedsGrpc => false,
        }
    }

    /// Whether there was not even a connection, so that the backend cannot have got the request.
    pub(crate) fn is_unsent(&self) -> bool {
        let Self::Unreachable(error) = self else {
            return false;
        };
        let mut next: Option<&(dyn StdError + 'static)> = Some(&**error);
        while let Some(error) = next {
            let client = error.downcast_ref::<hyper_util::client::legacy::Error>();
            if let Some(client) = client {
                return client.is_connect();
            }
            next = error.source();
        }
        false
    }

    /// The name in logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Shed => "shed",
            Self::Open => "open",
            Self::Unreachable(_) => "unreachable",
            Self::Status(_) | Self::Grpc { .. } => "status",
            Self::Malformed(_) | Self::Base64(_) | Self::NoSubscribeResponse => "malformed",
            Self::TooLong(_) => "too_long",
            Self::NeedsGrpc => "needs_grpc",
        }
    }
}

/// Why backends cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// An option of a proxy cannot be used.
    #[error("option {path}")]
    Option {
        /// Its path.
        path: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Another part of the process has registered one of the metrics.
    #[error(transparent)]
    Metrics(#[from] gyre_telemetry::metrics::Error),
}
