//! The vocabulary of the wire: opcodes, frame heads, close codes, and what breaks the rules.

use thiserror::Error;

/// Longest payload of a control frame. Unit: bytes. Source: RFC 6455, 5.5.
pub const CONTROL_BYTES_MAX: usize = 125;

/// Longest head of a masked frame. Unit: bytes.
pub const HEAD_BYTES_MAX: usize = 14;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const MASKED: u8 = 0x80;

/// What a message carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

impl Kind {
    /// The opcode of the first frame of such a message.
    #[must_use]
    pub const fn opcode(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Binary => 2,
        }
    }
}

/// The kinds of frames that there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Opcode {
    /// More of the message that is under way.
    Continuation,
    /// The first frame of a message.
    Data(Kind),
    /// The end of the connection.
    Close,
    /// To be answered by a pong.
    Ping,
    /// The answer to a ping, or a sign of life.
    Pong,
}

impl Opcode {
    const fn from_wire(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Data(Kind::Text),
            0x2 => Self::Data(Kind::Binary),
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    /// Whether it may come between the frames of a message.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The head of a frame of a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// What kind of frame it is.
    pub opcode: Opcode,
    /// Whether the message ends with it.
    pub is_final: bool,
    /// Whether its message is compressed.
    pub is_deflated: bool,
    /// Length of the payload. Unit: bytes.
    pub payload_len: u64,
    /// What the payload was combined with.
    pub mask: [u8; 4],
    /// Length of the head itself. Unit: bytes.
    pub head_len: usize,
}

impl Head {
    /// Reads the head that `bytes` begin with; `None` until they hold all of it.
    ///
    /// # Errors
    ///
    /// Whatever RFC 6455 forbids in a single frame, as soon as it shows.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Failure> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk() else {
            return Ok(None);
        };
        let head = Self::check(first, second)?;
        let (payload_len, rest) = match second & !MASKED {
            126 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from_be_bytes(*len), rest),
                None => return Ok(None),
            },
            len => (u64::from(len), rest),
        };
        if payload_len > i64::MAX as u64 {
            return Err(Failure::Protocol("length out of range"));
        }
        let Some((mask, rest)) = rest.split_first_chunk() else {
            return Ok(None);
        };
        Ok(Some(Self {
            payload_len,
            mask: *mask,
            head_len: bytes.len() - rest.len(),
            ..head
        }))
    }

    /// What the first two bytes tell, and forbid.
    fn check(first: u8, second: u8) -> Result<Self, Failure> {
        if first & RSV2_RSV3 != 0 {
            return Err(Failure::Protocol("reserved bit set"));
        }
        let Some(opcode) = Opcode::from_wire(first & 0x0f) else {
            return Err(Failure::Protocol("reserved opcode"));
        };
        if second & MASKED == 0 {
            return Err(Failure::Protocol("frame not masked"));
        }
        let head = Self {
            opcode,
            is_final: first & FIN != 0,
            is_deflated: first & RSV1 != 0,
            payload_len: 0,
            mask: [0; 4],
            head_len: 0,
        };
        if opcode.is_control() && !head.is_final {
            return Err(Failure::Protocol("control frame fragmented"));
        }
        if opcode.is_control() && usize::from(second & !MASKED) > CONTROL_BYTES_MAX {
            return Err(Failure::Protocol("control frame too long"));
        }
        if head.is_deflated && !matches!(opcode, Opcode::Data(_)) {
            return Err(Failure::Protocol("reserved bit set"));
        }
        Ok(head)
    }
}

/// Combines `payload` with `mask`, of whose frame `offset` bytes came before it.
///
/// Does and undoes: it is its own inverse.
pub fn unmask(payload: &mut [u8], mask: [u8; 4], offset: usize) {
    let [a, b, c, d] = {
        let mut turned = mask;
        turned.rotate_left(offset % 4);
        turned
    };
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= mask;
    }
}

/// What the peer's close frame said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CloseFrame {
    /// Why.
    pub code: u16,
    /// The same in words; may be empty.
    pub reason: Box<str>,
}

impl CloseFrame {
    /// Reads the payload of a close frame; `None` when it is empty.
    ///
    /// # Errors
    ///
    /// A lone byte, a code that must not be sent, a reason that is not UTF-8.
    pub fn parse(payload: &[u8]) -> Result<Option<Self>, Failure> {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return if payload.is_empty() {
                Ok(None)
            } else {
                Err(Failure::Protocol("close frame too short"))
            };
        };
        let code = u16::from_be_bytes(*code);
        if !is_sendable(code) {
            return Err(Failure::Protocol("invalid close code"));
        }
        let reason = std::str::from_utf8(reason).map_err(|_| Failure::NotUtf8)?;
        Ok(Some(Self {
            code,
            reason: reason.into(),
        }))
    }
}

/// Whether a close frame may carry `code`: the registered ones, 3000 to 3999 of libraries, and 4000 to
/// 4999 of applications.
#[must_use]
pub const fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Why the peer's bytes end the connection.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Failure {
    /// The peer broke the protocol.
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    /// A text message or the reason of a close frame is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A compressed message does not decompress.
    #[error("compressed message is damaged")]
    Damaged,
    /// A message is longer than allowed, on the wire or decompressed.
    #[error("message is longer than {max} bytes")]
    TooLong {
        /// The limit. Unit: bytes.
        max: usize,
    },
}

impl Failure {
    /// The code that the peer is told.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::NotUtf8 | Self::Damaged => 1007,
            Self::TooLong { .. } => 1009,
        }
    }

    /// The text that the peer is told.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Protocol(what) => what,
            Self::NotUtf8 => "invalid UTF-8",
            Self::Damaged => "invalid compressed data",
            Self::TooLong { .. } => "message too big",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(bytes: &[u8]) -> bool {
        matches!(Head::parse(bytes), Err(Failure::Protocol(_)))
    }

    #[test]
    fn heads_of_all_three_lengths() {
        let mask = [1, 2, 3, 4];
        let small = [&[0x81, 0x85][..], &mask].concat();
        let medium = [&[0x02, 0xfe, 0x01, 0x00][..], &mask].concat();
        let large = [&[0xc2, 0xff, 0, 0, 0, 0, 0, 1, 0, 0][..], &mask].concat();
        for (bytes, len) in [(&small, 5), (&medium, 256), (&large, 65_536)] {
            let head = Head::parse(bytes).unwrap().unwrap();
            assert_eq!(
                (head.payload_len, head.head_len, head.mask),
                (len, bytes.len(), mask)
            );
            for cut in 0..bytes.len() {
                assert_eq!(Head::parse(&bytes[..cut]), Ok(None));
            }
        }
        assert!(!Head::parse(&medium).unwrap().unwrap().is_final);
        assert!(Head::parse(&large).unwrap().unwrap().is_deflated);
    }

    #[test]
    fn what_two_bytes_forbid() {
        assert!(protocol(&[0x81, 0x05]), "not masked");
        assert!(
            protocol(&[0xa1, 0x85]) && protocol(&[0x91, 0x85]),
            "reserved bits"
        );
        for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
            assert!(protocol(&[0x80 | opcode, 0x80]), "opcode {opcode}");
        }
        for control in [8, 9, 10] {
            assert!(protocol(&[control, 0x80]), "fragmented");
            assert!(protocol(&[0x80 | control, 0xfe]), "126 bytes");
            assert!(protocol(&[0xc0 | control, 0x80]), "compressed");
            assert!(!protocol(&[0x80 | control, 0xfd]), "125 bytes");
        }
        assert!(protocol(&[0xc0, 0x80]), "compressed continuation");
        assert!(
            protocol(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            "negative length"
        );
    }

    #[test]
    fn unmasking_in_parts_is_unmasking_at_once() {
        let mask = [0x11, 0x22, 0x33, 0x44];
        let plain: Vec<u8> = (0..=255).collect();
        let expected: Vec<u8> = plain
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        for cut in 0..plain.len() {
            let mut bytes = plain.clone();
            let (head, tail) = bytes.split_at_mut(cut);
            unmask(head, mask, 0);
            unmask(tail, mask, cut);
            assert_eq!(bytes, expected, "cut at {cut}");
        }
    }

    #[test]
    fn close_frames() {
        let payload = [&3001_u16.to_be_bytes()[..], b"shutdown"].concat();
        let close = CloseFrame::parse(&payload).unwrap().unwrap();
        assert_eq!((close.code, &*close.reason), (3001, "shutdown"));
        assert_eq!(CloseFrame::parse(&[]), Ok(None));
        assert_eq!(CloseFrame::parse(&[3]).unwrap_err().code(), 1002);
        assert_eq!(
            CloseFrame::parse(&[3, 0xe8, 0xff]).unwrap_err().code(),
            1007
        );
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
            assert_eq!(
                CloseFrame::parse(&u16::to_be_bytes(code))
                    .unwrap_err()
                    .code(),
                1002
            );
        }
        for code in [1000, 1003, 1007, 1014, 3000, 4999] {
            assert_eq!(
                CloseFrame::parse(&u16::to_be_bytes(code))
                    .unwrap()
                    .unwrap()
                    .code,
                code
            );
        }
    }
}
