//! The client's half of WebSocket, as little of it as measuring needs: no extensions, no fragments from us.

use anyhow::{Context, Result, bail, ensure};

/// A frame is masked by any key; a fixed one keeps frames that were made before sendable. The server unmasks it alike.
const KEY: [u8; 4] = [0x1b, 0x9a, 0x44, 0xe7];

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// Kinds of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// JSON, and what continues it.
    Text,
    /// Protobuf.
    Binary,
    /// Ends the connection; holds the code.
    Close,
    /// Wants a pong with the same bytes.
    Ping,
    /// Answers a ping.
    Pong,
}

impl Kind {
    const ALL: [(u8, Self); 6] = [
        (0, Self::Text),
        (1, Self::Text),
        (2, Self::Binary),
        (8, Self::Close),
        (9, Self::Ping),
        (10, Self::Pong),
    ];

    fn opcode(self) -> u8 {
        Self::ALL
            .iter()
            .rev()
            .find(|(_, kind)| *kind == self)
            .map_or(0, |(code, _)| *code)
    }

    fn of(opcode: u8) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(code, _)| *code == opcode)
            .map(|(_, kind)| *kind)
    }
}

/// The request that opens a connection.
pub(crate) fn request(host: &str, subprotocol: Option<&str>) -> String {
    let subprotocol = subprotocol.map_or_else(String::new, |name| {
        format!("Sec-WebSocket-Protocol: {name}\r\n")
    });
    format!(
        "GET /connection/websocket HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{subprotocol}\r\n"
    )
}

/// Length of the response's head, once it is whole.
pub(crate) fn response(bytes: &[u8]) -> Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    match head.parse(bytes)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(length) => {
            ensure!(
                head.code == Some(101),
                "the upgrade was refused with status {:?}",
                head.code
            );
            Ok(Some(length))
        }
    }
}

/// A masked frame.
pub(crate) fn frame(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 14);
    out.push(FIN | kind.opcode());
    if let Ok(short @ 0..=125) = u8::try_from(payload.len()) {
        out.push(MASKED | short);
    } else if let Ok(length) = u16::try_from(payload.len()) {
        out.push(MASKED | 126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(MASKED | 127);
        out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    }
    out.extend_from_slice(&KEY);
    out.extend(
        payload
            .iter()
            .zip(KEY.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    out
}

/// A frame: kind, payload, and the bytes behind it.
type Split<'a> = (Kind, &'a [u8], &'a [u8]);

/// The first frame of some bytes from the server, if it is whole.
pub(crate) fn split(bytes: &[u8]) -> Result<Option<Split<'_>>> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    ensure!(first & 0x70 == 0, "a reserved bit is set");
    ensure!(second & MASKED == 0, "the server masks its frames");
    let kind = Kind::of(first & 0x0f).with_context(|| format!("unknown frame {first:#x}"))?;
    let (length, rest) = match (second & 0x7f, rest) {
        (126, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
        (127, rest) => match rest.split_first_chunk() {
            Some((length, rest)) => (usize::try_from(u64::from_be_bytes(*length))?, rest),
            None => return Ok(None),
        },
        (126, _) => return Ok(None),
        (short, rest) => (usize::from(short), rest),
    };
    Ok(rest
        .split_at_checked(length)
        .map(|(payload, rest)| (kind, payload, rest)))
}

/// Why the server closed a connection.
pub(crate) fn close_reason(payload: &[u8]) -> anyhow::Error {
    match payload.split_first_chunk() {
        Some((code, reason)) => {
            anyhow::anyhow!(
                "closed with {} {}",
                u16::from_be_bytes(*code),
                String::from_utf8_lossy(reason)
            )
        }
        None => anyhow::anyhow!("closed without a code"),
    }
}

/// Calls `take` for each whole frame that carries messages, answers nothing, and returns what is left over.
pub(crate) fn each(mut bytes: &[u8], mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<&[u8]> {
    while let Some((kind, payload, rest)) = split(bytes)? {
        match kind {
            Kind::Text | Kind::Binary => take(payload)?,
            Kind::Close => bail!(close_reason(payload)),
            Kind::Ping | Kind::Pong => {}
        }
        bytes = rest;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmasked(kind: Kind, payload: &[u8]) -> Vec<u8> {
        let mut out = frame(kind, payload);
        out[1] &= 0x7f;
        let header = out.len() - payload.len();
        let at = header - 4;
        out.drain(at..header);
        out.truncate(at);
        out.extend_from_slice(payload);
        out
    }

    #[test]
    fn frames_of_all_lengths_are_split_again() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![7; length];
            let bytes = [unmasked(Kind::Binary, &payload), b"next".to_vec()].concat();
            assert_eq!(
                split(&bytes).unwrap(),
                Some((Kind::Binary, payload.as_slice(), b"next".as_slice()))
            );
            assert_eq!(
                split(&bytes[..bytes.len() - 5]).unwrap(),
                None,
                "{length}: one byte is missing"
            );
        }
    }

    #[test]
    fn a_frame_is_masked() {
        let bytes = frame(Kind::Text, b"{}");
        assert_eq!(bytes[..2], [0x81, 0x82]);
        assert_eq!([bytes[6] ^ KEY[0], bytes[7] ^ KEY[1]], *b"{}");
    }

    #[test]
    fn a_close_frame_is_an_error_with_its_reason() {
        let bytes = unmasked(Kind::Close, b"\x0b\xc0slow");
        let error = each(&bytes, |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "closed with 3008 slow");
    }

    #[test]
    fn only_a_switch_of_protocols_is_accepted() {
        assert_eq!(response(b"HTTP/1.1 101 x\r\nA: b\r\n").unwrap(), None);
        assert_eq!(
            response(b"HTTP/1.1 101 x\r\nA: b\r\n\r\n\x81").unwrap(),
            Some(24)
        );
        assert!(response(b"HTTP/1.1 403 x\r\n\r\n").is_err());
    }
}
