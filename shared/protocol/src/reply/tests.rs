use proptest::prelude::{any, prop_assert_eq, proptest};

use super::*;
use crate::codec::Message;
use crate::codec::sample::{Sample, Source};
use crate::command::COMMANDS;
use crate::frame::Messages;
use crate::push::{IN_REPLY, PushBody};

fn encoded(reply: &Reply) -> Bytes {
    encode_reply(Format::Json, reply).expect("payloads are JSON")
}

#[test]
fn the_table_of_commands_agrees_with_the_schema() {
    let fields = |key: &Key| (key.number, key.name);
    let schema: Vec<_> = ReplyMessage::KEYS.iter().map(fields).collect();
    for row in COMMANDS.iter().filter(|row| row.result.is_some()) {
        assert!(schema.contains(&fields(&row.result_key())), "{row:?}");
    }
    for key in [ID, ERROR, IN_REPLY] {
        assert!(schema.contains(&fields(&key)), "{key:?}");
    }
}

#[test]
fn requests_and_results_have_different_numbers_up_to_history() {
    for row in COMMANDS {
        let shift = row.result.map(|result| result - row.request);
        let expected = match row.name {
            "send" => None,
            "rpc" | "refresh" | "sub_refresh" => Some(0),
            _ => Some(1),
        };
        assert_eq!(shift, expected, "{}", row.name);
    }
}

#[test]
fn an_empty_result_is_there() {
    let reply = |body| Reply { id: 3, body };
    let texts = [
        (
            reply(ReplyBody::Unsubscribe(UnsubscribeResult {})),
            r#"{"id":3,"unsubscribe":{}}"#,
        ),
        (
            reply(ReplyBody::Publish(PublishResult {})),
            r#"{"id":3,"publish":{}}"#,
        ),
        (
            reply(ReplyBody::Rpc(RpcResult::default())),
            r#"{"id":3,"rpc":{}}"#,
        ),
        (
            reply(ReplyBody::Subscribe(Box::default())),
            r#"{"id":3,"subscribe":{}}"#,
        ),
    ];
    for (reply, text) in texts {
        assert_eq!(encoded(&reply), text);
    }
}

#[test]
fn an_error_is_encoded_as_its_message_is() {
    for error in codes::Error::ALL {
        for format in Format::ALL {
            assert_eq!(
                codec::encode(format, error),
                codec::encode(format, &error.to_message())
            );
        }
    }
    let reply = Reply {
        id: 1,
        body: ReplyBody::Error(codes::Error::TOO_MANY_REQUESTS),
    };
    assert_eq!(
        encoded(&reply),
        r#"{"id":1,"error":{"code":111,"message":"too many requests","temporary":true}}"#
    );
}

#[test]
fn a_payload_that_is_not_json_is_told() {
    let reply = Reply {
        id: 1,
        body: ReplyBody::Rpc(RpcResult {
            data: Bytes::from_static(&[0xff]),
        }),
    };
    assert_eq!(encode_reply(Format::Json, &reply), Err(NotJson));
    assert!(encode_reply(Format::Protobuf, &reply).is_ok());
}

#[test]
fn what_is_received_is_a_ping_a_push_or_a_reply() {
    let received = |text| Received::decode(Format::Json, &Bytes::from_static(text));
    assert_eq!(received(b"{}"), Ok(Received::Ping));
    assert!(matches!(
        received(br#"{"push":{"join":{}}}"#),
        Ok(Received::Push(Push {
            body: PushBody::Join(_),
            ..
        }))
    ));
    assert!(matches!(
        received(br#"{"id":2,"presence":{"presence":{}}}"#),
        Ok(Received::Reply(Reply {
            id: 2,
            body: ReplyBody::Presence(_)
        }))
    ));
    assert!(received(br"{} {}").is_err());
}

#[test]
fn replies_come_back_from_both_formats() {
    proptest!(|(entropy in proptest::collection::vec(any::<u8>(), 0..300))| {
        let message = ReplyMessage::sample(&mut Source::new(&entropy));
        let id = message.id;
        let Some(body) = message.into_body() else {
            return Ok(());
        };
        let reply = Reply { id, body };
        for format in Format::ALL {
            let frame = encode_reply(format, &reply).unwrap();
            let mut messages = Messages::new(format, frame, usize::MAX);
            let received = messages.next_received();
            prop_assert_eq!(received, Some(Ok(Received::Reply(reply.clone()))));
            prop_assert_eq!(messages.next_received(), None);
        }
    });
}
