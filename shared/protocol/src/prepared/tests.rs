use super::*;
use crate::json;
use crate::messages::{JoinPush, LeavePush};
use crate::push::{Push, PushBody};
use crate::reply::Received;

const LONG: &str = r#"{"text":"a payload that is long enough for a patch","n":1}"#;

fn channel() -> ChannelName {
    ChannelName::new("news").expect("the name is not empty")
}

fn publication(offset: u64, payload: &str) -> Publication {
    Publication {
        data: Bytes::copy_from_slice(payload.as_bytes()),
        offset,
        ..Publication::default()
    }
}

fn prepared(publication: Publication, previous: Option<Publication>) -> Prepared {
    let epoch = Epoch::new("epoch").expect("the epoch is short");
    Prepared::publication(
        &channel(),
        publication.into(),
        epoch,
        previous.map(Arc::new),
    )
}

fn text(prepared: &Prepared, form: Form) -> String {
    let message = prepared
        .message(Format::Json, Envelope::Reply, form)
        .expect("payloads are JSON");
    String::from_utf8(message.bytes().to_vec()).expect("JSON is UTF-8")
}

/// The publication as a client decodes it.
fn received(prepared: &Prepared, format: Format, form: Form) -> Publication {
    let message = prepared
        .message(format, Envelope::Reply, form)
        .expect("payloads are JSON");
    let bytes = match format {
        Format::Json => message.bytes().clone(),
        Format::Protobuf => message
            .bytes()
            .slice(if message.bytes()[0] < 0x80 { 1 } else { 2 }..),
    };
    match Received::decode(format, &bytes) {
        Ok(Received::Push(Push {
            channel,
            body: PushBody::Publication(publication),
            ..
        })) => {
            assert_eq!(&*channel, "news");
            publication
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_publication_goes_out_as_it_came() {
    let publication = Publication {
        time: 5,
        prev_data: Bytes::from_static(b"0"),
        tags: [("t".to_owned(), "x".to_owned())].into(),
        version: 9,
        ..publication(2, LONG)
    };
    let prepared = prepared(publication, None);
    assert_eq!(
        text(&prepared, Form::Full),
        format!(
            r#"{{"push":{{"channel":"news","pub":{{"data":{LONG},"offset":2,"tags":{{"t":"x"}},"version":9}}}}}}"#
        )
    );
    assert_eq!(prepared.kind(), PreparedKind::Publication);
    assert_eq!((prepared.offset(), prepared.epoch().as_str()), (2, "epoch"));
    assert_eq!(prepared.tags().len(), 1);
    assert_eq!(prepared.channel(), &channel());
}

#[test]
fn only_the_first_publication_of_a_stream_carries_the_epoch() {
    for format in Format::ALL {
        for (offset, epoch) in [(0, ""), (1, "epoch"), (2, "")] {
            let stored = Publication {
                epoch: "stored".into(),
                ..publication(offset, "1")
            };
            for publication in [stored, publication(offset, "1")] {
                let prepared = prepared(publication, None);
                assert_eq!(&*received(&prepared, format, Form::Full).epoch, epoch);
            }
        }
    }
}

#[test]
fn the_delta_form_is_a_string_in_json_and_nothing_special_in_protobuf() {
    let publication = Publication {
        version: 2,
        ..publication(1, r#"{"a":"<é>"}"#)
    };
    let prepared = prepared(publication, None);
    assert_eq!(
        text(&prepared, Form::DeltaFull),
        r#"{"push":{"channel":"news","pub":{"data":"{\"a\":\"\u003cé\u003e\"}","offset":1}}}"#
    );
    let full = prepared
        .message(Format::Protobuf, Envelope::Reply, Form::Full)
        .unwrap();
    let delta_full = prepared
        .message(Format::Protobuf, Envelope::Reply, Form::DeltaFull)
        .unwrap();
    assert!(std::ptr::eq(full, delta_full));
    assert_eq!(
        &*received(&prepared, Format::Protobuf, Form::DeltaFull).epoch,
        "epoch"
    );
}

#[test]
fn a_patch_applies_to_the_publication_before() {
    let next = Publication {
        info: Some(Arc::default()),
        tags: [("t".to_owned(), "x".to_owned())].into(),
        version: 4,
        ..publication(3, &LONG.replace('1', "2"))
    };
    let prepared = prepared(next.clone(), Some(publication(2, LONG)));
    for format in Format::ALL {
        assert!(prepared.is_patch(format));
        let received = received(&prepared, format, Form::DeltaPatch);
        let patch = match format {
            Format::Json => json::string_content(&received.data).unwrap().into_bytes(),
            Format::Protobuf => received.data.to_vec(),
        };
        let applied = delta::apply(LONG.as_bytes(), &patch).unwrap();
        assert_eq!(applied, *next.data);
        assert!(received.delta);
        assert_eq!((received.offset, received.version), (3, 0));
        assert_eq!((&received.info, &received.tags), (&next.info, &next.tags));
    }
}

#[test]
fn without_a_shorter_patch_the_full_form_is_sent() {
    let cases = [
        (publication(2, LONG), None),
        (publication(2, r#"{"a":1}"#), Some(publication(1, LONG))),
        (publication(2, LONG), Some(publication(1, "[]"))),
    ];
    for (next, previous) in cases {
        let prepared = prepared(next, previous);
        for format in Format::ALL {
            assert!(!prepared.is_patch(format));
            let full = prepared
                .message(format, Envelope::Reply, Form::DeltaFull)
                .unwrap();
            let patch = prepared
                .message(format, Envelope::Reply, Form::DeltaPatch)
                .unwrap();
            assert!(std::ptr::eq(full, patch));
        }
    }
}

#[test]
fn json_has_no_patch_against_what_is_not_json() {
    let base = LONG.replace('{', "\u{1}");
    let prepared = prepared(publication(2, LONG), Some(publication(1, &base)));
    assert!(!prepared.is_patch(Format::Json));
    assert!(prepared.is_patch(Format::Protobuf));
}

#[test]
fn a_payload_that_is_not_json_is_for_protobuf_only() {
    let prepared = prepared(publication(1, "boom"), Some(publication(0, LONG)));
    for form in [Form::Full, Form::DeltaFull, Form::DeltaPatch] {
        assert!(matches!(
            prepared.message(Format::Json, Envelope::Reply, form),
            Err(NotJson)
        ));
        assert!(
            prepared
                .message(Format::Protobuf, Envelope::Reply, form)
                .is_ok()
        );
    }
}

#[test]
fn a_removal_is_null_for_json_delta_subscriptions() {
    let removal = Publication {
        key: "k".into(),
        removed: true,
        ..publication(2, "")
    };
    let prepared = prepared(removal, Some(publication(1, LONG)));
    assert_eq!(
        text(&prepared, Form::DeltaPatch),
        r#"{"push":{"channel":"news","pub":{"data":"null","offset":2,"key":"k","removed":true}}}"#
    );
    assert_eq!(
        text(&prepared, Form::Full),
        r#"{"push":{"channel":"news","pub":{"offset":2,"key":"k","removed":true}}}"#
    );
}

#[test]
fn joins_and_leaves_have_one_form() {
    let info = Arc::new(ClientInfo {
        client: "c".into(),
        ..ClientInfo::default()
    });
    let boxed = Some(Box::new(ClientInfo::clone(&info)));
    let join = PushBody::Join(JoinPush {
        info: boxed.clone(),
    });
    let leave = PushBody::Leave(LeavePush { info: boxed });
    let cases = [
        (
            Prepared::join(&channel(), Arc::clone(&info)),
            join,
            PreparedKind::Join,
        ),
        (
            Prepared::leave(&channel(), info),
            leave,
            PreparedKind::Leave,
        ),
    ];
    for (prepared, body, kind) in cases {
        assert_eq!(prepared.kind(), kind);
        assert_eq!((prepared.offset(), prepared.tags().len()), (0, 0));
        assert!(prepared.epoch().is_empty() && prepared.as_publication().is_none());
        assert!(prepared.client_info().is_some());
        let push = Push {
            id: 0,
            channel: "news".into(),
            body,
        };
        for format in Format::ALL {
            let expected = crate::encode_push(format, Envelope::Reply, &push).unwrap();
            for form in [Form::Full, Form::DeltaFull, Form::DeltaPatch] {
                assert_eq!(
                    prepared
                        .message(format, Envelope::Reply, form)
                        .unwrap()
                        .bytes(),
                    &expected
                );
            }
        }
    }
}

#[test]
fn the_compressed_form_is_made_once() {
    let prepared = prepared(publication(1, "1"), None);
    let message = prepared
        .message(Format::Json, Envelope::Reply, Form::Full)
        .unwrap();
    let first = message.deflated(|bytes| bytes.slice(..3)).clone();
    assert_eq!(first, "{\"p");
    assert_eq!(message.deflated(|_| unreachable!("it is there")), &first);
}
