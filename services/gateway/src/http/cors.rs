use http::HeaderMap;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    HeaderName, HeaderValue, ORIGIN,
};

use crate::websocket::Origins;

/// What a preflight request is answered with beside [`headers`].
pub(crate) const PREFLIGHT: [(HeaderName, HeaderValue); 2] = [
    (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("300")),
    (
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("POST, OPTIONS"),
    ),
];

/// Headers that let a browser's page read the response to a request with `asked`; none if its origin
/// is not allowed, in which case the browser hides it.
pub(crate) fn headers(origins: &Origins, asked: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !origins.allows(asked) {
        return headers;
    }
    let origin = asked.get(ORIGIN).cloned();
    let origin = origin.unwrap_or(HeaderValue::from_static(""));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let yes = HeaderValue::from_static("true");
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
    let wanted = asked
        .get(ACCESS_CONTROL_REQUEST_HEADERS)
        .filter(|wanted| !wanted.is_empty() && *wanted != "null");
    if let Some(wanted) = wanted {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    headers
}
