//! The essential cases of the Autobahn suite, for machines that cannot run it, by its numbers; and
//! what the tests of the other modules write and read frames with.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::timeout;

use super::deflate::{inflate, message};
use super::frame::unmask;
use super::*;

pub(super) const FIN: u8 = 0x80;
pub(super) const RSV1: u8 = 0x40;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// A frame as a client sends it.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut out = vec![first];
    match payload.len() {
        len @ 0..126 => out.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..65_536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    unmask(&mut out[start..], mask, 0);
    out
}

/// A close frame as a client sends it.
pub(super) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes()[..], reason].concat())
}

/// Takes a server's bytes apart: first byte and payload of each frame.
pub(super) fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, len, rest @ ..] = bytes {
        let (len, rest) = match len {
            126 => (
                usize::from(u16::from_be_bytes(rest[..2].try_into().unwrap())),
                &rest[2..],
            ),
            127 => {
                let len = u64::from_be_bytes(rest[..8].try_into().unwrap());
                (usize::try_from(len).unwrap(), &rest[8..])
            }
            len => (usize::from(*len), rest),
        };
        frames.push((*first, rest[..len].to_vec()));
        bytes = &rest[len..];
    }
    frames
}

/// Echoes until the connection ends, and ends it as the driver does.
async fn echo(io: tokio::io::DuplexStream, compression: Compression) {
    let settings = Settings {
        message_bytes_max: 1 << 20,
        ..Settings::default()
    };
    let mut socket = WebSocket::new(io, compression, &[], Arc::new(settings));
    let mut messages = Vec::new();
    while socket.read(&mut messages).await.is_ok() {
        for Message { kind, bytes } in messages.drain(..) {
            socket
                .write(|frames| frames.message(kind, &[bytes], None))
                .unwrap();
        }
        socket.flush().await.unwrap();
    }
    socket.close(3000, "").await;
}

/// All that an echo server answers to `chunks`, each read apart from the next, until it closes the
/// stream, or, when it has no reason to, until a close frame asks it to.
fn answers(chunks: &[&[u8]], compression: Compression) -> Vec<(u8, Vec<u8>)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(async {
        let (client, server) = duplex(1 << 22);
        let (mut from_server, mut to_server) = tokio::io::split(client);
        let mut out = Vec::new();
        let talk = async {
            for chunk in chunks {
                to_server.write_all(chunk).await.unwrap();
                // On a paused clock: until everybody else waits.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let _ = to_server.write_all(&close(1000, b"")).await;
            let _ = to_server.shutdown().await;
        };
        let all = async {
            tokio::join!(
                echo(server, compression),
                talk,
                from_server.read_to_end(&mut out)
            )
        };
        let (_, _, read) = timeout(Duration::from_secs(60), all)
            .await
            .expect("it ends");
        read.unwrap();
        frames(&out)
    })
}

fn echoes(chunks: &[&[u8]]) -> Vec<(u8, Vec<u8>)> {
    answers(chunks, Compression::Off)
}

/// The frame that answers a close frame with `code`.
fn closed(code: u16) -> (u8, Vec<u8>) {
    (FIN | CLOSE, code.to_be_bytes().to_vec())
}

/// Checks that `chunks` are answered by `expected` and then a close frame with `code`.
#[track_caller]
fn ends(chunks: &[&[u8]], expected: &[(u8, &[u8])], code: u16) {
    let answers = echoes(chunks);
    let (last, before) = answers.split_last().expect("at least a close frame");
    let before: Vec<_> = before
        .iter()
        .map(|(first, payload)| (*first, &payload[..]))
        .collect();
    assert_eq!(before, expected);
    assert_eq!(last.0, FIN | CLOSE);
    assert_eq!(last.1.first_chunk(), Some(&code.to_be_bytes()));
}

fn octets(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.chunks(1).collect()
}

#[test]
fn case_1_messages_of_all_lengths() {
    for len in [0, 1, 125, 126, 127, 128, 65_535, 65_536, 100_000] {
        for kind in [TEXT, BINARY] {
            let payload = vec![b'*'; len];
            let sent = frame(FIN | kind, &payload);
            let expected = [(FIN | kind, payload), closed(1000)];
            assert_eq!(echoes(&[&sent]), expected);
            let chops: Vec<_> = sent.chunks(997).collect();
            assert_eq!(echoes(&chops), expected);
        }
    }
}

#[test]
fn case_2_pings_and_pongs() {
    ends(&[&frame(FIN | PING, b"")], &[(FIN | PONG, b"")], 1000);
    let longest = [0xfe; 125];
    ends(
        &[&frame(FIN | PING, &longest)],
        &[(FIN | PONG, &longest)],
        1000,
    );
    ends(
        &octets(&frame(FIN | PING, &longest)),
        &[(FIN | PONG, &longest)],
        1000,
    );
    ends(&[&frame(FIN | PING, &[0xfe; 126])], &[], 1002);
    ends(&[&frame(FIN | PONG, b"unasked")], &[], 1000);
    let ten: Vec<Vec<u8>> = (0..10).map(|n| frame(FIN | PING, &[n])).collect();
    let expected: Vec<_> = (0..10)
        .map(|n| (FIN | PONG, vec![n]))
        .chain([closed(1000)])
        .collect();
    assert_eq!(echoes(&[&ten.concat()]), expected);
    assert_eq!(echoes(&octets(&ten.concat())), expected);
}

#[test]
fn cases_3_and_4_reserved_bits_and_opcodes() {
    let hello = frame(FIN | TEXT, b"hello");
    let echoed = [(FIN | TEXT, &b"hello"[..])];
    for reserved in [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70] {
        let bad = frame(FIN | reserved | TEXT, b"bad");
        ends(&[&hello, &bad, &hello], &echoed, 1002);
        ends(&[&[hello.clone(), bad].concat()], &echoed, 1002);
        ends(&octets(&frame(FIN | reserved | PING, b"")), &[], 1002);
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        ends(&[&hello, &frame(FIN | opcode, b"x")], &echoed, 1002);
    }
}

#[test]
fn case_5_fragments() {
    let whole = [(FIN | TEXT, &b"fragment1fragment2"[..])];
    let (first, last) = (frame(TEXT, b"fragment1"), frame(FIN, b"fragment2"));
    let ping = frame(FIN | PING, b"ping");
    let both = [first.clone(), last.clone()].concat();
    for chunks in [vec![&first[..], &last], vec![&both[..]], octets(&both)] {
        ends(&chunks, &whole, 1000);
    }
    let pinged = [(FIN | PONG, &b"ping"[..]), whole[0]];
    let between = [first.clone(), ping.clone(), last.clone()].concat();
    for chunks in [
        vec![&first[..], &ping, &last],
        vec![&between[..]],
        octets(&between),
    ] {
        let answers = echoes(&chunks);
        assert_eq!(answers.len(), 3);
        assert!(
            pinged
                .iter()
                .all(|(first, payload)| answers.contains(&(*first, payload.to_vec())))
        );
    }
    ends(&[&frame(PING, b"fragment"), &last], &[], 1002);
    ends(&[&frame(PONG, b"fragment"), &last], &[], 1002);
    ends(
        &[&frame(FIN, b"of nothing"), &frame(FIN | TEXT, b"x")],
        &[],
        1002,
    );
    ends(&[&frame(0, b"of nothing"), &last], &[], 1002);
    ends(&[&both, &last], &whole, 1002);
    ends(&[&first, &frame(FIN | TEXT, b"inside")], &[], 1002);
    let empty = [frame(TEXT, b""), frame(0, b""), frame(FIN, b"")].concat();
    ends(&[&empty], &[(FIN | TEXT, b"")], 1000);
    ends(&octets(&empty), &[(FIN | TEXT, b"")], 1000);
}

#[test]
fn case_6_valid_text() {
    let texts = [
        "",
        "Hello-µ@ßöäüàá-UTF-8!!",
        "κόσμε",
        "\u{0}\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}",
        "\u{d7ff}\u{e000}\u{fffd}\u{fffe}\u{1fffe}",
    ];
    for text in texts {
        let expected = [(FIN | TEXT, text.as_bytes())];
        let sent = frame(FIN | TEXT, text.as_bytes());
        ends(&[&sent], &expected, 1000);
        ends(&octets(&sent), &expected, 1000);
        let mut fragments = frame(TEXT, b"");
        fragments.extend(text.bytes().flat_map(|byte| frame(0, &[byte])));
        fragments.extend(frame(FIN, b""));
        ends(&[&fragments], &expected, 1000);
    }
}

#[test]
fn case_6_invalid_text() {
    let texts: [&[u8]; 13] = [
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64",
        b"\x80",
        b"\xbf\xbf",
        b"\xc0\xaf",
        b"\xe0\x80\x80",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80",
        b"\xed\xbf\xbf",
        b"\xfe",
        b"abc\xc3",
        b"\xf0\x90\x8d",
    ];
    for text in texts {
        let sent = frame(FIN | TEXT, text);
        ends(&[&sent], &[], 1007);
        ends(&octets(&sent), &[], 1007);
        let mut fragments = frame(TEXT, b"");
        fragments.extend(text.iter().flat_map(|byte| frame(0, &[*byte])));
        fragments.extend(frame(FIN, b""));
        ends(&[&fragments], &[], 1007);
        ends(&[&frame(FIN | BINARY, text)], &[(FIN | BINARY, text)], 1000);
    }
}

/// The end comes with the first bad byte, not with the end of the message.
#[test]
fn case_6_4_bad_text_fails_fast() {
    ends(
        &[&frame(TEXT, "κόσμε".as_bytes()), &frame(0, b"\xf4\x90")],
        &[],
        1007,
    );
    let sent = frame(FIN | TEXT, b"\xce\xba\xf4\x90\x80\x80edited");
    let until_bad = sent.len() - "\u{80}\u{80}edited".len() + 2;
    ends(&[&sent[..until_bad]], &[], 1007);
}

#[test]
fn case_7_closing() {
    ends(&[&close(1000, b"bye")], &[], 1000);
    assert_eq!(echoes(&[&frame(FIN | CLOSE, b"")]), [(FIN | CLOSE, vec![])]);
    let hello = frame(FIN | TEXT, b"hello");
    let after = [close(1000, b""), hello.clone(), frame(FIN | PING, b"")].concat();
    ends(&[&after], &[], 1000);
    let before = [hello, close(1001, b"")].concat();
    ends(&[&before], &[(FIN | TEXT, b"hello")], 1001);
    ends(&[&frame(TEXT, b"half"), &close(1000, b"")], &[], 1000);
    ends(&[&frame(FIN | CLOSE, &[3])], &[], 1002);
    ends(&[&close(1000, &[b'*'; 123])], &[], 1000);
    ends(&[&close(1000, &[b'*'; 124])], &[], 1002);
    ends(
        &[&close(1000, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80")],
        &[],
        1007,
    );
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ] {
        ends(&[&close(code, b"")], &[], code);
    }
    for code in [
        0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535,
    ] {
        ends(&[&close(code, b"")], &[], 1002);
    }
}

#[test]
fn case_10_unusual_fragments() {
    let payload = vec![b'*'; 65_536];
    let mut sent = frame(TEXT, &payload[..1300]);
    for part in payload[1300..].chunks(1300) {
        sent.extend(frame(0, part));
    }
    sent.extend(frame(FIN, b""));
    ends(&[&sent], &[(FIN | TEXT, &payload)], 1000);
}

#[test]
fn cases_12_and_13_compression() {
    for len in [0, 16, 64, 256, 1024, 65_536, 131_072] {
        let text = "{\"some\":\"json\"}".repeat(len / 15 + 1);
        let text = &text[..len];
        let payload = message(text.as_bytes(), 6);
        let whole = frame(FIN | RSV1 | TEXT, &payload);
        let (head, tail) = payload.split_at(payload.len() / 2);
        let fragments = [frame(RSV1 | TEXT, head), frame(FIN, tail)].concat();
        for chunks in [
            vec![&whole[..]],
            vec![&fragments[..]],
            fragments.chunks(97).collect(),
        ] {
            let answers = answers(&chunks, Compression::Deflate);
            let [(first, payload), close] = &answers[..] else {
                panic!("{answers:?}")
            };
            let is_deflated = first & RSV1 != 0;
            assert_eq!(is_deflated, len > 16, "only where it got shorter");
            let echoed = if is_deflated {
                inflate(payload, 1 << 20).unwrap()
            } else {
                payload.clone().into()
            };
            assert_eq!(echoed, text);
            assert_eq!(*close, closed(1000));
        }
    }
    let plain = answers(&[&frame(FIN | TEXT, b"plain")], Compression::Deflate);
    assert_eq!(plain, [(FIN | TEXT, b"plain".to_vec()), closed(1000)]);
    for (payload, code) in [
        (message(b"\xff", 1), 1007_u16),
        (b"\xff\xff".to_vec().into(), 1007),
    ] {
        let answers = answers(&[&frame(FIN | RSV1 | TEXT, &payload)], Compression::Deflate);
        assert_eq!(answers[0].1[..2], code.to_be_bytes());
    }
    let continued = [frame(TEXT, b"a"), frame(FIN | RSV1, b"b")].concat();
    let answers = answers(&[&continued], Compression::Deflate);
    assert_eq!(answers[0].1[..2], 1002_u16.to_be_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a client sends, the server ends in an orderly way.
    #[test]
    fn random_bytes_end_with_a_close_frame(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        has_hello in any::<bool>(),
    ) {
        let hello = frame(FIN | TEXT, b"hello");
        let chunks = [if has_hello { &hello[..] } else { &[] }, &bytes];
        let answers = answers(&chunks, Compression::Deflate);
        // A frame that is cut off by the end of the stream is not answered at all.
        prop_assert!(answers.iter().rev().skip(1).all(|(first, _)| *first != FIN | CLOSE));
    }
}
