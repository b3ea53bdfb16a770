use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, proptest};

use super::*;
use crate::command::Request;

const LIMIT: usize = 64;

/// Ids of the commands of a frame, and the error that ends it.
fn commands(format: Format, frame: &[u8]) -> (Vec<u32>, Option<DecodeError>) {
    let mut commands = Commands::new(format, Bytes::copy_from_slice(frame), LIMIT);
    let mut ids = Vec::new();
    while let Some(command) = commands.next_command() {
        match command {
            Ok(command) => ids.push(command.id),
            Err(error) => {
                assert_eq!(commands.next_command(), None, "an error ends the frame");
                return (ids, Some(error));
            }
        }
    }
    (ids, None)
}

fn json(frame: &str) -> (Vec<u32>, Option<DecodeError>) {
    commands(Format::Json, frame.as_bytes())
}

#[test]
fn a_frame_holds_commands() {
    assert_eq!(json(r#"{"id":1}"#), (vec![1], None));
    assert_eq!(
        json("{\"id\":1}\n{\"id\":2}\n{\"id\":3}"),
        (vec![1, 2, 3], None)
    );
    let frame = b"\x02\x08\x01\x00\x02\x08\x03";
    assert_eq!(commands(Format::Protobuf, frame), (vec![1, 0, 3], None));
}

#[test]
fn an_empty_frame_is_an_error() {
    for format in Format::ALL {
        assert_eq!(
            commands(format, b""),
            (vec![], Some(DecodeError::EmptyFrame))
        );
    }
}

#[test]
fn one_newline_may_end_a_json_frame() {
    assert_eq!(json("{\"id\":1}\n"), (vec![1], None));
    let (ids, error) = json("{\"id\":1}\n\n");
    assert_eq!(ids, [1]);
    assert!(error.is_some());
}

#[test]
fn a_line_has_a_command() {
    for frame in ["\n", " \t\r", "\r\n", "\n{}", " "] {
        assert!(json(frame).1.is_some(), "{frame:?}");
    }
    let (ids, error) = json("{\"id\":1}\n\n{\"id\":2}");
    assert_eq!(ids, [1]);
    assert!(error.is_some());
}

#[test]
fn blanks_around_a_command_are_ignored() {
    assert_eq!(json(" {\"id\":1} \r\n\t{\"id\" : 2}\r"), (vec![1, 2], None));
}

#[test]
fn what_follows_a_command_on_its_line_is_ignored() {
    assert_eq!(
        json("{\"id\":1}}garbage\n{\"id\":2}{\"id\":3}"),
        (vec![1, 2], None)
    );
}

#[test]
fn commands_before_a_broken_one_count() {
    let (ids, error) = json("{\"id\":1}\n{\"id\":2}\nnot json\n{\"id\":4}");
    assert_eq!(ids, [1, 2]);
    assert!(matches!(error, Some(DecodeError::Malformed { .. })));
    let (ids, error) = commands(Format::Protobuf, b"\x02\x08\x01\x03\xff\xff\xff\x00");
    assert_eq!(ids, [1]);
    assert!(matches!(error, Some(DecodeError::Malformed { .. })));
}

#[test]
fn a_command_has_a_size() {
    let fits = format!("{:LIMIT$}\n{:LIMIT$}\n", "{}", "{}");
    assert_eq!(json(&fits), (vec![0, 0], None));
    let size = LIMIT as u64 + 1;
    let too_large = DecodeError::TooLarge { size, limit: LIMIT };
    let frame = format!("{{}}\n{:65}", "{}");
    assert_eq!(json(&frame), (vec![0], Some(too_large)));

    let mut frame = vec![64, 0x62, 62, 0x0a, 60];
    frame.resize(65, b'x');
    assert_eq!(commands(Format::Protobuf, &frame), (vec![0], None));
    frame[0] = 65;
    frame.push(b'x');
    assert_eq!(
        commands(Format::Protobuf, &frame),
        (vec![], Some(too_large))
    );
}

#[test]
fn a_declared_length_is_checked_before_it_is_used() {
    let (_, error) = commands(
        Format::Protobuf,
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    );
    let (size, limit) = (u64::MAX, LIMIT);
    assert_eq!(error, Some(DecodeError::TooLarge { size, limit }));
    for frame in [
        &b"\x05\x08\x01"[..],
        b"\x80",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
    ] {
        let (ids, error) = commands(Format::Protobuf, frame);
        assert!(ids.is_empty());
        assert!(matches!(error, Some(DecodeError::Malformed { .. })));
    }
}

#[test]
fn payloads_share_the_frame() {
    let frames = [
        (
            Format::Json,
            Bytes::from_static(b"{}\n{\"send\":{\"data\":[1]}}"),
        ),
        (
            Format::Protobuf,
            Bytes::from_static(b"\x00\x07\x62\x05\x0a\x03[1]"),
        ),
    ];
    for (format, frame) in frames {
        let place = frame
            .windows(3)
            .position(|window| window == b"[1]")
            .unwrap();
        let mut commands = Commands::new(format, frame.clone(), LIMIT);
        commands.next_command();
        let Some(Ok(Command {
            request: Request::Send(request),
            ..
        })) = commands.next_command()
        else {
            panic!("the second command is a send");
        };
        assert_eq!(request.data.as_ptr(), frame.slice(place..).as_ptr());
    }
}

#[test]
fn joined_messages_are_split_again() {
    for format in Format::ALL {
        let mut frame = Vec::new();
        join(format, [ping(format), ping(format)], &mut frame);
        let mut messages = Messages::new(format, frame.into(), LIMIT);
        assert_eq!(messages.next_received(), Some(Ok(Received::Ping)));
        assert_eq!(messages.next_received(), Some(Ok(Received::Ping)));
        assert_eq!(messages.next_received(), None);
    }
    let mut frame = Vec::new();
    join(Format::Json, [&b"{}"[..], b"{}"], &mut frame);
    assert_eq!(frame, b"{}\n{}");
}

#[test]
fn no_frame_is_a_reason_to_panic() {
    proptest!(|(frame in vec(any::<u8>(), 0..100))| {
        for format in Format::ALL {
            let (ids, _) = commands(format, &frame);
            prop_assert!(ids.len() <= frame.len());
            let mut messages = Messages::new(format, frame.clone().into(), LIMIT);
            while messages.next_received().is_some() {}
        }
    });
}
