use proptest::prelude::{any, prop_assert_eq, proptest};

use super::*;
use crate::codec::Message;
use crate::frame::Commands;

fn decoded(text: &str) -> Command {
    let frame = Bytes::copy_from_slice(text.as_bytes());
    Command::decode_in(Format::Json, &frame, &frame).expect("the text is a command")
}

#[test]
fn the_table_agrees_with_the_schema() {
    let fields = |key: &Key| (key.number, key.name);
    let schema: Vec<_> = CommandMessage::KEYS.iter().map(fields).collect();
    for row in COMMANDS {
        assert!(schema.contains(&fields(&row.request_key())), "{row:?}");
    }
    assert!(schema.contains(&fields(&ID)) && schema.contains(&fields(&PING)));
    assert_eq!(schema.len(), COMMANDS.len() + 2);

    let before_connect = COMMANDS.iter().filter(|row| row.is_before_connect);
    assert!(before_connect.map(|row| row.name).eq(["connect"]));
    let unanswered = COMMANDS.iter().filter(|row| row.result.is_none());
    assert!(unanswered.map(|row| row.name).eq(["send"]));
}

#[test]
fn each_request_is_told_apart() {
    for row in COMMANDS {
        let command = decoded(&format!(r#"{{"id":7,"{}":{{}}}}"#, row.name));
        assert_eq!(command.id, 7);
        let text = command.encode(Format::Json).unwrap();
        assert_eq!(text, format!(r#"{{"id":7,"{}":{{}}}}"#, row.name));
    }
}

#[test]
fn the_first_request_in_the_order_of_the_table_counts() {
    for (index, first) in COMMANDS.iter().enumerate() {
        for second in COMMANDS.iter().skip(index + 1) {
            let text = format!(r#"{{"{}":{{}},"{}":{{}},"id":1}}"#, second.name, first.name);
            let expected = decoded(&format!(r#"{{"id":1,"{}":{{}}}}"#, first.name));
            assert_eq!(decoded(&text), expected, "{text}");
        }
    }
}

#[test]
fn what_has_no_id_is_a_pong_unless_it_is_sent() {
    for text in [
        "{}",
        "null",
        r#"{"id":0}"#,
        r#"{"connect":{}}"#,
        r#"{"subscribe":{}}"#,
    ] {
        assert_eq!(decoded(text).request, Request::Pong, "{text}");
    }
    let sent = decoded(r#"{"send":{"data":1}}"#);
    assert!(matches!(sent.request, Request::Send(request) if request.data == "1"));
    let both = decoded(r#"{"send":{},"publish":{}}"#);
    assert!(matches!(both.request, Request::Publish(_)));
    assert_eq!(both.id, 0);
}

#[test]
fn a_ping_is_nothing_alone_and_not_available_beside_others() {
    assert_eq!(decoded(r#"{"id":1,"ping":{}}"#).request, Request::Empty);
    assert_eq!(decoded(r#"{"id":1}"#).request, Request::Empty);
    assert_eq!(decoded(r#"{"id":1,"unknown":{}}"#).request, Request::Empty);
    for row in COMMANDS {
        let text = format!(r#"{{"id":1,"{}":{{}},"ping":{{}}}}"#, row.name);
        let is_connect = matches!(decoded(&text).request, Request::Connect(_));
        assert_eq!(is_connect, row.name == "connect");
        let is_refused = decoded(&text).request == Request::PingWithOther;
        assert_eq!(is_refused, row.name != "connect");
    }
}

#[test]
fn a_null_request_is_absent() {
    assert_eq!(
        decoded(r#"{"id":1,"subscribe":null}"#).request,
        Request::Empty
    );
}

#[test]
fn commands_come_back_from_both_formats() {
    use crate::codec::sample::{Sample, Source};

    proptest!(|(entropy in proptest::collection::vec(any::<u8>(), 0..300))| {
        let mut message = CommandMessage::sample(&mut Source::new(&entropy));
        message.id = message.id.max(1);
        let command: Command = message.into();
        for format in Format::ALL {
            let encoded = command.encode(format).unwrap();
            let mut commands = Commands::new(format, encoded.clone(), encoded.len());
            prop_assert_eq!(commands.next_command(), Some(Ok(command.clone())));
            prop_assert_eq!(commands.next_command(), None);
        }
    });
}
