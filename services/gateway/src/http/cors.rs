use gyre_runtime::Head;
use http::header::{ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN};

use crate::websocket::Origins;

/// Header lines that let a browser's page read the response; empty if its origin is not allowed, in
/// which case the browser hides it.
pub(crate) fn headers(origins: &Origins, head: &Head) -> String {
    if !origins.allows(&head.headers) {
        return String::new();
    }
    let origin = head.header(&ORIGIN).unwrap_or_default();
    let mut lines = format!(
        "Access-Control-Allow-Origin: {origin}\r\nAccess-Control-Allow-Credentials: true\r\n"
    );
    let wanted = head
        .header(&ACCESS_CONTROL_REQUEST_HEADERS)
        .filter(|wanted| !wanted.is_empty() && *wanted != "null");
    if let Some(wanted) = wanted {
        lines.push_str("Access-Control-Allow-Headers: ");
        lines.push_str(wanted);
        lines.push_str("\r\n");
    }
    lines
}

/// What a preflight request is answered with beside [`headers`].
pub(crate) const PREFLIGHT: &str =
    "Access-Control-Max-Age: 300\r\nAccess-Control-Allow-Methods: POST, OPTIONS\r\n";
