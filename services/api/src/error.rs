//! Every error that a backend may see: number, text, HTTP status, gRPC code.

use gyre_proto::api;
use http::StatusCode;
use tonic::Code;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident $(($data:ty))? = $code:literal $text:literal $status:ident $grpc:ident;)*) => {
        /// Why a method was refused.
        ///
        /// 104 means something else here than in the client protocol.
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub(crate) enum Error {
            $($(#[$doc])* $name $(($data))?,)*
        }

        impl Error {
            /// All of them, in the order of their numbers.
            #[cfg(test)]
            pub(crate) fn all() -> Vec<Self> {
                vec![$(Self::$name $((<$data>::default()))?),*]
            }

            /// Number on the wire.
            pub(crate) const fn code(&self) -> u32 {
                match self {
                    $(Self::$name { .. } => $code,)*
                }
            }

            /// Text on the wire.
            pub(crate) const fn message(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $text,)*
                }
            }

            /// The number as a metric's label.
            pub(crate) const fn label(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => stringify!($code),)*
                }
            }

            /// Status in the error mode `transport`.
            pub(crate) const fn http_status(&self) -> StatusCode {
                match self {
                    $(Self::$name { .. } => StatusCode::$status,)*
                }
            }

            /// Code in the error mode `transport`.
            pub(crate) const fn grpc_code(&self) -> Code {
                match self {
                    $(Self::$name { .. } => Code::$grpc,)*
                }
            }
        }
    };
}

errors! {
    /// Something of ours failed; the log says what.
    Internal = 100 "internal server error" INTERNAL_SERVER_ERROR Internal;
    /// The caller did not say who it is. Only as the body of a refused HTTP request.
    Unauthorized = 101 "unauthorized" UNAUTHORIZED Unauthenticated;
    /// The channel's namespace is not configured.
    UnknownChannel = 102 "unknown channel" NOT_FOUND NotFound;
    /// No such method, or no such thing.
    NotFound = 104 "not found" NOT_FOUND NotFound;
    /// As many are there as there may be.
    LimitExceeded = 106 "limit exceeded" TOO_MANY_REQUESTS ResourceExhausted;
    /// The request cannot be right.
    BadRequest = 107 "bad request" BAD_REQUEST InvalidArgument;
    /// The same, and what is wrong with its `expression`.
    BadExpression(String) = 107 "bad request" BAD_REQUEST InvalidArgument;
    /// The feature is off, or not there yet.
    NotAvailable = 108 "not available" BAD_REQUEST InvalidArgument;
    /// The position is not in the stream.
    UnrecoverablePosition = 112 "unrecoverable position" RANGE_NOT_SATISFIABLE OutOfRange;
    /// It may have been published or not. Safe to repeat with the same idempotency key.
    OutcomeUnknown = 150 "outcome unknown" SERVICE_UNAVAILABLE Unavailable;
    /// These gateways did not answer; the others have done what was asked. Safe to repeat.
    Unanswered(Vec<String>) = 151 "some gateways did not answer" SERVICE_UNAVAILABLE Unavailable;
}

impl Error {
    /// The error as a message.
    pub(crate) fn to_message(&self) -> api::Error {
        api::Error {
            code: self.code(),
            message: if let Self::BadExpression(reason) = self {
                format!("{}: {reason}", self.message())
            } else {
                self.message().to_owned()
            },
            unanswered: if let Self::Unanswered(gateways) = self {
                gateways.clone()
            } else {
                Vec::new()
            },
        }
    }

    /// What a backend sees of an engine's failure; what it does not see is logged.
    pub(crate) fn of_engine(error: &gyre_engine::Error) -> Self {
        match error {
            gyre_engine::Error::UnrecoverablePosition { .. } => Self::UnrecoverablePosition,
            gyre_engine::Error::Unsupported { .. } => Self::NotAvailable,
            gyre_engine::Error::OutcomeUnknown { .. } => {
                tracing::warn!(%error, "nobody knows what became of a call of the server API");
                Self::OutcomeUnknown
            }
            gyre_engine::Error::Unavailable { .. } | gyre_engine::Error::Internal { .. } => {
                tracing::warn!(%error, "the engine failed a call of the server API");
                Self::Internal
            }
        }
    }

    /// What a backend sees of the store's failure; what it does not see is logged.
    pub(crate) fn of_store(error: &gyre_store::Error) -> Self {
        let error_to_log: &(dyn std::error::Error + 'static) = error;
        tracing::warn!(
            error = error_to_log,
            "the store failed a call of the server API"
        );
        match error {
            gyre_store::Error::Full(_) => Self::LimitExceeded,
            gyre_store::Error::Database(_) | gyre_store::Error::Stopped => Self::Internal,
        }
    }

    /// What a backend sees of a rule's refusal.
    pub(crate) fn of_policy(error: &gyre_protocol::codes::Error) -> Self {
        match error.code {
            102 => Self::UnknownChannel,
            107 => Self::BadRequest,
            108 => Self::NotAvailable,
            code => {
                tracing::error!(code, "a rule refused a call of the server API");
                Self::Internal
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sorted_and_labels_say_them() {
        assert!(Error::all().is_sorted_by_key(|error| error.code()));
        for error in Error::all() {
            assert_eq!(error.label(), error.code().to_string());
        }
    }

    #[test]
    fn only_what_failed_here_is_our_fault() {
        let ours: Vec<u32> = Error::all()
            .iter()
            .filter(|error| error.http_status().is_server_error())
            .map(Error::code)
            .collect();
        assert_eq!(ours, [100, 150, 151]);
    }
}
