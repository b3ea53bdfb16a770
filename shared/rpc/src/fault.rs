use gyre_types::Kind;
use http::StatusCode;
use tonic::Code;

/// The gRPC code that tells a caller whose fault it is.
#[must_use]
pub const fn grpc_code(kind: Kind) -> Code {
    match kind {
        Kind::Caller => Code::InvalidArgument,
        Kind::Limit => Code::ResourceExhausted,
        Kind::Unavailable => Code::Unavailable,
        Kind::Internal => Code::Internal,
    }
}

/// The HTTP status that tells a caller whose fault it is.
#[must_use]
pub const fn http_status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Caller => StatusCode::BAD_REQUEST,
        Kind::Limit => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Whose fault a gRPC code is, seen from the caller.
#[must_use]
pub const fn kind(code: Code) -> Kind {
    match code {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented => Kind::Caller,
        Code::ResourceExhausted => Kind::Limit,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Aborted => {
            Kind::Unavailable
        }
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Kind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_survives_the_way_over_grpc() {
        for there in [Kind::Caller, Kind::Limit, Kind::Unavailable, Kind::Internal] {
            assert_eq!(kind(grpc_code(there)), there);
        }
    }

    #[test]
    fn only_the_callers_faults_are_4xx() {
        assert!(http_status(Kind::Caller).is_client_error());
        assert!(http_status(Kind::Limit).is_client_error());
        assert!(http_status(Kind::Unavailable).is_server_error());
        assert!(http_status(Kind::Internal).is_server_error());
    }
}
