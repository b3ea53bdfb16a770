//! Golden pairs of user status, blocking and revoking.

use axum::body::Body;

use super::golden::{BAD_REQUEST, EMPTY, NOT_AVAILABLE, pairs};
use super::world::World;

#[tokio::test(start_paused = true)]
async fn a_block_closes_what_the_user_has() {
    let logs = pairs(&[
        ("block_user", "{}", BAD_REQUEST),
        ("block_user", r#"{"user":"17","expire_at":-1}"#, BAD_REQUEST),
        ("block_user", r#"{"user":"1\u00007"}"#, BAD_REQUEST),
        ("block_user", r#"{"user":"17"}"#, EMPTY),
        (
            "block_user",
            r#"{"user":"17","expire_at":1700003600}"#,
            EMPTY,
        ),
        // Over before it began.
        (
            "block_user",
            r#"{"user":"18","expire_at":1700000000}"#,
            EMPTY,
        ),
        ("unblock_user", r#"{"user":"17"}"#, EMPTY),
        ("unblock_user", r#"{"user":"nobody"}"#, EMPTY),
        ("unblock_user", "{}", BAD_REQUEST),
    ])
    .await;
    for log in logs {
        assert_eq!(log.len(), 2, "{log:?}");
        for line in log {
            assert!(line.starts_with("DisconnectRequest"), "{line}");
            assert!(line.contains(r#"user: "17", all_users: false"#), "{line}");
            assert!(line.contains("code: 3507"), "{line}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn revoking_tells_gateways_what_is_void() {
    let logs = pairs(&[
        ("revoke_token", "{}", BAD_REQUEST),
        (
            "revoke_token",
            r#"{"uid":"t1","expire_at":-1}"#,
            BAD_REQUEST,
        ),
        (
            "revoke_token",
            r#"{"uid":"t1","expire_at":1700003600}"#,
            EMPTY,
        ),
        ("revoke_token", r#"{"uid":"t2","expire_at":1}"#, EMPTY),
        ("invalidate_user_tokens", "{}", BAD_REQUEST),
        (
            "invalidate_user_tokens",
            r#"{"user":"17","issued_before":-1}"#,
            BAD_REQUEST,
        ),
        (
            "invalidate_user_tokens",
            r#"{"user":"17","issued_before":1600000000,"expire_at":1700600000}"#,
            EMPTY,
        ),
        (
            "invalidate_user_tokens",
            r#"{"user":"17","channel":"news"}"#,
            EMPTY,
        ),
    ])
    .await;
    for log in logs {
        let [token, by_age, of_channel] = log.as_slice() else {
            panic!("{log:?}")
        };
        assert!(token.contains(r#"uid: "t1", user: "", "#), "{token}");
        let expected = r#"uid: "", user: "17", issued_before: 1600000000, channel: """#;
        assert!(by_age.contains(expected), "{by_age}");
        let expected = r#"user: "17", issued_before: 1700000000, channel: "news""#;
        assert!(of_channel.contains(expected), "{of_channel}");
    }
}

#[tokio::test(start_paused = true)]
async fn statuses_come_in_the_order_of_the_users() {
    pairs(&[
        ("get_user_status", "{}", BAD_REQUEST),
        ("update_user_status", r#"{"users":[]}"#, BAD_REQUEST),
        ("delete_user_status", "{}", BAD_REQUEST),
        (
            "get_user_status",
            r#"{"users":["17"]}"#,
            r#"{"result":{"statuses":[{"user":"17"}]}}"#,
        ),
        ("update_user_status", r#"{"users":["17",""],"state":"dnd"}"#, EMPTY),
        ("update_user_status", r#"{"users":["17"]}"#, EMPTY),
        (
            "get_user_status",
            r#"{"users":["18","17","","17"]}"#,
            r#"{"result":{"statuses":[{"user":"18"},{"user":"17","active":1700000000,"state":"dnd"},{},{"user":"17","active":1700000000,"state":"dnd"}]}}"#,
        ),
        ("delete_user_status", r#"{"users":["17","18"]}"#, EMPTY),
        (
            "get_user_status",
            r#"{"users":["17"]}"#,
            r#"{"result":{"statuses":[{"user":"17"}]}}"#,
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn users_and_states_have_a_limit() {
    let world = World::new().await;
    for (users, state, is_fine) in [(1000, 64, true), (1001, 64, false), (1, 65, false)] {
        let users = vec!["17"; users];
        let state = "x".repeat(state);
        let body = serde_json::json!({"users": users, "state": state}).to_string();
        let (_, answer) = world
            .post("/api/update_user_status", Body::from(body))
            .await;
        assert_eq!(answer == EMPTY, is_fine, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn statuses_that_are_not_kept_are_not_available() {
    let world = World::without_statuses().await;
    for method in [
        "update_user_status",
        "get_user_status",
        "delete_user_status",
    ] {
        let path = format!("/api/{method}");
        let (_, answer) = world.post(&path, r#"{"users":["17"]}"#).await;
        assert_eq!(answer, NOT_AVAILABLE, "{method}");
    }
}
