//! The description of the API over HTTP, and a page to try it.
//!
//! The description is made from `proto/` by a test, which also holds what is committed against it;
//! the page and its parts are ours and load nothing from elsewhere.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{HeaderName, header};

const DESCRIPTION: &str = include_str!("../../../docs/reference/openapi.json");
const PAGE: &str = include_str!("swagger/page.html");
const SCRIPT: &str = include_str!("swagger/page.js");
const STYLE: &str = include_str!("swagger/page.css");

/// Where the description says that the methods are; replaced by where they are.
const DESCRIBED_PREFIX: &str = "\"url\": \"/api\"";

/// What the page may load and do: its own files, and calls of its own origin.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `path`, a page to try the API, and below it the API's description, `openapi.json`. Option
/// `swagger`. `api` is the path that the methods stand below.
///
/// Neither says anything about this installation, so neither asks for a key.
///
/// # Panics
///
/// If `path` is not a path, as of `axum`.
pub fn swagger(path: &str, api: &str) -> Router {
    let path = path.trim_end_matches('/');
    let below = |name: &str| format!("{path}/{name}");
    let api = serde_json::Value::from(format!("/{}", api.trim_matches('/')));
    let description = DESCRIPTION.replacen(DESCRIBED_PREFIX, &format!("\"url\": {api}"), 1);
    // The page stands beside its parts, not above them, so it says where they are.
    let page = PAGE.replace("{path}", path);
    let page = move || async move { file("text/html; charset=utf-8", page) };
    Router::new()
        .route(if path.is_empty() { "/" } else { path }, get(page))
        .route(
            &below("page.js"),
            get(|| async { file("text/javascript; charset=utf-8", SCRIPT) }),
        )
        .route(
            &below("page.css"),
            get(|| async { file("text/css; charset=utf-8", STYLE) }),
        )
        .route(
            &below("openapi.json"),
            get(move || async move { file("application/json", description) }),
        )
}

fn file(content_type: &'static str, content: impl IntoResponse) -> impl IntoResponse {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (HEADERS, [(header::CONTENT_TYPE, content_type)], content)
}
