use gyre_config::api::ErrorMode;
use http::HeaderMap;

/// Header, and gRPC metadata, with which one call asks for the error mode `transport`.
const HEADER: &str = "x-centrifugo-error-mode";

/// How an error of a method is told to this caller.
///
/// The header is compared exactly, and switches the mode on but not off.
pub(crate) fn of_call(configured: ErrorMode, headers: &HeaderMap) -> ErrorMode {
    let asked_for = headers
        .get(HEADER)
        .is_some_and(|value| value == ErrorMode::Transport.as_str());
    if asked_for {
        ErrorMode::Transport
    } else {
        configured
    }
}
