use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};
use serde_json::Value;
use serde_json::value::RawValue;

use super::*;
use crate::Format;
use crate::messages::{
    ClientInfo, ConnectRequest, FilterNode, HistoryRequest, HistoryResult, MessagePush,
    PresenceResult, PresenceStatsResult, PublishRequest, RpcResult, SubRefreshRequest,
    SubscribeRequest, SubscribeResult, UnsubscribePush,
};

fn read<M: Message>(text: &str) -> Result<M, DecodeError> {
    decode(&Bytes::copy_from_slice(text.as_bytes()))
}

fn written<M: crate::codec::Encode>(message: &M) -> String {
    let text = encode(message).expect("payloads are JSON");
    String::from_utf8(text.to_vec()).expect("JSON is UTF-8")
}

fn malformed(at: usize, expected: &'static str) -> DecodeError {
    DecodeError::Malformed { at, expected }
}

#[test]
fn values_are_valid() {
    let valid = [
        "0",
        "-0",
        "1.5",
        "1e9",
        "-1.0E-3",
        "true",
        "false",
        "null",
        "\"\"",
        "[]",
        "{}",
        " [ ] ",
        "\r\n\t{ \"a\" : [ 1 , { } ] , \"\" : null }\n",
        "\"\\u00e9\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\ud800\"",
        "[[[]],{\"a\":{}}]",
        "\"\u{7f}é\u{2028}\"",
    ];
    for text in valid {
        assert!(is_valid(text.as_bytes()), "{text}");
    }
}

#[test]
fn what_is_no_value_is_not_valid() {
    let invalid = [
        "",
        " ",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x1",
        "tru",
        "True",
        "nul",
        "NaN",
        "\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12\"",
        "\"\t\"",
        "\"\0\"",
        "'a'",
        "[",
        "]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "}",
        "{a:1}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{1:2}",
        "[}",
        "{]",
        "[1}",
        "{\"a\":1]",
        "1 2",
        "{}{}",
        "null\0",
        "\0",
        "[\0]",
    ];
    for text in invalid {
        assert!(!is_valid(text.as_bytes()), "{text:?}");
    }
    assert!(!is_valid(b"\"\xff\""), "JSON is UTF-8");
}

#[test]
fn an_object_is_told_from_other_values() {
    assert!(is_object(b" {\"a\":1} "));
    for text in ["[]", "null", "\"{}\"", "{", "{}1", ""] {
        assert!(!is_object(text.as_bytes()), "{text:?}");
    }
}

#[test]
fn nesting_is_bounded_without_recursion() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| {
            let inner = if open == "[" { "" } else { "0" };
            open.repeat(depth) + inner + &close.repeat(depth)
        };
        assert!(is_valid(nested(10_000).as_bytes()));
        assert!(!is_valid(nested(10_001).as_bytes()));
        assert!(!is_valid(open.repeat(1_000_000).as_bytes()));
    }
    // Each level closes with what it was opened with, also across words of the stack.
    let mixed = "[{\"a\":".repeat(150) + "1" + &"}]".repeat(150);
    assert!(is_valid(mixed.as_bytes()));
    let swapped = "[{\"a\":".repeat(150) + "1" + &"}]".repeat(20) + &"]}".repeat(130);
    assert!(!is_valid(swapped.as_bytes()));
}

#[test]
fn messages_nest_to_a_depth() {
    let nested = |depth: usize| "{\"nodes\":[".repeat(depth) + "{}" + &"]}".repeat(depth);
    assert!(read::<FilterNode>(&nested(99)).is_ok());
    let too_deep = DecodeError::TooDeep { limit: 100 };
    assert_eq!(read::<FilterNode>(&nested(100)), Err(too_deep));
    assert_eq!(
        read::<FilterNode>(&"{\"nodes\":[".repeat(100_000)),
        Err(too_deep)
    );
}

#[test]
fn unknown_members_are_stepped_over_and_checked() {
    let request: PublishRequest =
        read(r#"{"x":{"y":[1,"\"",null]},"channel":"a","z":-1.5e3}"#).unwrap();
    assert_eq!(request.channel, "a");
    assert_eq!(
        read::<PublishRequest>(r#"{"x":[1,]}"#),
        Err(malformed(8, "a value"))
    );
}

#[test]
fn names_match_without_regard_to_case() {
    let request: SubscribeRequest =
        read(r#"{"CHANNEL":"a","Join_Leave":true,"\u0074oken":"t"}"#).unwrap();
    assert_eq!((request.channel.as_str(), request.join_leave), ("a", true));
    assert_eq!(request.token, "t");
    // Only ASCII letters have two cases: the Kelvin sign is not a k.
    let request: SubscribeRequest = read(r#"{"to\u212aen":"t"}"#).unwrap();
    assert_eq!(request.token, "");
}

#[test]
fn a_trailing_underscore_is_not_part_of_a_name() {
    let request: PublishRequest = read(r#"{"type":1,"type_":2}"#).unwrap();
    assert_eq!(request.type_, 1);
    assert_eq!(written(&request), r#"{"type":1}"#);
}

#[test]
fn null_is_absent() {
    let text = r#"{"channel":null,"recover":null,"offset":null,"tf":null,"type":null}"#;
    assert_eq!(read(text), Ok(SubscribeRequest::default()));
    assert_eq!(read("null"), Ok(SubscribeRequest::default()));
    assert_eq!(
        read(r#"{"vals":null,"nodes":null}"#),
        Ok(FilterNode::default())
    );
    assert_eq!(
        read(r#"{"subs":null,"headers":null}"#),
        Ok(ConnectRequest::default())
    );

    let node: FilterNode = read(r#"{"vals":["a",null],"nodes":[null]}"#).unwrap();
    assert_eq!(node.vals, ["a", ""]);
    assert_eq!(node.nodes, [FilterNode::default()]);
}

#[test]
fn a_null_subscription_is_an_empty_one_and_one_without_a_name_is_dropped() {
    let request: ConnectRequest = read(r#"{"subs":{"ch":null,"":{},"b":{"offset":1}}}"#).unwrap();
    let names: Vec<&str> = request.subs.keys().map(String::as_str).collect();
    assert_eq!(names, ["b", "ch"]);
    assert_eq!(request.subs["ch"], SubscribeRequest::default());
}

#[test]
fn a_payload_is_kept_as_it_is_written() {
    for payload in [
        "null",
        "{ \"a\" : 1.50,\t\"b\":[ ] }",
        "12345678901234567890",
        "\"\\u00e9\"",
    ] {
        let text = format!(r#"{{"data": {payload} ,"channel":"a"}}"#);
        let request: PublishRequest = read(&text).unwrap();
        assert_eq!(request.data, payload);
    }
    assert_eq!(read::<PublishRequest>("{}").unwrap().data, "");
}

#[test]
fn a_payload_shares_the_frame() {
    let frame = Bytes::from_static(br#"{"data":{"a":1}}"#);
    let request: PublishRequest = decode(&frame).unwrap();
    assert_eq!(request.data.as_ptr(), frame.slice(8..).as_ptr());
}

#[test]
fn a_payload_must_be_utf8() {
    let frame = Bytes::from_static(b"{\"data\":\"\xff\"}");
    assert_eq!(
        decode::<PublishRequest>(&frame),
        Err(malformed(11, "a payload in UTF-8"))
    );
}

#[test]
fn integers_are_strict() {
    let wrong = [
        r#"{"offset":1e3}"#,
        r#"{"offset":1.0}"#,
        r#"{"offset":"1"}"#,
        r#"{"offset":-1}"#,
        r#"{"offset":-0}"#,
        r#"{"offset":18446744073709551616}"#,
        r#"{"offset":true}"#,
        r#"{"offset":01}"#,
        r#"{"offset":+1}"#,
        r#"{"offset":[]}"#,
        r#"{"type":2147483648}"#,
        r#"{"type":-2147483649}"#,
        r#"{"flag":9223372036854775808}"#,
        r#"{"limit":1.5}"#,
    ];
    for text in wrong {
        assert!(read::<SubscribeRequest>(text).is_err(), "{text}");
    }
    assert!(read::<PresenceStatsResult>(r#"{"num_users":4294967296}"#).is_err());

    let request: SubscribeRequest = read(
        r#"{"offset":18446744073709551615,"type":-2147483648,"flag":-9223372036854775808,"limit":-0}"#,
    )
    .unwrap();
    assert_eq!((request.offset, request.type_), (u64::MAX, i32::MIN));
    assert_eq!((request.flag, request.limit), (i64::MIN, 0));
}

#[test]
fn types_are_strict() {
    let wrong = [
        r#"{"channel":1}"#,
        r#"{"channel":{}}"#,
        r#"{"recover":1}"#,
        r#"{"recover":"true"}"#,
        r#"{"tf":[]}"#,
        r#"{"tf":"a"}"#,
        r#"{"channel":tru}"#,
        "[]",
        "1",
        "\"a\"",
        "true",
        "",
        " ",
        "{",
        r#"{"channel"}"#,
        r#"{"channel":"a",}"#,
        r#"{"channel":"a"} x"#,
    ];
    for text in wrong {
        assert!(read::<SubscribeRequest>(text).is_err(), "{text}");
    }
    assert!(read::<FilterNode>(r#"{"vals":"a"}"#).is_err());
    assert!(read::<FilterNode>(r#"{"vals":[1]}"#).is_err());
    assert!(read::<FilterNode>(r#"{"nodes":{}}"#).is_err());
    assert!(read::<ConnectRequest>(r#"{"subs":[]}"#).is_err());
    assert!(read::<ConnectRequest>(r#"{"headers":{"a":1}}"#).is_err());
}

#[test]
fn the_last_of_several_counts() {
    let request: SubscribeRequest = read(
        r#"{"channel":"a","data":1,"channel":"b","data":[2],"channel":null,"recover":true,"recover":false}"#,
    )
    .unwrap();
    assert_eq!((request.channel.as_str(), request.recover), ("b", false));
    assert_eq!(request.data, "[2]");

    // Objects merge, arrays don't, and null empties both.
    let node: FilterNode = read(r#"{"vals":["a","b"],"vals":["c"]}"#).unwrap();
    assert_eq!(node.vals, ["c"]);
    let request: HistoryRequest =
        read(r#"{"since":{"offset":1,"epoch":"e"},"since":{"offset":2}}"#).unwrap();
    let since = request.since.unwrap();
    assert_eq!((since.offset, since.epoch.as_str()), (2, "e"));
    let request: HistoryRequest = read(r#"{"since":{"offset":1},"since":null}"#).unwrap();
    assert_eq!(request.since, None);
    let request: ConnectRequest =
        read(r#"{"headers":{"a":"1","b":"2"},"headers":{"a":"3"}}"#).unwrap();
    assert_eq!(request.headers["a"], "3");
    assert_eq!(request.headers["b"], "2");
}

#[test]
fn strings_are_decoded() {
    let cases: [(&[u8], &str); 9] = [
        (br#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (br#""\u00e9\u0416\u20ac""#, "éЖ€"),
        (br#""\ud83d\uDE00""#, "😀"),
        (br#""\ud83d""#, "\u{fffd}"),
        (br#""\ude00x""#, "\u{fffd}x"),
        (br#""\ud83d\u0041""#, "\u{fffd}A"),
        (br#""\ud83d\ud83d\ude00\n""#, "\u{fffd}😀\n"),
        (b"\"a\xffb\xe2\x82\"", "a\u{fffd}b\u{fffd}\u{fffd}"),
        (b"\"\\n\xf0\x9f\x98\"", "\n\u{fffd}\u{fffd}\u{fffd}"),
    ];
    for (text, content) in cases {
        assert_eq!(string_content(text).as_deref(), Some(content));
    }
    for text in [
        r#""\x""#,
        r#""\u12""#,
        r#""\ud800\u12""#,
        "\"\n\"",
        "\"",
        "1",
        "\"a\"b",
        "",
    ] {
        assert_eq!(string_content(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn zeros_are_left_out_but_for_what_clients_always_read() {
    assert_eq!(written(&SubscribeResult::default()), "{}");
    assert_eq!(written(&RpcResult::default()), "{}");
    assert_eq!(written(&UnsubscribePush::default()), "{}");
    assert_eq!(
        written(&ClientInfo::default()),
        r#"{"user":"","client":""}"#
    );
    assert_eq!(written(&PresenceResult::default()), r#"{"presence":{}}"#);
    assert_eq!(
        written(&PresenceStatsResult::default()),
        r#"{"num_clients":0,"num_users":0}"#
    );
    assert_eq!(
        written(&HistoryResult::default()),
        r#"{"publications":[],"epoch":"","offset":0}"#
    );
    let request = SubscribeRequest {
        tf: Some(Box::default()),
        ..SubscribeRequest::default()
    };
    assert_eq!(written(&request), r#"{"tf":{}}"#);
}

#[test]
fn members_stand_in_the_order_of_the_schema_and_maps_are_sorted() {
    let request: ConnectRequest = read(
        r#"{ "profile":"p", "flag":1, "headers":{"b":"2","a":"1"}, "subs":{"y":{},"x":{"offset":9}}, "token":"t" }"#,
    )
    .unwrap();
    assert_eq!(
        written(&request),
        r#"{"token":"t","subs":{"x":{"offset":9},"y":{}},"headers":{"a":"1","b":"2"},"flag":1,"profile":"p"}"#
    );
    let request: SubRefreshRequest = read(
        r#"{"track":[{"items":[{"key":"a"},{"key":"b","version":2}]},{}],"untrack":["c","d"]}"#,
    )
    .unwrap();
    assert_eq!(
        written(&request),
        r#"{"track":[{"items":[{"key":"a"},{"key":"b","version":2}]},{}],"untrack":["c","d"]}"#
    );
}

#[test]
fn strings_are_safe_in_html() {
    let push = UnsubscribePush {
        code: 1,
        reason: "<a href=\"x\\y\">&'\u{2028}\u{2029}\u{2027}\n\r\t\u{8}\u{c}\u{1f}\u{7f}é".into(),
    };
    assert_eq!(
        written(&push),
        "{\"code\":1,\"reason\":\"\\u003ca href=\\\"x\\\\y\\\"\\u003e\\u0026'\\u2028\\u2029\u{2027}\
         \\n\\r\\t\\u0008\\u000c\\u001f\u{7f}é\"}"
    );
    let mut request = ConnectRequest::default();
    request.headers.insert("<".into(), "\n".into());
    assert_eq!(written(&request), r#"{"headers":{"\u003c":"\n"}}"#);
}

#[test]
fn payloads_lose_their_newlines_and_nothing_else() {
    let push = MessagePush {
        data: Bytes::from_static(b"\n{\r\n \"a<\":\t1,\n\n\"b\":\"\\n\"}\n"),
    };
    assert_eq!(written(&push), "{\"data\":{\r \"a<\":\t1,\"b\":\"\\n\"}}");
}

#[test]
fn a_payload_that_is_not_json_has_no_place() {
    for data in [&b"boom"[..], b"{", b"\"\xff\"", b"1 2", b"\"\n\"", b" "] {
        let push = MessagePush {
            data: Bytes::from_static(data),
        };
        assert_eq!(push.encode(Format::Json), Err(crate::NotJson));
        assert!(push.encode(Format::Protobuf).is_ok());
    }
    assert!(MessagePush::default().encode(Format::Json).is_ok());
}

#[test]
fn integers_are_bare_numbers() {
    let result: SubscribeResult = read(
        r#"{"ttl":4294967295,"offset":18446744073709551615,"id":-9223372036854775808,"type":-10}"#,
    )
    .unwrap();
    assert_eq!(
        written(&result),
        r#"{"ttl":4294967295,"offset":18446744073709551615,"id":-9223372036854775808,"type":-10}"#
    );
}

#[test]
fn the_buffer_has_the_size_of_the_text() {
    let request: ConnectRequest = read(
        r#"{"token":"t","data":[1],"subs":{"x":{"offset":90,"recover":true,"limit":-100},"y":{}},"headers":{"a":"1"},"flag":1}"#,
    )
    .unwrap();
    let text = encode(&request).unwrap();
    assert_eq!(write::estimate(&request), text.len());
    assert_eq!(write::estimate(&HistoryResult::default()), 41);
}

/// JSON text of a random value, with random blanks.
fn json_text() -> impl Strategy<Value = String> {
    let scalar = proptest::prop_oneof![
        "null|true|false",
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
        r#""([a-zéЖ😀 ]|\\["\\/bfnrt]|\\u[0-9a-f]{4})*""#,
    ];
    let blank = "[ \t\r\n]{0,2}";
    scalar.prop_recursive(8, 64, 4, move |value| {
        let element = (blank, value, blank).prop_map(|(a, value, b)| a + &value + &b);
        let list = vec(element.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(",")));
        let members = vec(("[a-z]{0,3}", element), 0..4).prop_map(|members| {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("\"{name}\":{value}"))
                .collect();
            format!("{{{}}}", members.join(","))
        });
        proptest::prop_oneof![list, members]
    })
}

fn serde_accepts(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text.trim_matches([' ', '\t', '\r', '\n'])).is_ok()
}

#[test]
fn another_parser_agrees() {
    proptest!(|(text in json_text())| {
        prop_assert_eq!(is_valid(text.as_bytes()), true);
        prop_assert_eq!(serde_accepts(&text), true);
    });
}

#[test]
fn another_parser_agrees_about_broken_text() {
    let replacement = proptest::sample::select(b"[]{}\",:\\0.e-ntu x\n\0".to_vec());
    proptest!(|(text in json_text(), edits in vec((any::<usize>(), replacement), 1..4))| {
        let mut bytes = text.into_bytes();
        for (at, byte) in edits {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let text = String::from_utf8_lossy(&bytes);
        prop_assert_eq!(is_valid(text.as_bytes()), serde_accepts(&text), "{:?}", text);
    });
}

#[test]
fn another_parser_reads_the_same_strings() {
    proptest!(|(content in "\\PC*|[\u{0}-\u{ff}]*")| {
        let text = serde_json::to_string(&content).unwrap();
        prop_assert_eq!(string_content(text.as_bytes()), Some(content.clone()));

        let mut quoted = Vec::new();
        quote(&content, &mut quoted);
        let read: Value = serde_json::from_slice(&quoted).unwrap();
        prop_assert_eq!(read, Value::String(content));
    });
}
