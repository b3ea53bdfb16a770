//! Frames of the server: never masked, never fragmented.

use bytes::Bytes;
use gyre_types::limits::REASON_BYTES_MAX;

use super::Settings;
use super::deflate::deflate;
use super::frame::{CONTROL_BYTES_MAX, Kind};
use crate::scratch::{Staging, with_spare};

/// Parts from this length on are handed to the socket where they are. Unit: bytes.
///
/// 1 KiB: where one more entry of a vectored write begins to cost less than the copy (measured).
pub const SHARE_BYTES_MIN: usize = 1024;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// Where one turn of a connection puts the frames that it sends; they leave together.
#[derive(Debug)]
pub struct Frames<'a> {
    staging: &'a mut Staging,
    /// Set when the connection compresses.
    deflate: Option<&'a Settings>,
}

impl<'a> Frames<'a> {
    /// Frames for `staging`; `deflate` where compression was agreed.
    pub const fn new(staging: &'a mut Staging, deflate: Option<&'a Settings>) -> Self {
        Self { staging, deflate }
    }

    /// Whether a message of `len` bytes is sent compressed on this connection.
    ///
    /// If so, and others receive the same message, [`Self::deflated`] spares them the work.
    #[must_use]
    pub fn deflates(&self, len: usize) -> bool {
        self.deflate
            .is_some_and(|settings| len > settings.deflate_above_bytes)
    }

    /// Adds one message made of `parts` with `separator` between them, compressed if agreed and worth
    /// it. Small parts are copied, large ones shared.
    pub fn message(&mut self, kind: Kind, parts: &[Bytes], separator: Option<u8>) {
        let len = joined_len(parts, separator);
        if let Some(settings) = self
            .deflate
            .filter(|settings| len > settings.deflate_above_bytes)
        {
            let level = settings.deflate_level;
            if self.try_deflated(kind, parts, separator, len, level) {
                return;
            }
        }
        put_head(self.staging.copied(), FIN | kind.opcode(), len);
        let is_shared = len >= SHARE_BYTES_MIN * parts.len();
        for (n, part) in parts.iter().enumerate() {
            let separator = separator.filter(|_| n > 0);
            self.staging.copied().extend(separator);
            if is_shared {
                self.staging.share(part.clone());
            } else {
                self.staging.copied().extend_from_slice(part);
            }
        }
    }

    /// Adds one message that is compressed already, see [`super::deflate::message`]. Only where
    /// [`Self::deflates`].
    pub fn deflated(&mut self, kind: Kind, payload: &Bytes) {
        debug_assert!(self.deflate.is_some(), "compression was agreed");
        put_head(
            self.staging.copied(),
            FIN | RSV1 | kind.opcode(),
            payload.len(),
        );
        if payload.len() >= SHARE_BYTES_MIN {
            self.staging.share(payload.clone());
        } else {
            self.staging.copied().extend_from_slice(payload);
        }
    }

    /// Adds an empty ping.
    pub fn ping(&mut self) {
        put_head(self.staging.copied(), FIN | PING, 0);
    }

    /// Whether the message got shorter and was added; else nothing was.
    fn try_deflated(
        &mut self,
        kind: Kind,
        parts: &[Bytes],
        separator: Option<u8>,
        len: usize,
        level: u8,
    ) -> bool {
        with_spare(|payload| {
            let separator = separator.as_slice();
            let pieces = parts
                .iter()
                .enumerate()
                .flat_map(|(n, part)| [if n == 0 { &[] } else { separator }, &part[..]]);
            deflate(pieces, level, payload);
            let is_shorter = payload.len() < len;
            if is_shorter {
                let out = self.staging.copied();
                put_head(out, FIN | RSV1 | kind.opcode(), payload.len());
                out.extend_from_slice(payload);
            }
            is_shorter
        })
    }
}

/// Appends a close frame. `code` must be one that may be sent; `reason` is cut to what fits.
pub fn put_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
    put_head(out, FIN | CLOSE, 2 + reason.len());
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// Appends a close frame without code and reason.
pub fn put_empty_close(out: &mut Vec<u8>) {
    put_head(out, FIN | CLOSE, 0);
}

/// Appends a pong with the payload of its ping.
pub fn put_pong(out: &mut Vec<u8>, payload: &[u8]) {
    debug_assert!(
        payload.len() <= CONTROL_BYTES_MAX,
        "it came in a control frame"
    );
    put_head(out, FIN | PONG, payload.len());
    out.extend_from_slice(payload);
}

fn put_head(out: &mut Vec<u8>, first: u8, payload_len: usize) {
    if let Ok(len) = u8::try_from(payload_len)
        && len < 126
    {
        out.extend_from_slice(&[first, len]);
    } else if let Ok(len) = u16::try_from(payload_len) {
        let [high, low] = len.to_be_bytes();
        out.extend_from_slice(&[first, 126, high, low]);
    } else {
        out.extend_from_slice(&[first, 127]);
        out.extend_from_slice(&(payload_len as u64).to_be_bytes());
    }
}

fn joined_len(parts: &[Bytes], separator: Option<u8>) -> usize {
    let separators = separator.map_or(0, |_| parts.len().saturating_sub(1));
    parts.iter().map(Bytes::len).sum::<usize>() + separators
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::{Piece, with_write};
    use crate::websocket::deflate::inflate;

    fn encode(deflate: Option<&Settings>, stage: impl FnOnce(&mut Frames<'_>)) -> Vec<u8> {
        with_write(|staging| {
            stage(&mut Frames::new(staging, deflate));
            staging
                .pieces()
                .flat_map(|piece| piece.as_slice().to_vec())
                .collect()
        })
    }

    #[test]
    fn joined_parts_are_one_frame() {
        let parts = ["{}", "{\"id\":1}"].map(Bytes::from);
        let json = encode(None, |frames| {
            frames.message(Kind::Text, &parts, Some(b'\n'));
        });
        assert_eq!(json, b"\x81\x0b{}\n{\"id\":1}");
        let binary = encode(None, |frames| frames.message(Kind::Binary, &parts, None));
        assert_eq!(binary, b"\x82\x0a{}{\"id\":1}");
        let one = encode(None, |frames| {
            frames.message(Kind::Text, &parts[..1], Some(b'\n'));
        });
        assert_eq!(one, b"\x81\x02{}");
    }

    #[test]
    fn the_length_takes_the_shortest_form() {
        let head = |len: usize| {
            let payload = [Bytes::from(vec![b'x'; len])];
            let bytes = encode(None, |frames| frames.message(Kind::Binary, &payload, None));
            bytes[..bytes.len() - len].to_vec()
        };
        assert_eq!(head(0), [0x82, 0]);
        assert_eq!(head(125), [0x82, 125]);
        assert_eq!(head(126), [0x82, 126, 0, 126]);
        assert_eq!(head(65_535), [0x82, 126, 0xff, 0xff]);
        assert_eq!(head(65_536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn large_parts_are_shared_and_small_ones_copied() {
        let shared = |parts: &[Bytes]| {
            with_write(|staging| {
                Frames::new(staging, None).message(Kind::Text, parts, Some(b'\n'));
                staging
                    .pieces()
                    .filter(|piece| matches!(piece, Piece::Shared(_)))
                    .count()
            })
        };
        let (small, large) = (Bytes::from(vec![b'x'; 100]), Bytes::from(vec![b'y'; 4096]));
        assert_eq!(shared(std::slice::from_ref(&small)), 0);
        assert_eq!(shared(std::slice::from_ref(&large)), 1);
        assert_eq!(shared(&[large.clone(), large]), 2);
        assert_eq!(shared(&vec![small; 16]), 0);
    }

    #[test]
    fn compresses_above_the_limit_what_gets_shorter() {
        let settings = Settings {
            deflate_above_bytes: 10,
            ..Settings::default()
        };
        let send = |text: &str| {
            let parts = [Bytes::from(text.to_owned()), Bytes::from(text.to_owned())];
            encode(Some(&settings), |frames| {
                frames.message(Kind::Text, &parts, Some(b'\n'));
            })
        };
        assert_eq!(send("aaaa")[0], 0x81, "9 bytes");
        assert_eq!(send("abcdefgh")[0], 0xc1, "17 bytes");
        let long = "again and ".repeat(50);
        let frame = send(&long);
        assert_eq!(frame[0], 0xc1);
        assert_eq!(
            inflate(&frame[2..], 5000).unwrap(),
            format!("{long}\n{long}")
        );
        let parts = [Bytes::from_static(&[
            1, 77, 9, 200, 31, 4, 250, 66, 13, 90, 7,
        ])];
        let noise = encode(Some(&settings), |frames| {
            frames.message(Kind::Binary, &parts, None);
        });
        assert_eq!(noise[0], 0x82, "it would have grown");
    }

    #[test]
    fn a_shared_compressed_message_goes_out_as_it_is() {
        let settings = Settings::default();
        let payload = crate::websocket::deflate::message(&[b'x'; 500], 1);
        let frame = encode(Some(&settings), |frames| {
            assert!(frames.deflates(500));
            frames.deflated(Kind::Text, &payload);
        });
        assert_eq!(frame[..2], [0xc1, u8::try_from(payload.len()).unwrap()]);
        assert_eq!(frame[2..], payload);
    }

    #[test]
    fn control_frames() {
        let mut out = Vec::new();
        put_close(&mut out, 3001, "shutdown");
        assert_eq!(out, b"\x88\x0a\x0b\xb9shutdown");
        out.clear();
        put_close(&mut out, 4000, &"\u{e9}".repeat(100));
        assert_eq!(out[1], 2 + 122, "cut between characters");
        out.clear();
        put_empty_close(&mut out);
        put_pong(&mut out, b"hi");
        assert_eq!(out, b"\x88\x00\x8a\x02hi");
        assert_eq!(encode(None, |frames| frames.ping()), b"\x89\x00");
    }
}
