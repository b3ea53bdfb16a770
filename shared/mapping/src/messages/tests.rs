use std::collections::BTreeMap;

use bytes::Bytes;
use gyre_proto::api::{
    BatchResponse, BroadcastResult, ClientInfo, Command, DisconnectRequest, Error, FilterNode,
    HistoryRequest, HistoryResult, InfoResult, Metrics, NodeResult, PresenceResult,
    PresenceStatsResult, Publication, PublishRequest, PublishResponse, PublishResult, Reply,
    RpcRequest, StreamPosition, SubscribeOptionOverride, SubscribeRequest, SubscribeResult,
};
use proptest::prelude::*;
use prost::Message as _;

use super::BatchRequest;
use crate::{Message, read, write};

fn parsed<M: Message>(json: &str) -> Option<M> {
    read(&Bytes::copy_from_slice(json.as_bytes())).ok()
}

fn printed<M: Message>(message: &M) -> String {
    let mut out = Vec::new();
    write(message, &mut out);
    String::from_utf8(out).unwrap()
}

/// Messages of a package with their fields as the `.proto` has them.
fn described(package: &str) -> BTreeMap<String, Vec<String>> {
    let set = prost_types::FileDescriptorSet::decode(gyre_proto::DESCRIPTORS).unwrap();
    set.file
        .into_iter()
        .filter(|file| file.package() == package)
        .flat_map(|file| file.message_type)
        .map(|message| {
            let fields = message.field.iter().map(|field| field.name().to_owned());
            (message.name().to_ascii_lowercase(), fields.collect())
        })
        .collect()
}

/// Compares tables with the `.proto`, and tells how many messages there are.
fn compare(package: &str, rows: &[&[(&str, &[&str])]]) -> usize {
    let tables: BTreeMap<String, Vec<String>> = rows
        .iter()
        .copied()
        .flatten()
        .map(|(name, fields)| {
            let fields = fields.iter().map(|field| (*field).to_owned());
            (name.to_ascii_lowercase(), fields.collect())
        })
        .collect();
    let described = described(package);
    for (name, fields) in &described {
        assert_eq!(tables.get(name), Some(fields), "{name}");
    }
    assert_eq!(tables.len(), described.len());
    described.len()
}

#[test]
fn every_message_and_every_field_has_its_row() {
    let api = [
        super::batch::ROWS,
        super::channels::ROWS,
        super::common::ROWS,
        super::connections::ROWS,
        super::devices::ROWS,
        super::maps::ROWS,
        super::publications::ROWS,
        super::push::ROWS,
        super::users::ROWS,
    ];
    assert_eq!(compare("centrifugal.centrifugo.api", &api), 163);
    let proxy = [super::events::ROWS];
    assert_eq!(compare("centrifugal.centrifugo.proxy", &proxy), 46);
}

#[test]
fn no_name_is_longer_than_a_key_may_be() {
    let longest = ["centrifugal.centrifugo.api", "centrifugal.centrifugo.proxy"]
        .into_iter()
        .flat_map(described)
        .flat_map(|(_, fields)| fields)
        .map(|name| name.len())
        .max();
    assert!(longest.unwrap() <= crate::key::Key::LEN_MAX);
}

#[test]
fn a_publish_is_read_with_its_payload_as_it_stands() {
    let body = Bytes::from_static(
        br#" {"channel":"a:b", "data": { "n" : [1, "\u00e9"] } ,"tags":{"k":"v"},"delta":true,
             "version":18446744073709551615,"version_epoch":"x","skip_history":false} "#,
    );
    let request: PublishRequest = read(&body).unwrap();
    assert_eq!(request.channel, "a:b");
    assert_eq!(request.data, r#"{ "n" : [1, "\u00e9"] }"#);
    assert!(
        body.as_ptr_range().contains(&request.data.as_ptr()),
        "a slice of the body, no copy"
    );
    assert_eq!(request.tags["k"], "v");
    assert_eq!(request.version, u64::MAX);
    assert!(request.delta);
}

#[test]
fn keys_are_read_without_regard_to_case_and_the_last_of_several_wins() {
    let request: PublishRequest =
        parsed(r#"{"CHANNEL":"a","Data":1,"b64Data":"","channel":"b","d\u0061ta":2,"x":{"y":[]}}"#)
            .unwrap();
    assert_eq!(
        (request.channel.as_str(), request.data.as_ref()),
        ("b", &b"2"[..])
    );
}

#[test]
fn null_is_an_absent_value_but_a_payload() {
    assert_eq!(
        parsed::<PublishRequest>("null"),
        Some(PublishRequest::default())
    );
    let request: PublishRequest =
        parsed(r#"{"channel":null,"data":null,"tags":null,"version":null,"delta":null}"#).unwrap();
    assert_eq!(
        request,
        PublishRequest {
            data: Bytes::from_static(b"null"),
            ..Default::default()
        }
    );
    let history: HistoryRequest = parsed(r#"{"since":{"offset":1},"since":null}"#).unwrap();
    assert_eq!(history.since, None);
    let batch: BatchRequest =
        parsed(r#"{"commands":[null,{},{"publish":null},{"info":{}}]}"#).unwrap();
    let info = Command {
        info: Some(Box::default()),
        ..Command::default()
    };
    assert_eq!(
        batch.commands,
        [
            None,
            Some(Command::default()),
            Some(Command::default()),
            Some(info)
        ]
    );
    let lists: DisconnectRequest = parsed(r#"{"whitelist":["a",null],"whitelist":null}"#).unwrap();
    assert!(lists.whitelist.is_empty());
}

#[test]
fn messages_given_in_parts_are_joined() {
    let history: HistoryRequest =
        parsed(r#"{"since":{"offset":7},"since":{"epoch":"e"},"limit":-1}"#).unwrap();
    assert_eq!(
        history.since,
        Some(StreamPosition {
            offset: 7,
            epoch: "e".into()
        })
    );
    assert_eq!(history.limit, -1);
}

#[test]
fn what_is_not_the_form_is_refused() {
    for broken in [
        "",
        " ",
        "{",
        "[]",
        "1",
        r#""""#,
        "true",
        "{}x",
        "{} {}",
        "{\"channel\":1}",
        r#"{"channel":["a"]}"#,
        r#"{"channel":{}}"#,
        r#"{"delta":1}"#,
        r#"{"delta":"true"}"#,
        r#"{"version":"1"}"#,
        r#"{"version":-1}"#,
        r#"{"version":1.0}"#,
        r#"{"version":1e2}"#,
        r#"{"version":18446744073709551616}"#,
        r#"{"tags":[]}"#,
        r#"{"tags":{"a":1}}"#,
        r#"{"data":}"#,
        r#"{"data":{]}"#,
        r#"{"data":nul}"#,
        r#"{"x":[1,]}"#,
        r#"{"channel":"a"#,
        r#"{"channel":"a",}"#,
        r#"{channel:"a"}"#,
        "{\"channel\":\"\n\"}",
    ] {
        assert_eq!(parsed::<PublishRequest>(broken), None, "{broken}");
    }
    assert_eq!(parsed::<HistoryRequest>(r#"{"limit":2147483648}"#), None);
    assert_eq!(parsed::<HistoryRequest>(r#"{"since":[]}"#), None);
    assert_eq!(parsed::<HistoryRequest>(r#"{"since":1}"#), None);
    assert_eq!(parsed::<BatchRequest>(r#"{"commands":{}}"#), None);
    assert_eq!(parsed::<BatchRequest>(r#"{"commands":[1]}"#), None);
    assert!(read::<PublishRequest>(&Bytes::from_static(b"{\"data\":\"\xff\"}")).is_err());
}

#[test]
fn strings_that_are_not_text_are_mended() {
    let request: PublishRequest = parsed(r#"{"channel":"a\ud800b\n\u00e9"}"#).unwrap();
    assert!(
        request.channel.starts_with("a\u{fffd}"),
        "{}",
        request.channel
    );
    assert!(request.channel.ends_with("b\n\u{e9}"));
}

#[test]
fn deep_nesting_is_bounded_where_it_costs_stack() {
    let deep = format!(
        r#"{{"data":{}1{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(
        parsed::<PublishRequest>(&deep).is_some(),
        "a payload is not descended into"
    );
    let open = r#"{"nodes":["#;
    let filter = |depth| format!("{}{}", open.repeat(depth), "]}".repeat(depth));
    assert!(parsed::<FilterNode>(&filter(40)).is_some());
    assert!(parsed::<FilterNode>(&filter(100_000)).is_none());
}

#[test]
fn selectors_and_overrides_are_read() {
    let request: SubscribeRequest = parsed(
        r#"{"user":"1","override":{"presence":{"value":true},"join_leave":{}},
            "label_filter":{"op":"or","nodes":[{"key":"a","cmp":"in","vals":["x","y"]}]}}"#,
    )
    .unwrap();
    let SubscribeOptionOverride {
        presence,
        join_leave,
        force_recovery,
        ..
    } = request.r#override.unwrap();
    assert!(presence.unwrap().value);
    assert!(!join_leave.unwrap().value);
    assert_eq!(force_recovery, None);
    assert_eq!(request.label_filter.unwrap().nodes[0].vals, ["x", "y"]);
}

#[test]
fn parameters_may_be_any_json() {
    for params in ["null", "1", r#""x""#, "[1, 2]", r#"{"a":{}}"#] {
        let request: RpcRequest =
            parsed(&format!(r#"{{"method":"m","params": {params} }}"#)).unwrap();
        assert_eq!(request.params, params);
    }
}

#[test]
fn zeros_are_left_out_but_for_the_listed() {
    assert_eq!(printed(&SubscribeResult {}), "{}");
    assert_eq!(printed(&PublishResult::default()), "{}");
    assert_eq!(
        printed(&HistoryResult::default()),
        r#"{"publications":[],"epoch":"","offset":0}"#
    );
    assert_eq!(printed(&PresenceResult::default()), r#"{"presence":{}}"#);
    assert_eq!(
        printed(&PresenceStatsResult::default()),
        r#"{"num_clients":0,"num_users":0}"#
    );
    assert_eq!(
        printed(&ClientInfo::default()),
        r#"{"user":"","client":""}"#
    );
    assert_eq!(
        printed(&NodeResult::default()),
        r#"{"uid":"","name":"","version":"","num_clients":0,"num_users":0,"num_channels":0,"num_subs":0}"#,
    );
}

#[test]
fn numbers_are_numbers_and_payloads_are_json() {
    let publication = Publication {
        data: Bytes::from_static(br#"{"a": 1}"#),
        offset: u64::MAX,
        tags: [("b", "\"\u{1}"), ("a", "\u{e9}")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        info: None,
    };
    assert_eq!(
        printed(&publication),
        "{\"data\":{\"a\": 1},\"offset\":18446744073709551615,\
         \"tags\":{\"a\":\"\u{e9}\",\"b\":\"\\\"\\u0001\"}}",
    );
    let metrics = Metrics {
        interval: 60.0,
        items: [("x".to_owned(), 0.5), ("y".to_owned(), f64::NAN)].into(),
    };
    let node = NodeResult {
        metrics: Some(metrics),
        ..NodeResult::default()
    };
    assert!(
        printed(&InfoResult {
            nodes: vec![node],
            unanswered: Vec::new(),
        })
        .contains(r#""metrics":{"interval":60,"items":{"x":0.5,"y":0}}"#)
    );
}

#[test]
fn bytes_that_are_not_json_stand_beside_as_base64() {
    let info = ClientInfo {
        conn_info: Bytes::from_static(b"\x00\x01\x02"),
        chan_info: Bytes::from_static(b"\"\xff\""),
        ..ClientInfo::default()
    };
    assert_eq!(
        printed(&info),
        r#"{"user":"","client":"","b64conn_info":"AAEC","b64chan_info":"Iv8i"}"#,
    );
    let publication = Publication {
        data: Bytes::from_static(b"1 2"),
        ..Publication::default()
    };
    assert_eq!(printed(&publication), r#"{"b64data":"MSAy"}"#);
}

#[test]
fn replies_hold_the_result_without_an_envelope() {
    let error = Error {
        code: 102,
        message: "unknown channel".into(),
        unanswered: Vec::new(),
    };
    let replies = vec![
        Reply {
            publish: Some(Box::default()),
            ..Reply::default()
        },
        Reply {
            error: Some(Box::new(error.clone())),
            ..Reply::default()
        },
    ];
    assert_eq!(
        printed(&BatchResponse { replies }),
        r#"{"replies":[{"publish":{}},{"error":{"code":102,"message":"unknown channel"}}]}"#,
    );
    let responses = vec![
        PublishResponse {
            error: None,
            result: Some(PublishResult::default()),
        },
        PublishResponse {
            error: Some(error),
            result: None,
        },
    ];
    assert_eq!(
        printed(&BroadcastResult { responses }),
        r#"{"responses":[{"result":{}},{"error":{"code":102,"message":"unknown channel"}}]}"#,
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let bytes = Bytes::from(bytes);
        let _ = read::<PublishRequest>(&bytes);
        let _ = read::<BatchRequest>(&bytes);
    }

    #[test]
    fn what_looks_like_json_is_read_or_refused(text in r#"[{}\[\]":,a-z0-9\\u. -]{0,60}"#) {
        let _ = parsed::<SubscribeRequest>(&text);
        let _ = parsed::<BatchRequest>(&text);
    }

    #[test]
    fn what_is_printed_is_read_again(
        channel: String,
        key: String,
        tags in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..4),
        version: u64,
        delta: bool,
    ) {
        let message = PublishRequest {
            channel, tags, version, delta,
            idempotency_key: key,
            data: Bytes::from_static(b"[1]"),
            ..PublishRequest::default()
        };
        prop_assert_eq!(parsed::<PublishRequest>(&printed(&message)), Some(message));
    }
}
