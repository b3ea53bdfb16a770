//! What decoding and delivery may allocate.

use std::sync::Arc;

use bytes::Bytes;
use gyre_allocator::allocations;
use gyre_protocol::frame::Commands;
use gyre_protocol::messages::Publication;
use gyre_protocol::prepared::{Form, Prepared};
use gyre_protocol::{Envelope, Format};
use gyre_types::{ChannelName, Epoch};

/// Allocations of `act`, and what it returns.
fn counted<T>(act: impl FnOnce() -> T) -> (usize, T) {
    let before = allocations();
    let result = act();
    (allocations() - before, result)
}

#[test]
fn a_publish_command_takes_three_allocations() {
    let payload = "x".repeat(1024);
    let json = format!(r#"{{"id":7,"publish":{{"channel":"news","data":"{payload}"}}}}"#);
    // 1040 bytes: id 7, and a publish of 1035 bytes: the channel, and a payload of 1026 bytes.
    let head: &[u8] = b"\x90\x08\x08\x07\x3a\x8b\x08\x0a\x04news\x12\x82\x08";
    let protobuf = [head, b"\"", payload.as_bytes(), b"\""].concat();

    for (format, frame) in [
        (Format::Json, json.into_bytes()),
        (Format::Protobuf, protobuf),
    ] {
        let frame = Bytes::from(frame.into_boxed_slice());
        // The request, its channel, and the frame's reference count.
        let (allocations, command) =
            counted(|| Commands::new(format, frame, usize::MAX).next_command());
        assert!(
            matches!(command, Some(Ok(command)) if command.id == 7),
            "{format:?}"
        );
        assert_eq!(allocations, 3, "{format:?}");
    }
}

#[test]
fn a_warm_publication_takes_no_allocation() {
    let text = r#"{"text":"a payload that is long enough for a patch"}"#;
    let publication = Arc::new(Publication {
        data: Bytes::from_static(text.as_bytes()),
        offset: 2,
        ..Publication::default()
    });
    let channel = ChannelName::new("news").unwrap();
    let previous = Some(Arc::clone(&publication));
    let prepared = Prepared::publication(&channel, publication, Epoch::default(), previous);

    for format in Format::ALL {
        for form in [Form::Full, Form::DeltaFull, Form::DeltaPatch] {
            let message = || {
                prepared
                    .message(format, Envelope::Reply, form)
                    .map(|message| message.bytes().clone())
            };
            let (_, first) = counted(message);
            let (allocations, second) = counted(message);
            assert_eq!(first, second);
            assert_eq!(allocations, 0, "{format:?} {form:?}");
        }
    }
}

#[test]
fn encoding_a_push_takes_one_buffer() {
    let publication = Publication {
        data: Bytes::from_static(br#"{"text":"a payload of some length"}"#),
        offset: 2,
        ..Publication::default()
    };
    for format in Format::ALL {
        let (allocations, _) = counted(|| publication.encode(format));
        assert_eq!(allocations, 1, "{format:?}");
    }
}
