use proptest::prelude::{any, prop_assert_eq, proptest};

use super::*;
use crate::codec::Message;
use crate::codec::sample::{Sample, Source};
use crate::reply::Received;

#[test]
fn keys_agree_with_the_schema() {
    let keys = [
        ID,
        CHANNEL,
        PUBLICATION,
        JOIN,
        LEAVE,
        UNSUBSCRIBE,
        MESSAGE,
        SUBSCRIBE,
        CONNECT,
        DISCONNECT,
        REFRESH,
    ];
    assert_eq!(PushMessage::KEYS, keys);
}

#[test]
fn a_push_is_bare_or_in_a_reply() {
    let push = Push {
        id: 0,
        channel: "a".into(),
        body: PushBody::Message(MessagePush {
            data: Bytes::from_static(b"1"),
        }),
    };
    let bare = encode_push(Format::Json, Envelope::Bare, &push).unwrap();
    assert_eq!(bare, r#"{"channel":"a","message":{"data":1}}"#);
    let in_reply = encode_push(Format::Json, Envelope::Reply, &push).unwrap();
    assert_eq!(in_reply, r#"{"push":{"channel":"a","message":{"data":1}}}"#);
    let bare = encode_push(Format::Protobuf, Envelope::Bare, &push).unwrap();
    assert_eq!(*bare, *b"\x08\x12\x01a\x42\x03\x0a\x011");
    let in_reply = encode_push(Format::Protobuf, Envelope::Reply, &push).unwrap();
    assert_eq!(*in_reply, *b"\x0a\x22\x08\x12\x01a\x42\x03\x0a\x011");
}

#[test]
fn a_number_may_stand_for_the_channel() {
    let push = Push {
        id: -7,
        channel: "".into(),
        body: PushBody::Leave(LeavePush::default()),
    };
    let text = encode_push(Format::Json, Envelope::Bare, &push).unwrap();
    assert_eq!(text, r#"{"id":-7,"leave":{}}"#);
}

#[test]
fn what_belongs_to_the_server_stays_there() {
    let publication = Publication {
        data: Bytes::from_static(b"1"),
        time: 5,
        prev_data: Bytes::from_static(b"0"),
        ..Publication::default()
    };
    assert_eq!(publication.encode(Format::Json).unwrap(), r#"{"data":1}"#);
    assert_eq!(
        *publication.encode(Format::Protobuf).unwrap(),
        *b"\x22\x011"
    );

    let sent = Bytes::from_static(br#"{"time":5,"prev_data":0,"version":2}"#);
    let publication = Publication::decode(Format::Json, &sent).unwrap();
    assert_eq!((publication.time, publication.version), (0, 2));
    assert!(publication.prev_data.is_empty());
    let sent = Bytes::from_static(b"\x48\x05\x7a\x010\x80\x01\x02");
    let publication = Publication::decode(Format::Protobuf, &sent).unwrap();
    assert_eq!((publication.time, publication.version), (0, 2));
    assert!(publication.prev_data.is_empty());
}

#[test]
fn an_empty_push_is_a_ping() {
    assert_eq!(
        Push::decode(Format::Json, &Bytes::from_static(b"{}")),
        Ok(None)
    );
    assert_eq!(Push::decode(Format::Protobuf, &Bytes::new()), Ok(None));
}

#[test]
fn pushes_come_back_from_both_formats_and_envelopes() {
    proptest!(|(entropy in proptest::collection::vec(any::<u8>(), 0..300))| {
        let Some(push) = PushMessage::sample(&mut Source::new(&entropy)).into_push() else {
            return Ok(());
        };
        for format in Format::ALL {
            let bare = without_len(format, encode_push(format, Envelope::Bare, &push).unwrap());
            prop_assert_eq!(Push::decode(format, &bare), Ok(Some(push.clone())));
            let reply = without_len(format, encode_push(format, Envelope::Reply, &push).unwrap());
            prop_assert_eq!(Received::decode(format, &reply), Ok(Received::Push(push.clone())));
        }
    });
}

/// The message without the length that Protobuf frames have before it.
fn without_len(format: Format, message: Bytes) -> Bytes {
    match format {
        Format::Json => message,
        Format::Protobuf => {
            let len_len = message.iter().position(|byte| *byte < 0x80).unwrap() + 1;
            message.slice(len_len..)
        }
    }
}
