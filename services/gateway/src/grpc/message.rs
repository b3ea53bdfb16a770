//! How gRPC frames messages: a flag, a length, the message.

use bytes::{Buf, Bytes, BytesMut};

/// Length of a message's head. Unit: bytes.
pub(crate) const HEAD_BYTES: usize = 5;

/// Why a message cannot be taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Malformed {
    /// It is longer than is allowed. Unit: bytes.
    TooLong(usize),
    /// It is compressed, which was not offered.
    Compressed,
}

/// What is known of the first message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Size {
    /// It has come, and is so long without its head. Unit: bytes.
    Whole(usize),
    /// It has not come whole.
    Unknown,
}

/// Looks at what has been read.
///
/// # Errors
///
/// [`Malformed`].
pub(crate) fn size(read: &[u8], bytes_max: usize) -> Result<Size, Malformed> {
    let Some((&[flag, a, b, c, d], rest)) = read.split_first_chunk::<HEAD_BYTES>() else {
        return Ok(Size::Unknown);
    };
    if flag != 0 {
        return Err(Malformed::Compressed);
    }
    let len = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if len > bytes_max {
        return Err(Malformed::TooLong(len));
    }
    Ok(if rest.len() < len {
        Size::Unknown
    } else {
        Size::Whole(len)
    })
}

/// Takes the first message, which is so long.
pub(crate) fn take(read: &mut BytesMut, len: usize) -> Bytes {
    read.advance(HEAD_BYTES);
    read.split_to(len).freeze()
}

/// Writes a message.
pub(crate) fn put(out: &mut Vec<u8>, message: &[u8]) {
    // Nothing near 4 GiB is ever sent: the queue of a connection is bounded below that.
    let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
    out.push(0);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(message);
}

/// Messages of a client, out of pieces as they come. Holds nothing between messages.
#[derive(Debug)]
pub(crate) struct Decoder {
    bytes_max: usize,
    part: Vec<u8>,
}

impl Decoder {
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            part: Vec::new(),
        }
    }

    /// Takes what was read. The messages that are whole come out as one frame of the protocol, each with
    /// its length before it; what cannot be taken, as what the protocol takes for malformed.
    pub(crate) fn feed(&mut self, read: &[u8]) -> Option<Bytes> {
        self.part.extend_from_slice(read);
        let mut frame = Vec::new();
        let mut rest = &*self.part;
        loop {
            match size(rest, self.bytes_max) {
                Ok(Size::Whole(len)) => {
                    let (head, behind) = rest.split_at(HEAD_BYTES + len);
                    put_delimited(&mut frame, head.get(HEAD_BYTES..).unwrap_or_default());
                    rest = behind;
                }
                Ok(Size::Unknown) => break,
                // A length without its message is one that nobody takes.
                Err(Malformed::TooLong(len)) => {
                    put_varint(&mut frame, len);
                    rest = &[];
                }
                Err(Malformed::Compressed) => {
                    put_varint(&mut frame, usize::MAX);
                    rest = &[];
                }
            }
        }
        self.part = rest.to_vec();
        (!frame.is_empty()).then(|| frame.into())
    }
}

fn put_delimited(frame: &mut Vec<u8>, message: &[u8]) {
    put_varint(frame, message.len());
    frame.extend_from_slice(message);
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use gyre_protocol::Format;
    use gyre_protocol::frame::Commands;

    use super::*;

    #[test]
    fn messages_are_found_in_pieces_of_any_size() {
        let mut stream = Vec::new();
        let long = vec![7; 300];
        for message in [&b"one"[..], b"", &long, b"two"] {
            put(&mut stream, message);
        }
        let mut expected = b"\x03one\x00\xac\x02".to_vec();
        expected.extend_from_slice(&long);
        expected.extend_from_slice(b"\x03two");
        for piece in [1, 2, 5, 7, 400] {
            let mut decoder = Decoder::new(1000);
            let frames = stream.chunks(piece).filter_map(|read| decoder.feed(read));
            assert_eq!(frames.collect::<Vec<_>>().concat(), expected, "{piece}");
            assert_eq!(decoder.part.capacity(), 0);
        }
    }

    #[test]
    fn what_cannot_be_taken_is_malformed_for_the_protocol() {
        let mut compressed = Vec::new();
        put(&mut compressed, b"x");
        compressed[0] = 1;
        let mut long = Vec::new();
        put(&mut long, &[0; 11]);
        // Its length is enough.
        long.truncate(HEAD_BYTES);
        for stream in [compressed, long] {
            let frame = Decoder::new(10).feed(&stream).unwrap();
            let mut commands = Commands::new(Format::Protobuf, frame, 10);
            assert!(commands.next_command().unwrap().is_err());
        }
    }
}
