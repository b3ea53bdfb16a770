use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::websocket::deflate::message;
use crate::websocket::tests::{BINARY, CLOSE, FIN, PING, PONG, RSV1, TEXT, close, frame};

const SETTINGS: Settings = Settings {
    message_bytes_max: 1000,
    inflated_bytes_max: 5000,
    deflate_level: 1,
    deflate_above_bytes: 0,
};

/// The events of `chunks`, up to the first failure.
fn decode<'a>(
    decoder: &mut Decoder,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Event>, Option<Failure>) {
    let mut events = Vec::new();
    for chunk in chunks {
        let mut chunk = chunk.to_vec();
        let mut input = &mut chunk[..];
        loop {
            match decoder.next(&mut input, &SETTINGS) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(failure) => return (events, Some(failure)),
            }
        }
        assert!(input.is_empty(), "it takes everything in");
    }
    (events, None)
}

fn decode_one(bytes: &[u8]) -> (Vec<Event>, Option<Failure>) {
    decode(&mut Decoder::new(Compression::Deflate), [bytes])
}

fn binary(bytes: &[u8]) -> Event {
    Event::Message(Message {
        kind: Kind::Binary,
        bytes: Bytes::copy_from_slice(bytes),
    })
}

#[test]
fn costs_little_while_idle() {
    assert!(size_of::<Decoder>() <= 16, "{}", size_of::<Decoder>());
}

#[test]
fn keeps_nothing_between_whole_frames() {
    let mut decoder = Decoder::new(Compression::Off);
    let sent = [
        frame(BINARY, b"half"),
        frame(FIN | PING, b"x"),
        frame(FIN, b"other"),
    ]
    .concat();
    for cut in 0..sent.len() {
        let (head, tail) = sent.split_at(cut);
        let (_, failure) = decode(&mut decoder, [head]);
        assert_eq!(failure, None);
        assert_eq!(decoder.partial.is_some(), cut > 0);
        let (events, failure) = decode(&mut decoder, [tail]);
        assert_eq!(failure, None);
        assert!(events.contains(&binary(b"halfother")));
        assert!(decoder.partial.is_none(), "cut at {cut}");
    }
}

#[test]
fn messages_have_their_exact_size() {
    let large = vec![7; 900];
    let sent = frame(FIN | BINARY, &large);
    let mut decoder = Decoder::new(Compression::Off);
    for chunks in [vec![&sent[..]], sent.chunks(100).collect()] {
        let (mut events, _) = decode(&mut decoder, chunks);
        let Some(Event::Message(message)) = events.pop() else {
            panic!("one message")
        };
        assert_eq!(Vec::from(message.bytes).capacity(), 900);
    }
}

#[test]
fn the_limit_counts_the_wire_bytes_of_the_whole_message() {
    let max = SETTINGS.message_bytes_max;
    let too_long = Some(Failure::TooLong { max });
    assert_eq!(decode_one(&frame(FIN | BINARY, &vec![0; max])).0.len(), 1);
    let over = frame(FIN | BINARY, &vec![0; max + 1]);
    assert_eq!(decode_one(&over).1, too_long);
    assert_eq!(decode_one(&over[..8]).1, too_long, "known from the head");
    let half = vec![0; max / 2];
    let halves = [frame(BINARY, &half), frame(FIN, &half)].concat();
    assert_eq!(decode_one(&halves).0.len(), 1);
    let three = [frame(BINARY, &half), frame(0, &half), frame(FIN, b"1")].concat();
    assert_eq!(decode_one(&three).1, too_long);
    let pinged = [
        frame(BINARY, &half),
        frame(FIN | PING, &[1; 125]),
        frame(FIN, &half),
    ]
    .concat();
    assert_eq!(
        decode_one(&pinged).0.len(),
        2,
        "control frames do not count"
    );
    let declared = [&[0x82, 0xff][..], &(i64::MAX as u64).to_be_bytes(), &[0; 4]].concat();
    assert_eq!(decode_one(&declared).1, too_long);
}

#[test]
fn the_other_limit_counts_what_is_decompressed() {
    let max = SETTINGS.inflated_bytes_max;
    let send = |len| decode_one(&frame(FIN | RSV1 | BINARY, &message(&vec![0; len], 1)));
    assert_eq!(send(max).0, [binary(&vec![0; max])]);
    assert_eq!(send(max + 1).1, Some(Failure::TooLong { max }));
}

#[test]
fn compression_must_have_been_agreed() {
    let sent = frame(FIN | RSV1 | BINARY, &message(b"hello", 1));
    assert_eq!(decode_one(&sent).0, [binary(b"hello")]);
    let (_, failure) = decode(&mut Decoder::new(Compression::Off), [&sent[..]]);
    assert_eq!(failure.map(Failure::code), Some(1002));
}

#[test]
fn a_frame_without_mask_is_refused_at_once() {
    assert_eq!(decode_one(&[0x81, 0x05]).1.map(Failure::code), Some(1002));
}

/// One thing that a client may send, right or wrong.
#[derive(Clone, Debug)]
enum Step {
    Message {
        kind: u8,
        fragments: Vec<Vec<u8>>,
        ping: bool,
    },
    Deflated {
        text: String,
        fragments: usize,
    },
    Control {
        opcode: u8,
        payload: Vec<u8>,
    },
    Close {
        code: u16,
        reason: String,
    },
    Raw(Vec<u8>),
}

impl Step {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Message {
                kind,
                fragments,
                ping,
            } => {
                put_fragments(*kind, fragments.iter().map(|part| &part[..]), *ping, out);
            }
            Self::Deflated { text, fragments } => {
                let payload = message(text.as_bytes(), 1);
                let size = payload.len().div_ceil(*fragments).max(1);
                put_fragments(RSV1 | TEXT, payload.chunks(size), false, out);
            }
            Self::Control { opcode, payload } => out.extend(frame(FIN | opcode, payload)),
            Self::Close { code, reason } => out.extend(close(*code, reason.as_bytes())),
            Self::Raw(bytes) => out.extend(bytes),
        }
    }
}

fn put_fragments<'a>(
    first: u8,
    parts: impl ExactSizeIterator<Item = &'a [u8]>,
    has_ping: bool,
    out: &mut Vec<u8>,
) {
    let last = parts.len().saturating_sub(1);
    for (n, part) in parts.enumerate() {
        let opcode = if n == 0 { first } else { 0 };
        out.extend(frame(if n == last { FIN | opcode } else { opcode }, part));
        if has_ping && n < last {
            out.extend(frame(FIN | PING, b"between"));
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let texts = vec("[aé€𐍈]{0,40}".prop_map(String::into_bytes), 1..4);
    let bytes = vec(vec(any::<u8>(), 0..150), 1..4);
    prop_oneof![
        4 => (texts, any::<bool>())
            .prop_map(|(fragments, ping)| Step::Message { kind: TEXT, fragments, ping }),
        4 => (bytes.clone(), any::<bool>())
            .prop_map(|(fragments, ping)| Step::Message { kind: BINARY, fragments, ping }),
        1 => bytes.prop_map(|fragments| Step::Message { kind: TEXT, fragments, ping: false }),
        3 => ("[aé€𐍈]{0,400}", 1..4_usize)
            .prop_map(|(text, fragments)| Step::Deflated { text, fragments }),
        3 => (prop_oneof![Just(PING), Just(PONG), Just(CLOSE)], vec(any::<u8>(), 0..126))
            .prop_map(|(opcode, payload)| Step::Control { opcode, payload }),
        1 => (990..5010_u16, "[aé]{0,60}").prop_map(|(code, reason)| Step::Close { code, reason }),
        1 => vec(any::<u8>(), 0..20).prop_map(Step::Raw),
    ]
}

proptest! {
    /// However the stream is cut, it says the same.
    #[test]
    fn cuts_do_not_matter(
        steps in vec(step(), 1..10),
        cuts in vec(1..200_usize, 1..40),
    ) {
        let mut sent = Vec::new();
        for step in &steps {
            step.encode(&mut sent);
        }
        let whole = decode_one(&sent);
        let mut chunks = Vec::new();
        let mut rest = &sent[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, tail) = rest.split_at((*cut).min(rest.len()));
            chunks.push(chunk);
            rest = tail;
        }
        let cut = decode(&mut Decoder::new(Compression::Deflate), chunks);
        prop_assert_eq!(&cut.0, &whole.0);
        prop_assert_eq!(cut.1, whole.1);
        let octets = decode(&mut Decoder::new(Compression::Deflate), sent.chunks(1));
        prop_assert_eq!(octets, whole);
    }

    #[test]
    fn random_bytes_never_panic(chunks in vec(vec(any::<u8>(), 0..60), 0..20)) {
        let _ = decode(
            &mut Decoder::new(Compression::Deflate),
            chunks.iter().map(|chunk| &chunk[..]),
        );
    }

    /// Messages that keep the rules come out as they went in.
    #[test]
    fn what_is_right_arrives(
        texts in vec(vec("[aé€𐍈]{0,40}", 1..4), 1..6),
        has_ping in any::<bool>(),
    ) {
        let mut sent = Vec::new();
        for text in &texts {
            put_fragments(TEXT, text.iter().map(|part| part.as_bytes()), has_ping, &mut sent);
        }
        let (events, failure) = decode_one(&sent);
        prop_assert_eq!(failure, None);
        let arrived: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Message(message) => Some(message.bytes.to_vec()),
                Event::Ping(_) | Event::Pong | Event::Close(_) => None,
            })
            .collect();
        let expected: Vec<_> = texts.iter().map(|text| text.concat().into_bytes()).collect();
        prop_assert_eq!(arrived, expected);
    }
}
