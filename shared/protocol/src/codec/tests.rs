use super::*;
use crate::messages::{
    ClientInfo, ConnectRequest, FilterNode, HistoryRequest, PresenceResult, PresenceStatsResult,
    Publication, PublishRequest, SubscribeRequest,
};

fn read<M: Message>(bytes: &'static [u8]) -> Result<M, DecodeError> {
    wire::decode(&Bytes::from_static(bytes), bytes)
}

fn is_malformed<M: Message>(bytes: &'static [u8]) -> bool {
    matches!(read::<M>(bytes), Err(DecodeError::Malformed { .. }))
}

/// A filter within filters.
fn nested(depth: usize) -> Bytes {
    let mut node = FilterNode::default();
    for _ in 0..depth {
        node = FilterNode {
            nodes: vec![node],
            ..FilterNode::default()
        };
    }
    wire::encode(&node)
}

#[test]
fn unknown_fields_are_stepped_over() {
    // A varint, eight bytes, a text, a group that holds a group and a field, four bytes.
    let request: PublishRequest =
        read(b"\x60\xff\x01\x61abcdefgh\x62\x02xy\x63\x0b\x08\x01\x0c\x64\x65abcd\x0a\x01a")
            .unwrap();
    assert_eq!(request.channel, "a");
}

#[test]
fn a_field_has_its_wire_type() {
    assert!(
        is_malformed::<PublishRequest>(b"\x08\x01"),
        "channel as a varint"
    );
    assert!(
        is_malformed::<PublishRequest>(b"\x1a\x01a"),
        "type as a text"
    );
    assert!(
        is_malformed::<PublishRequest>(b"\x19abcdefgh"),
        "type as eight bytes"
    );
    assert!(
        is_malformed::<PublishRequest>(b"\x0b\x0c"),
        "channel as a group"
    );
}

#[test]
fn keys_and_groups_are_checked() {
    let wrong: [&[u8]; 9] = [
        b"\x02\x00",                                 // field 0
        b"\x66",                                     // wire type 6
        b"\x67",                                     // wire type 7
        b"\x0c",                                     // the end of no group
        b"\x63\x6c",                                 // the end of another group
        b"\x63",                                     // no end
        b"\x65abc",                                  // too short
        b"\x80\x80\x80\x80\x10",                     // field 2^29
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", // more than 64 bits
    ];
    for bytes in wrong {
        assert!(is_malformed::<PublishRequest>(bytes), "{bytes:x?}");
    }
}

#[test]
fn groups_nest_to_a_depth() {
    let nested = |depth: usize| {
        let bytes = [[0x63].repeat(depth), [0x64].repeat(depth)].concat();
        decode::<PublishRequest>(Format::Protobuf, &bytes.into())
    };
    assert!(nested(100).is_ok());
    assert_eq!(nested(101), Err(DecodeError::TooDeep { limit: 100 }));
    assert!(nested(1_000_000).is_err());
}

#[test]
fn messages_nest_to_a_depth() {
    let decode = |depth| decode::<FilterNode>(Format::Protobuf, &nested(depth)).map(drop);
    assert_eq!(decode(100), Ok(()));
    assert_eq!(decode(101), Err(DecodeError::TooDeep { limit: 100 }));
}

#[test]
fn integers_keep_their_lower_bits() {
    let request: PublishRequest =
        read(b"\x18\x81\x80\x80\x80\x10\x28\x80\x80\x80\x80\x20").unwrap();
    assert_eq!(request.type_, 1);
    assert!(request.removed, "any bit is true");
    let request: HistoryRequest = read(b"\x38\xff\xff\xff\xff\x0f").unwrap();
    assert_eq!(request.limit, -1);
    let publication: Publication = read(b"\x68\x05").unwrap();
    assert_eq!(publication.score, ZigZag(-3));
}

#[test]
fn text_is_utf8_and_payloads_are_anything() {
    assert!(is_malformed::<PublishRequest>(b"\x0a\x01\xff"));
    let request: PublishRequest = read(b"\x12\x02\xff\x00").unwrap();
    assert_eq!(*request.data, *b"\xff\x00");
}

#[test]
fn a_payload_shares_the_frame() {
    let frame = Bytes::from_static(b"\x12\x03abc");
    let request: PublishRequest = decode(Format::Protobuf, &frame).unwrap();
    assert_eq!(request.data.as_ptr(), frame.slice(2..).as_ptr());
}

#[test]
fn the_last_of_several_counts_and_messages_merge() {
    let request: HistoryRequest =
        read(b"\x0a\x01a\x42\x05\x08\x01\x12\x01e\x0a\x01b\x42\x02\x08\x02").unwrap();
    assert_eq!(request.channel, "b");
    let since = request.since.unwrap();
    assert_eq!((since.offset, since.epoch.as_str()), (2, "e"));
}

#[test]
fn entries_of_maps_may_lack_parts() {
    // An entry with an unknown field, one without a value, one without a name.
    let request: ConnectRequest =
        read(b"\x32\x08\x1a\x00\x12\x01v\x0a\x01k\x32\x03\x0a\x01n\x32\x03\x12\x01w").unwrap();
    let headers: Vec<_> = request
        .headers
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    assert_eq!(headers, [("", "w"), ("k", "v"), ("n", "")]);

    let request: ConnectRequest = read(b"\x1a\x03\x0a\x01a\x1a\x02\x12\x00").unwrap();
    assert_eq!(request.subs.len(), 1, "a subscription needs a name");
    assert_eq!(request.subs["a"], SubscribeRequest::default());
}

#[test]
fn zeros_are_left_out_in_protobuf_always() {
    assert_eq!(wire::encode(&ClientInfo::default()), "");
    assert_eq!(wire::encode(&PresenceResult::default()), "");
    assert_eq!(wire::encode(&PresenceStatsResult::default()), "");
    let request = SubscribeRequest {
        tf: Some(Box::default()),
        ..SubscribeRequest::default()
    };
    assert_eq!(*wire::encode(&request), *b"\x6a\x00");
}

#[test]
fn errors_say_where() {
    let frame = Bytes::from_static(b"\x0a\x01a\x12\x05abc");
    let error = decode::<PublishRequest>(Format::Protobuf, &frame).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected as many bytes as the length before them says at byte 5"
    );
    let error = decode::<PublishRequest>(Format::Json, &Bytes::from_static(b"{\"type\":1.0}"));
    assert_eq!(
        error.unwrap_err().to_string(),
        "expected an integer in range at byte 11"
    );
}

#[test]
fn names_lose_one_underscore() {
    assert_eq!(Key::new(1, "type_").name, "type");
    assert_eq!(Key::new(1, "join_leave").name, "join_leave");
    assert_eq!(Key::new(1, "a__").name, "a_");
}
