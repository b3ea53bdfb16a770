//! permessage-deflate's payloads: raw DEFLATE, each message on its own.
//!
//! Without context takeover nothing outlives a message, so one compressor and one decompressor per
//! thread serve all connections (some 300 KB each thread, made on first use), and a compressed message
//! is the same for every receiver: compress it once, share it.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::frame::Failure;
use crate::scratch::{SCRATCH_BYTES, with_spare};

/// How a flushed stream ends; left out on the wire. Source: RFC 7692, 7.2.1.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Least room that the compressor is given at a time. Unit: bytes.
const ROOM_BYTES_MIN: usize = 1024;

thread_local! {
    /// With the level that it was made for.
    static DEFLATER: RefCell<Option<(u8, Compress)>> = const { RefCell::new(None) };
    static INFLATER: RefCell<Option<Decompress>> = const { RefCell::new(None) };
}

/// Compresses one message, as it goes into a frame with the first reserved bit set.
#[must_use]
pub fn message(message: &[u8], level: u8) -> Bytes {
    with_spare(|out| {
        deflate([message], level, out);
        Bytes::copy_from_slice(out)
    })
}

/// Appends to `out` the compressed form of the message that `parts` make up.
pub fn deflate<'a>(parts: impl IntoIterator<Item = &'a [u8]>, level: u8, out: &mut Vec<u8>) {
    let mut deflater = take(&DEFLATER)
        .filter(|(made_for, _)| *made_for == level)
        .unwrap_or_else(|| {
            (
                level,
                Compress::new(Compression::new(level.min(9).into()), false),
            )
        });
    deflater.1.reset();
    for part in parts {
        feed(&mut deflater.1, part, FlushCompress::None, out);
    }
    feed(&mut deflater.1, &[], FlushCompress::Sync, out);
    debug_assert!(
        out.ends_with(&TAIL),
        "a sync flush ends with an empty stored block"
    );
    out.truncate(out.len().saturating_sub(TAIL.len()));
    put(&DEFLATER, deflater);
}

/// Decompresses one message of at most `bytes_max` bytes.
///
/// # Errors
///
/// [`Failure::TooLong`] past the limit, which is checked while it grows; [`Failure::Damaged`] when it
/// is no DEFLATE stream.
pub fn inflate(payload: &[u8], bytes_max: usize) -> Result<Bytes, Failure> {
    let mut inflater = take(&INFLATER).unwrap_or_else(|| Decompress::new(false));
    let result = with_spare(|out| {
        inflater.reset(false);
        drain(&mut inflater, payload, bytes_max, out)?;
        drain(&mut inflater, &TAIL, bytes_max, out)?;
        Ok(Bytes::copy_from_slice(out))
    });
    put(&INFLATER, inflater);
    result
}

/// Feeds all of `input`, until everything that the flush brings out is in `out`.
fn feed(deflater: &mut Compress, mut input: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
    loop {
        out.reserve(ROOM_BYTES_MIN.max(input.len() / 2));
        let before = deflater.total_in();
        let status = deflater.compress_vec(input, out, flush);
        input = rest(input, deflater.total_in() - before);
        // Room left means that it had nothing more to say; an error means that it cannot go on.
        let is_drained = input.is_empty() && out.len() < out.capacity();
        if is_drained || status.is_err() {
            debug_assert!(
                status.is_ok(),
                "a raw stream without dictionary takes any input"
            );
            return;
        }
    }
}

/// Inflates all of `input` to the end of `out`.
fn drain(
    inflater: &mut Decompress,
    mut input: &[u8],
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    loop {
        if out.len() == out.capacity() {
            // One byte over the limit is enough to know.
            let room = bytes_max.saturating_add(1).saturating_sub(out.len());
            out.reserve(room.min(SCRATCH_BYTES));
        }
        let (before_in, before_out) = (inflater.total_in(), out.len());
        let status = inflater
            .decompress_vec(input, out, FlushDecompress::Sync)
            .map_err(|_| Failure::Damaged)?;
        let consumed = inflater.total_in() - before_in;
        input = rest(input, consumed);
        if out.len() > bytes_max {
            return Err(Failure::TooLong { max: bytes_max });
        }
        match status {
            // A sender may finish the stream instead of flushing it; what follows is a new one.
            Status::StreamEnd => inflater.reset(false),
            Status::Ok | Status::BufError if out.len() == out.capacity() => {}
            Status::Ok | Status::BufError if input.is_empty() => return Ok(()),
            Status::Ok | Status::BufError if consumed == 0 && out.len() == before_out => {
                return Err(Failure::Damaged);
            }
            Status::Ok | Status::BufError => {}
        }
        if status == Status::StreamEnd && input.is_empty() {
            return Ok(());
        }
    }
}

fn rest(input: &[u8], consumed: u64) -> &[u8] {
    usize::try_from(consumed)
        .ok()
        .and_then(|consumed| input.get(consumed..))
        .unwrap_or_default()
}

fn take<T>(slot: &'static std::thread::LocalKey<RefCell<Option<T>>>) -> Option<T> {
    slot.try_with(RefCell::take).ok().flatten()
}

fn put<T>(slot: &'static std::thread::LocalKey<RefCell<Option<T>>>, value: T) {
    let _ = slot.try_with(|slot| slot.replace(Some(value)));
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 1 << 20;

    #[test]
    fn the_examples_of_the_standard() {
        let hello = "Hello".as_bytes();
        for payload in [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            &[
                0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
            ],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[
                0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
            ],
        ] {
            assert_eq!(inflate(payload, MAX).unwrap(), hello);
        }
        assert_eq!(inflate(&[0x00], MAX).unwrap(), "");
        assert_eq!(
            message(hello, 6),
            [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..]
        );
        assert_eq!(message(b"", 1), [0x00][..]);
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = message(&vec![0; 64 * 1024], 9);
        assert!(bomb.len() < 200);
        assert_eq!(inflate(&bomb, 64 * 1024).unwrap().len(), 64 * 1024);
        for max in [0, 1, 1000, 64 * 1024 - 1] {
            assert_eq!(inflate(&bomb, max), Err(Failure::TooLong { max }));
        }
        assert_eq!(inflate(&message(b"", 1), 0).unwrap(), "");
    }

    #[test]
    fn garbage_is_damaged() {
        assert_eq!(inflate(&[0xff; 20], MAX), Err(Failure::Damaged));
        assert_eq!(inflate(b"hello, world", MAX), Err(Failure::Damaged));
        // The thread's inflater is as new afterwards.
        assert_eq!(inflate(&message(b"fine", 1), MAX).unwrap(), "fine");
    }

    #[test]
    fn parts_are_one_message() {
        let mut out = b"before".to_vec();
        deflate([&b"one"[..], b"", b" and two"], 1, &mut out);
        assert!(out.starts_with(b"before"));
        assert_eq!(inflate(&out[6..], MAX).unwrap(), "one and two");
    }

    #[test]
    fn every_level_can_be_read() {
        let text = "all levels ".repeat(1000);
        for level in 0..=12 {
            assert_eq!(
                inflate(&message(text.as_bytes(), level), MAX).unwrap(),
                text
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn round_trip(bytes in vec(0..4_u8, 0..20_000), level in 0..=9_u8) {
            prop_assert_eq!(&inflate(&message(&bytes, level), MAX).unwrap()[..], &bytes[..]);
        }

        #[test]
        fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..2000), max in 0..10_000_usize) {
            if let Ok(inflated) = inflate(&bytes, max) {
                prop_assert!(inflated.len() <= max);
            }
        }
    }
}
