//! Messages and their bytes. The Protobuf bytes come from another implementation of Protobuf.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of a test file count as no test"
)]

use bytes::Bytes;
use gyre_protocol::frame::{Commands, Messages};
use gyre_protocol::{Format, Received, encode_push, encode_reply};

/// Commands: the text, and the bytes without the length before them.
const COMMANDS: [(&str, &str); 7] = [
    (
        r#"{"id":1,"connect":{"token":"t","data":{},"subs":{"a":{"recover":true,"epoch":"e","offset":1}},"name":"js","headers":{"h":"v"},"flag":1}}"#,
        "080122230a017412027b7d1a0c0a016112071801320165380122026a7332060a01681201763801",
    ),
    (
        r#"{"id":2,"subscribe":{"channel":"a","recover":true,"epoch":"e","offset":300,"positioned":true,"delta":"fossil","tf":{"op":"and","nodes":[{"key":"t","cmp":"in","vals":["x","y"]}]},"flag":3,"type":1,"phase":2,"cursor":"k","limit":-1,"asc":true}}"#,
        "08022a450a0161180132016538ac0248016206666f7373696c6a140a03616e64320d1201741a02696e2a01782a0179700378018001028a01016b9001ffffffffffffffffff01980101",
    ),
    (
        r#"{"id":4294967295,"publish":{"channel":"a","data":{"x":1},"type":1,"key":"k","removed":true}}"#,
        "08ffffffff0f3a130a016112077b2278223a317d180122016b2801",
    ),
    (
        r#"{"id":3,"history":{"channel":"a","limit":-1,"since":{"offset":1,"epoch":"e"},"reverse":true}}"#,
        "080352170a016138ffffffffffffffffff01420508011201654801",
    ),
    (
        r#"{"id":5,"rpc":{"data":1,"method":"m"}}"#,
        "08056a060a013112016d",
    ),
    (
        r#"{"id":6,"sub_refresh":{"channel":"a","type":1,"track":[{"signature":"s","items":[{"key":"k","version":9}]}],"untrack":["u"]}}"#,
        "08067a140a01611801220a0a017312050a016b10092a0175",
    ),
    (r#"{"send":{"data":1}}"#, "62030a0131"),
];

/// Replies and pushes: the text, and the bytes without the length before them.
const RECEIVED: [(&str, &str); 10] = [
    (
        r#"{"id":1,"connect":{"client":"c1","version":"0.1.0 OSS","ping":25,"pong":true,"time":-1}}"#,
        "08012a1e0a0263311209302e312e30204f53533819400158ffffffffffffffffff01",
    ),
    (
        r#"{"id":2,"error":{"code":111,"message":"too many requests","temporary":true}}"#,
        "08021217086f1211746f6f206d616e792072657175657374731801",
    ),
    (
        r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","publications":[{"data":1,"offset":1,"epoch":"e"}],"recovered":true,"positioned":true,"was_recovering":true,"delta":true,"id":5,"type":1,"publish_debounce":100}}"#,
        "0802321e18013201653a082201313001720165400150016001680170057801980164",
    ),
    (
        r#"{"id":2,"presence":{"presence":{"c1":{"user":"42","client":"c1","conn_info":{"a":1}}}}}"#,
        "08024a190a170a02633112110a023432120263311a077b2261223a317d",
    ),
    (
        r#"{"id":2,"history":{"publications":[],"epoch":"","offset":0}}"#,
        "08025a00",
    ),
    (r#"{"id":2,"unsubscribe":{}}"#, "08023a00"),
    (
        r#"{"push":{"channel":"a","pub":{"data":{"x":1},"info":{"user":"42","client":"c1","conn_info":{"a":1}},"offset":300,"tags":{"t":"x"},"key":"k","removed":true,"score":-3,"version":7}}}"#,
        "2236120161223122077b2278223a317d2a110a023432120263311a077b2261223a317d30ac023a060a01741201785a016b60016805800107",
    ),
    (
        r#"{"push":{"id":7,"join":{"info":{"user":"","client":"c1"}}}}"#,
        "220a08072a060a0412026331",
    ),
    (
        r#"{"push":{"channel":"a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#,
        "221c1201613a1710c4131a12696e73756666696369656e74207374617465",
    ),
    (
        r#"{"push":{"connect":{"client":"c1","subs":{"a":{}},"ping":25,"session":"s"}}}"#,
        "221252100a02633122050a0161120038194a0173",
    ),
];

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// The bytes behind their length, which is below 128.
fn delimited(hex: &str) -> Bytes {
    let bytes = bytes(hex);
    let len = u8::try_from(bytes.len()).unwrap();
    [vec![len], bytes].concat().into()
}

#[test]
fn commands_have_their_bytes() {
    for (text, hex) in COMMANDS {
        let forms = [
            (Format::Json, Bytes::from_static(text.as_bytes())),
            (Format::Protobuf, delimited(hex)),
        ];
        let commands = forms.map(|(format, frame)| {
            let command = Commands::new(format, frame.clone(), usize::MAX).next_command();
            let command = command.unwrap().unwrap();
            assert_eq!(command.encode(format).unwrap(), frame, "{text}");
            command
        });
        assert_eq!(commands[0], commands[1]);
    }
}

#[test]
fn replies_and_pushes_have_their_bytes() {
    for (text, hex) in RECEIVED {
        let forms = [
            (Format::Json, Bytes::from_static(text.as_bytes())),
            (Format::Protobuf, delimited(hex)),
        ];
        let received = forms.map(|(format, frame)| {
            let received = Messages::new(format, frame.clone(), usize::MAX).next_received();
            let received = received.unwrap().unwrap();
            assert_eq!(encoded(format, &received), frame, "{text}");
            received
        });
        assert_eq!(received[0], received[1]);
    }
}

fn encoded(format: Format, received: &Received) -> Bytes {
    match received {
        Received::Reply(reply) => encode_reply(format, reply),
        Received::Push(push) => encode_push(format, gyre_protocol::Envelope::Reply, push),
        Received::Ping => Ok(gyre_protocol::frame::ping(format).into()),
    }
    .unwrap()
}
