//! Fuzz targets: functions that take any bytes and must neither panic nor break what they assert.
//!
//! `tests/replay.rs` runs each over its corpus and over mutations of it; a fuzzer may run them over
//! anything else.

#![forbid(unsafe_code)]
#![expect(clippy::missing_panics_doc, reason = "a panic is how a target reports")]

use bytes::Bytes;
use gyre_protocol::frame::{Commands, Messages};
use gyre_protocol::{
    Command, Envelope, Format, Push, Received, Request, delta, encode_push, encode_reply, json,
};

/// Longest command that the targets accept. Unit: bytes. The default of the transports.
const COMMAND_LEN_MAX: usize = 65_536;

/// A target: its name, which is also its corpus's, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 8] = [
    ("json_command", json_command),
    ("protobuf_command", protobuf_command),
    ("json_reply", json_reply),
    ("protobuf_reply", protobuf_reply),
    ("bare_push", bare_push),
    ("json_value", json_value),
    ("fossil_apply", fossil_apply),
    ("fossil_create", fossil_create),
];

/// A frame of JSON commands: what is decoded can be encoded and decoded again.
pub fn json_command(data: &[u8]) {
    commands(Format::Json, data);
}

/// A frame of Protobuf commands: what is decoded can be encoded and decoded again.
pub fn protobuf_command(data: &[u8]) {
    commands(Format::Protobuf, data);
}

/// A frame of JSON replies: what is decoded can be encoded and decoded again.
pub fn json_reply(data: &[u8]) {
    replies(Format::Json, data);
}

/// A frame of Protobuf replies: what is decoded can be encoded and decoded again.
pub fn protobuf_reply(data: &[u8]) {
    replies(Format::Protobuf, data);
}

/// A push of a unidirectional transport, in both formats.
pub fn bare_push(data: &[u8]) {
    let text = Bytes::copy_from_slice(data);
    for format in Format::ALL {
        if let Ok(Some(push)) = Push::decode(format, &text) {
            // Newlines in its payloads are lost, so it need not come back as it was.
            let encoded = encode_push(format, Envelope::Bare, &push);
            assert!(encoded.is_ok(), "a decoded payload fits its format");
        }
    }
}

/// A JSON value: the checks agree with each other.
pub fn json_value(data: &[u8]) {
    let is_valid = json::is_valid(data);
    assert!(is_valid || !json::is_object(data), "an object is a value");
    if json::string_content(data).is_some() && std::str::from_utf8(data).is_ok() {
        assert!(is_valid, "a string is a value");
    }
}

/// A patch, and the base that it is applied to: the first byte says how long the base is.
pub fn fossil_apply(data: &[u8]) {
    let (base, patch) = halves(data);
    if let Ok(target) = delta::apply(base, patch) {
        let len_max = (base.len() + 1) * (patch.len() + 1);
        assert!(target.len() <= len_max, "a patch copies the base at most");
    }
}

/// A base and a target: the patch between them applies, and is text if the target is.
pub fn fossil_create(data: &[u8]) {
    let (base, target) = halves(data);
    let Some(patch) = delta::create(base, target) else {
        return;
    };
    assert!(patch.len() < target.len(), "a patch is shorter");
    assert_eq!(delta::apply(base, &patch).as_deref(), Ok(target));
    if std::str::from_utf8(target).is_ok() {
        assert!(
            std::str::from_utf8(&patch).is_ok(),
            "a patch splits no character"
        );
    }
}

fn commands(format: Format, data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    let mut commands = Commands::new(format, frame, COMMAND_LEN_MAX);
    while let Some(result) = commands.next_command() {
        let Ok(command) = result else {
            assert_eq!(commands.next_command(), None, "an error ends the frame");
            return;
        };
        // Without an id most requests are pongs, so they don't come back.
        if command.id > 0 || matches!(command.request, Request::Send(_)) {
            assert_command_comes_back(format, &command);
        }
    }
}

fn assert_command_comes_back(format: Format, command: &Command) {
    let Ok(frame) = command.encode(format) else {
        unreachable!("a decoded payload fits its format");
    };
    let again = Commands::new(format, frame, usize::MAX).next_command();
    assert_eq!(again.as_ref(), Some(&Ok(command.clone())));
}

fn replies(format: Format, data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    let mut messages = Messages::new(format, frame, COMMAND_LEN_MAX);
    while let Some(Ok(received)) = messages.next_received() {
        let encoded = match &received {
            Received::Reply(reply) => encode_reply(format, reply),
            Received::Push(push) => encode_push(format, Envelope::Reply, push),
            Received::Ping => continue,
        };
        let Ok(frame) = encoded else {
            unreachable!("a decoded payload fits its format");
        };
        let again = Messages::new(format, frame, usize::MAX).next_received();
        assert_eq!(again.as_ref(), Some(&Ok(received)));
    }
}

/// What the first byte divides.
fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return (data, data);
    };
    rest.split_at(rest.len().min(usize::from(*first)))
}
