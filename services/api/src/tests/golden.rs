//! Requests and the answers that they must get, over both transports.

use axum::body::Body;
use bytes::Bytes;
use gyre_protocol::messages::ClientInfo;
use http::Request;

use super::world::{GRPC_KEY, World};
use crate::methods::MethodId;

const METADATA: &[(&str, &str)] = &[("authorization", "apikey grpc-key")];

/// Runs the pairs in their order, in a world of its own for each transport.
pub(super) async fn pairs(pairs: &[(&str, &str, &str)]) -> Vec<Vec<String>> {
    let mut logs = Vec::new();
    for transport in ["http", "grpc"] {
        let world = World::new().await;
        world.fake.set_member(ClientInfo {
            user: "17".into(),
            client: "c-1".into(),
            conn_info: Bytes::from_static(br#"{"name":"Ann"}"#),
            chan_info: Bytes::from_static(&[0, 1, 2]),
        });
        for (method, request, expected) in pairs {
            let answer = match transport {
                "http" => {
                    let (status, body) = world
                        .post(&format!("/api/{method}"), (*request).to_owned())
                        .await;
                    assert_eq!(status, 200, "{method} {request}: {body}");
                    body
                }
                _ => world.grpc(method, request, METADATA).await.unwrap(),
            };
            assert_eq!(answer, *expected, "{transport} {method} {request}");
        }
        logs.push(world.fake.take_log());
    }
    logs
}

pub(super) const BAD_REQUEST: &str = r#"{"error":{"code":107,"message":"bad request"}}"#;
const UNKNOWN_CHANNEL: &str = r#"{"error":{"code":102,"message":"unknown channel"}}"#;
const NOT_FOUND: &str = r#"{"error":{"code":104,"message":"not found"}}"#;
pub(super) const NOT_AVAILABLE: &str = r#"{"error":{"code":108,"message":"not available"}}"#;
const UNANSWERED: &str =
    r#"{"error":{"code":151,"message":"some gateways did not answer","unanswered":["g"]}}"#;
const INTERNAL: &str = r#"{"error":{"code":100,"message":"internal server error"}}"#;
const UNRECOVERABLE: &str = r#"{"error":{"code":112,"message":"unrecoverable position"}}"#;
pub(super) const EMPTY: &str = r#"{"result":{}}"#;

#[test]
fn the_keys_of_the_tests_are_those_of_the_world() {
    assert_eq!(METADATA[0].1, format!("apikey {GRPC_KEY}"));
}

#[tokio::test]
async fn publish_refused() {
    pairs(&[
        ("publish", "null", BAD_REQUEST),
        ("publish", r#"{"channel":"","data":1}"#, BAD_REQUEST),
        (
            "publish",
            r#"{"channel":"nope:x","data":1}"#,
            UNKNOWN_CHANNEL,
        ),
        (
            "publish",
            r#"{"channel":"nope:x","b64data":"!"}"#,
            BAD_REQUEST,
        ),
        ("publish", r#"{"channel":"a"}"#, BAD_REQUEST),
        (
            "publish",
            r#"{"channel":"json:a","b64data":"ew=="}"#,
            BAD_REQUEST,
        ),
        ("publish", r#"{"channel":"map:a","data":1}"#, BAD_REQUEST),
        ("publish", r#"{"channel":"down","data":1}"#, INTERNAL),
    ])
    .await;
}

#[tokio::test]
async fn publish() {
    let logs = pairs(&[
        ("publish", r#"{"channel":"a","data":{"n": 1}}"#, EMPTY),
        ("publish", r#"{"channel":"a","data":null}"#, EMPTY),
        ("publish", r#"{"channel":"a","data":1,"delta":true}"#, EMPTY),
        ("publish", r#"{"channel":"delta:a","data":1}"#, EMPTY),
        (
            "publish",
            r#"{"channel":"bin:a"}"#,
            r#"{"result":{"offset":1,"epoch":"life"}}"#,
        ),
        (
            "publish",
            r#"{"channel":"hist:a","data":1,"b64data":"Mg=="}"#,
            r#"{"result":{"offset":1,"epoch":"life"}}"#,
        ),
        (
            "publish",
            r#"{"channel":"hist:a","data":3,"skip_history":true}"#,
            EMPTY,
        ),
        (
            "publish",
            r#"{"channel":"hist:a","data":4,"version":7,"version_epoch":"v"}"#,
            r#"{"result":{"offset":2,"epoch":"life"}}"#,
        ),
        (
            "publish",
            r#"{"channel":"hist:a","data":5,"idempotency_key":"k"}"#,
            r#"{"result":{"offset":3,"epoch":"life"}}"#,
        ),
        (
            "publish",
            r#"{"channel":"hist:a","data":6,"idempotency_key":"k"}"#,
            r#"{"result":{"offset":3,"epoch":"life"}}"#,
        ),
    ])
    .await;
    for log in logs {
        assert_eq!(
            log,
            [
                r#"publish a b"{\"n\": 1}""#,
                r#"publish a b"null""#,
                r#"publish a b"1" delta"#,
                r#"publish delta:a b"1" delta"#,
                r#"publish bin:a b"""#,
                r#"publish hist:a b"2""#,
                r#"publish hist:a b"3""#,
                r#"publish hist:a b"4" version 7 of "v""#,
                r#"publish hist:a b"5""#,
            ]
        );
    }
}

#[tokio::test]
async fn broadcast() {
    pairs(&[
        ("broadcast", "{}", BAD_REQUEST),
        ("broadcast", r#"{"channels":[],"data":1}"#, BAD_REQUEST),
        ("broadcast", r#"{"channels":["a"],"b64data":"!"}"#, BAD_REQUEST),
        ("broadcast", r#"{"channels":["a","nope:b","","hist:c","map:d","down"],"data":1,"idempotency_key":"k"}"#,
            r#"{"result":{"responses":[{"result":{}},{"error":{"code":102,"message":"unknown channel"}},{"error":{"code":107,"message":"bad request"}},{"result":{"offset":1,"epoch":"life"}},{"error":{"code":107,"message":"bad request"}},{"error":{"code":100,"message":"internal server error"}}]}}"#),
        ("broadcast", r#"{"channels":["a","hist:c"],"data":1,"idempotency_key":"k"}"#,
            r#"{"result":{"responses":[{"result":{}},{"result":{"offset":1,"epoch":"life"}}]}}"#),
        ("broadcast", r#"{"channels":["json:a","bin:a","json:b"],"b64data":"ew=="}"#,
            r#"{"result":{"responses":[{"error":{"code":107,"message":"bad request"}},{"result":{"offset":1,"epoch":"life"}},{"error":{"code":107,"message":"bad request"}}]}}"#),
    ])
    .await;
}

#[tokio::test]
async fn a_long_broadcast_keeps_its_order() {
    let world = World::new().await;
    let channels: Vec<String> = (0..2500)
        .map(|n| {
            if n % 1000 == 999 {
                "nope:x".to_owned()
            } else {
                format!("c{n}")
            }
        })
        .collect();
    let body = format!(r#"{{"channels":{channels:?},"data":1}}"#);
    let (_, answer) = world.post("/api/broadcast", body).await;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let responses = answer["result"]["responses"].as_array().unwrap();
    assert_eq!(responses.len(), 2500);
    for (n, response) in responses.iter().enumerate() {
        assert_eq!(response.get("error").is_some(), n % 1000 == 999, "{n}");
    }
}

#[tokio::test]
async fn presence() {
    pairs(&[
        ("presence", "{}", BAD_REQUEST),
        ("presence", r#"{"channel":"nope:x"}"#, UNKNOWN_CHANNEL),
        ("presence", r#"{"channel":"a"}"#, NOT_AVAILABLE),
        ("presence", r#"{"channel":"who:down"}"#, INTERNAL),
        ("presence", r#"{"channel":"who:a"}"#,
            r#"{"result":{"presence":{"c-1":{"user":"17","client":"c-1","conn_info":{"name":"Ann"},"b64chan_info":"AAEC"}}}}"#),
        ("presence_stats", "{}", BAD_REQUEST),
        ("presence_stats", r#"{"channel":"nope:x"}"#, UNKNOWN_CHANNEL),
        ("presence_stats", r#"{"channel":"a"}"#, NOT_AVAILABLE),
        ("presence_stats", r#"{"channel":"who:a"}"#, r#"{"result":{"num_clients":3,"num_users":2}}"#),
    ])
    .await;
}

#[tokio::test]
async fn history() {
    let position = |offset: &str| {
        format!(r#"{{"result":{{"publications":[],"epoch":"life","offset":{offset}}}}}"#)
    };
    let logs = pairs(&[
        ("history", "{}", BAD_REQUEST),
        ("history", r#"{"channel":"nope:x"}"#, UNKNOWN_CHANNEL),
        ("history", r#"{"channel":"a"}"#, NOT_AVAILABLE),
        ("history", r#"{"channel":"hist:down"}"#, INTERNAL),
        ("history", r#"{"channel":"hist:a"}"#, &position("0")),
        ("publish", r#"{"channel":"hist:a","data":"x","tags":{"k":"v"}}"#, r#"{"result":{"offset":1,"epoch":"life"}}"#),
        ("publish", r#"{"channel":"hist:a","b64data":"AAEC"}"#, r#"{"result":{"offset":2,"epoch":"life"}}"#),
        ("history", r#"{"channel":"hist:a"}"#, &position("2")),
        ("history", r#"{"channel":"hist:a","limit":1}"#,
            r#"{"result":{"publications":[{"data":"x","offset":1,"tags":{"k":"v"}}],"epoch":"life","offset":2}}"#),
        ("history", r#"{"channel":"hist:a","limit":-1,"reverse":true}"#,
            r#"{"result":{"publications":[{"b64data":"AAEC","offset":2},{"data":"x","offset":1,"tags":{"k":"v"}}],"epoch":"life","offset":2}}"#),
        ("history", r#"{"channel":"hist:a","limit":-1,"since":{"offset":1,"epoch":"life"}}"#,
            r#"{"result":{"publications":[{"b64data":"AAEC","offset":2}],"epoch":"life","offset":2}}"#),
        ("history", r#"{"channel":"hist:a","limit":10,"reverse":true,"since":{"epoch":"life"}}"#, &position("2")),
        ("history", r#"{"channel":"hist:a","since":{"offset":1,"epoch":"other"}}"#, UNRECOVERABLE),
        ("history_remove", "{}", BAD_REQUEST),
        ("history_remove", r#"{"channel":"nope:x"}"#, UNKNOWN_CHANNEL),
        ("history_remove", r#"{"channel":"a"}"#, NOT_AVAILABLE),
        ("history_remove", r#"{"channel":"hist:a"}"#, EMPTY),
    ])
    .await;
    for log in logs {
        assert_eq!(log.last().unwrap(), "remove history of hist:a");
    }
}

#[tokio::test]
async fn commands_that_cannot_be_right_reach_nobody() {
    let logs = pairs(&[
        ("subscribe", "{}", BAD_REQUEST),
        (
            "subscribe",
            r#"{"user":"1","channel":"nope:x"}"#,
            UNKNOWN_CHANNEL,
        ),
        (
            "subscribe",
            r#"{"user":"1","channel":"a","b64info":"!"}"#,
            BAD_REQUEST,
        ),
        (
            "subscribe",
            r#"{"user":"1","channel":"a","b64data":"!"}"#,
            BAD_REQUEST,
        ),
        (
            "subscribe",
            r#"{"user":"1","channel":"a","label_filter":{"op":"xor"}}"#,
            BAD_REQUEST,
        ),
        ("unsubscribe", r#"{"user":"1"}"#, BAD_REQUEST),
        (
            "unsubscribe",
            r#"{"user":"1","channel":"nope:x"}"#,
            UNKNOWN_CHANNEL,
        ),
        (
            "disconnect",
            r#"{"user":"1","disconnect":{"code":1000}}"#,
            BAD_REQUEST,
        ),
        ("disconnect", r#"{"user":"1","disconnect":{}}"#, BAD_REQUEST),
    ])
    .await;
    assert!(logs.iter().all(Vec::is_empty), "{logs:?}");
}

#[tokio::test]
async fn commands_reach_the_gateway_as_they_were_given() {
    let logs = pairs(&[
        ("subscribe", r#"{"user":"1","channel":"hist:a","expire_at":9,"info":1,"b64info":"Mg==","data":{},"client":"c","session":"s","recover_since":{"offset":5,"epoch":"e"},"override":{"presence":{"value":true}}}"#, EMPTY),
        ("unsubscribe", r#"{"all_users":true,"channel":"a","label_filter":{"key":"tier","cmp":"eq","val":"pro"}}"#, EMPTY),
        ("disconnect", r#"{"user":"1","whitelist":["c"]}"#, EMPTY),
        ("disconnect", r#"{"user":"1","disconnect":{"code":4000,"reason":"come back"}}"#, EMPTY),
        ("refresh", r#"{"user":"1","expired":true,"expire_at":-3,"info":{"n":2}}"#, EMPTY),
        ("disconnect", r#"{"user":"bad"}"#, BAD_REQUEST),
        ("disconnect", r#"{"user":"down"}"#, INTERNAL),
    ])
    .await;
    for log in logs {
        let expected: [&[&str]; 7] = [
            &[
                "SubscribeRequest",
                "ID",
                r#"user: "1""#,
                r#"client: "c""#,
                r#"session: "s""#,
                r#"channel: "hist:a""#,
                "expire_at: 9",
                r#"info: b"2""#,
                r#"data: b"{}""#,
                "offset: 5",
                "presence: Some(BoolValue { value: true })",
            ],
            &[
                "UnsubscribeRequest",
                r#"user: """#,
                "all_users: true",
                r#"val: "pro""#,
            ],
            &[
                "DisconnectRequest",
                "code: 3503",
                r#"reason: "force disconnect""#,
                r#"whitelist: ["c"]"#,
            ],
            &["DisconnectRequest", "code: 4000", r#"reason: "come back""#],
            &[
                "RefreshRequest",
                "expired: true",
                "expire_at: -3",
                r#"info: b"{\"n\":2}""#,
            ],
            &["DisconnectRequest"],
            &["DisconnectRequest"],
        ];
        assert_eq!(log.len(), expected.len());
        for (line, parts) in log.iter().zip(expected) {
            for part in parts {
                assert!(line.contains(part), "{part} in {line}");
            }
        }
    }
}

#[tokio::test]
async fn a_command_that_did_not_arrive_is_sent_again_with_the_same_id() {
    let logs = pairs(&[("refresh", r#"{"user":"gone"}"#, UNANSWERED)]).await;
    for log in logs {
        assert_eq!(log.len(), 4);
    }
}

#[tokio::test]
async fn info_and_rpc() {
    pairs(&[
        ("info", "{}", r#"{"result":{"nodes":[{"uid":"u","name":"n","version":"0","num_clients":0,"num_users":0,"num_channels":0,"metrics":{"interval":60,"items":{"a.b":1.5}},"num_subs":0}]}}"#),
        ("rpc", "{}", BAD_REQUEST),
        ("rpc", r#"{"method":"x","params":{}}"#, NOT_FOUND),
    ])
    .await;
}

#[tokio::test]
async fn channels_are_listed_by_pages_or_all() {
    let logs = pairs(&[
        ("channels", r#"{"limit":2}"#, r#"{"result":{"channels":{"c00000":{"num_clients":1},"c00001":{"num_clients":1}},"next_cursor":"c00001"}}"#),
        ("channels", r#"{"limit":2,"cursor":"c24997"}"#, r#"{"result":{"channels":{"c24998":{"num_clients":1},"c24999":{"num_clients":1}}}}"#),
        ("channels", r#"{"limit":2,"cursor":"d"}"#, r#"{"result":{"channels":{}}}"#),
        ("channels", r#"{"limit":-1}"#, BAD_REQUEST),
        ("channels", r#"{"pattern":"["}"#, BAD_REQUEST),
        ("channels", r#"{"pattern":"down"}"#, UNANSWERED),
    ])
    .await;
    for log in logs {
        assert_eq!(log[0], r#"channels after "" limit 2"#);
    }
    let world = World::new().await;
    let (_, all) = world.post("/api/channels", "{}").await;
    assert_eq!(all.matches("num_clients").count(), 25_000);
    assert!(!all.contains("next_cursor"));
    let (_, longest) = world.post("/api/channels", r#"{"limit":2147483647}"#).await;
    assert_eq!(longest.matches("num_clients").count(), 10_000);
    assert_eq!(
        world.fake.take_log(),
        [
            r#"channels after "" limit 10000"#,
            r#"channels after "c09999" limit 10000"#,
            r#"channels after "c19999" limit 10000"#,
            r#"channels after "" limit 10000"#,
        ]
    );
}

#[tokio::test]
async fn connections_are_listed_by_pages_or_all() {
    let logs = pairs(&[
        ("connections", "{}", BAD_REQUEST),
        ("connections", r#"{"cursor":"c","limit":1}"#, BAD_REQUEST),
        ("connections", r#"{"user":"1","limit":-1}"#, BAD_REQUEST),
        ("connections", r#"{"label_filter":{"key":"tier","cmp":"is"}}"#, BAD_REQUEST),
        ("connections", r#"{"expression":"user =="}"#, r#"{"error":{"code":107,"message":"bad request: not an expression: mismatched input '<EOF>' expecting expression at 1:8"}}"#),
        ("connections", r#"{"user":"1","expression":"size(user)"}"#, r#"{"error":{"code":107,"message":"bad request: the expression has to be true or false"}}"#),
        ("connections", r#"{"user":"down"}"#, INTERNAL),
        ("connections", r#"{"user":"1","limit":1}"#, r#"{"result":{"connections":{"c-1":{"transport":"websocket","user":"1","ping_pong_latency_ms":-1}},"next_cursor":"c-1"}}"#),
        // The page's third has just ended, which is no reason to stop.
        ("connections", r#"{"user":"1","limit":1,"cursor":"c-2"}"#, r#"{"result":{"connections":{}}}"#),
        ("connections", r#"{"label_filter":{"key":"tier","cmp":"nex"}}"#, r#"{"result":{"connections":{"c-1":{"transport":"websocket","ping_pong_latency_ms":-1},"c-2":{"transport":"websocket","ping_pong_latency_ms":-1}}}}"#),
    ])
    .await;
    for log in logs {
        assert_eq!(log.last().unwrap(), r#"connections after "" limit 1000"#);
    }
    let logs = pairs(&[
        ("connections", r#"{"user":"1","limit":1,"expression":"client == 'c-2'"}"#, r#"{"result":{"connections":{"c-1":{"transport":"websocket","user":"1","ping_pong_latency_ms":-1}},"next_cursor":"c-1"}}"#),
    ])
    .await;
    for log in logs {
        assert_eq!(
            log.last().unwrap(),
            r#"connections after "" limit 1 if client == 'c-2'"#
        );
    }
}

#[tokio::test]
async fn batch() {
    let logs = pairs(&[
        ("batch", "{}", "{}"),
        ("batch", r#"{"commands":[]}"#, "{}"),
        ("batch", r#"{"commands":[{"publish":{"channel":"hist:a","data":1}},{"history":{"channel":"hist:a","limit":1}},{},{"publish":{}},{"presence_stats":{"channel":"who:a"},"publish":{"channel":"a","data":2}},{"map_stats":{}}]}"#,
            r#"{"replies":[{"publish":{"offset":1,"epoch":"life"}},{"history":{"publications":[{"data":1,"offset":1}],"epoch":"life","offset":1}},{"error":{"code":104,"message":"not found"}},{"error":{"code":107,"message":"bad request"}},{"publish":{}},{"error":{"code":108,"message":"not available"}}]}"#),
        ("batch", r#"{"commands":[{"presence_stats":{"channel":"who:a"}},{"rpc":{"method":"x"}},{"disconnect":{"user":"1"}}],"parallel":true}"#,
            r#"{"replies":[{"presence_stats":{"num_clients":3,"num_users":2}},{"error":{"code":104,"message":"not found"}},{"disconnect":{}}]}"#),
    ])
    .await;
    for log in logs {
        assert_eq!(log.len(), 3);
    }
    let world = World::new().await;
    let nulls = r#"{"commands":[null,{"unheard_of":{}}]}"#;
    let replies = r#"{"replies":[{"error":{"code":107,"message":"bad request"}},{"error":{"code":104,"message":"not found"}}]}"#;
    assert_eq!(world.post("/api/batch", nulls).await.1, replies);
}

#[tokio::test]
async fn what_comes_later_says_so_over_both_transports() {
    let later = [
        "device_register",
        "map_publish",
        "send_push_notification",
        "shared_poll_publish",
    ];
    for method in later {
        pairs(&[(method, "{}", NOT_AVAILABLE)]).await;
    }
    assert_eq!(MethodId::COUNT, 39);
}

#[tokio::test]
async fn legacy_commands_are_answered_line_by_line() {
    let world = World::new().await;
    let body = r#"{"id":1,"method":"Publish","params":{"channel":"hist:a","data":1}}
        {"id":2,"method":5,"params":{"channel":"who:a"}} {"params":{"channel":"a","data":2}}
        {"id":4,"method":13,"params":{}}{"id":5,"method":"publish"}{"id":6,"method":"history","params":7}
        {"id":7,"method":"map_stats","params":{}}"#;
    let expected = r#"{"id":1,"result":{"offset":1,"epoch":"life"}}
{"id":2,"result":{"num_clients":3,"num_users":2}}
{"result":{}}
{"id":4,"error":{"code":104,"message":"not found"}}
{"id":5,"error":{"code":107,"message":"bad request"}}
{"id":6,"error":{"code":107,"message":"bad request"}}
{"id":7,"error":{"code":108,"message":"not available"}}"#;
    assert_eq!(world.post("/api", body).await.1, expected);
    assert_eq!(world.fake.take_log().len(), 2);

    for broken in [
        "",
        " ",
        "{",
        r#"{"method":"nope","params":{}}"#,
        r#"{"method":"batch","params":{}}"#,
    ] {
        assert_eq!(
            world.post("/api", broken).await,
            (400.try_into().unwrap(), "Bad Request".to_owned())
        );
    }
    let half = r#"{"params":{"channel":"a","data":1}}{"method":"nope"}"#;
    assert_eq!(world.post("/api", half).await.0, 400);
    assert_eq!(world.fake.take_log(), [r#"publish a b"1""#]);
}

#[tokio::test]
async fn calls_and_errors_are_counted_by_their_own_method() {
    let world = World::new().await;
    world
        .post("/api/publish", r#"{"channel":"a","data":1}"#)
        .await;
    world.post("/api/publish", "{").await;
    world
        .post(
            "/api/batch",
            r#"{"commands":[{"publish":{"channel":"nope:x","data":1}}]}"#,
        )
        .await;
    world.grpc("history", "{}", METADATA).await.unwrap();
    world
        .post("/api/broadcast", r#"{"channels":["a","nope:x"],"data":1}"#)
        .await;
    world.grpc("history", "{}", &[]).await.unwrap_err();
    let no_key = Request::post("/api/info").body(Body::empty()).unwrap();
    world.send(no_key).await;
    let text = world.telemetry.encode().unwrap();
    for line in [
        r#"gyre_api_command_duration_seconds_histogram_count{method="publish",protocol="http"} 2"#,
        r#"gyre_api_command_duration_seconds_histogram_count{method="history",protocol="grpc"} 1"#,
        r#"gyre_api_command_errors_total{error="unmarshal",method="publish",protocol="http"} 1"#,
        r#"gyre_api_command_errors_total{error="102",method="publish",protocol="http"} 1"#,
        r#"gyre_api_command_errors_total{error="107",method="history",protocol="grpc"} 1"#,
        r#"gyre_api_command_errors_total{error="102",method="broadcast_publish",protocol="http"} 1"#,
        r#"gyre_api_command_errors_total{error="101",method="",protocol="grpc"} 1"#,
        r#"gyre_api_command_errors_total{error="101",method="info",protocol="http"} 1"#,
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}
