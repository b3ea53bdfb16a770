//! The page to try the API.

use axum::body::{Body, to_bytes};
use http::{Request, Response};
use tower::ServiceExt as _;

use crate::swagger;

async fn get(prefix: &str, path: &str) -> (Response<()>, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = swagger(prefix, "api/v1/").oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (
        Response::from_parts(parts, ()),
        String::from_utf8(body.into()).unwrap(),
    )
}

#[tokio::test]
async fn the_page_has_its_parts_below_it() {
    for prefix in ["/swagger", "/deep/swagger/", "/"] {
        let path = prefix.trim_end_matches('/');
        let (_, page) = get(prefix, if path.is_empty() { "/" } else { path }).await;
        for (part, kind) in [
            ("page.js", "text/javascript; charset=utf-8"),
            ("page.css", "text/css; charset=utf-8"),
            ("openapi.json", "application/json"),
        ] {
            let part = format!("{path}/{part}");
            assert!(page.contains(&format!("\"{part}\"")), "{part} in {page}");
            let (answer, body) = get(prefix, &part).await;
            assert_eq!(answer.status(), 200, "{part}");
            assert_eq!(answer.headers()["content-type"], kind);
            assert!(!body.is_empty());
        }
    }
}

#[tokio::test]
async fn the_description_says_where_the_methods_are() {
    let (_, body) = get("/swagger", "/swagger/openapi.json").await;
    let api: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(api["servers"][0]["url"], "/api/v1");
}

#[tokio::test]
async fn nothing_is_loaded_from_elsewhere() {
    let (answer, page) = get("/swagger", "/swagger").await;
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let mut all = page;
    for part in ["/swagger/page.js", "/swagger/page.css"] {
        all += &get("/swagger", part).await.1;
    }
    for elsewhere in [
        "http://", "https://", "//cdn", "@import", "<script>", "style=",
    ] {
        assert!(!all.contains(elsewhere), "{elsewhere}");
    }
}
