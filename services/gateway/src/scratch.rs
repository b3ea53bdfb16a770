//! Buffers that belong to a thread, not to a connection.
//!
//! A connection that waits holds no buffer. When its socket has something to read, or it has something
//! to write, it borrows the buffer of the thread it runs on, for the length of one closure: nothing
//! that lives in a scratch buffer survives an await. A nested borrow gets a buffer of its own.

use std::cell::Cell;
use std::thread::LocalKey;

use bytes::Bytes;

/// Size of the read buffer, and the size that the write buffer is kept at. Unit: bytes.
///
/// 64 KiB: a whole message of the default size limit comes with one read.
pub const SCRATCH_BYTES: usize = 64 * 1024;

/// Shared payloads that the staging area keeps room for. Unit: entries.
const SHARED_KEPT: usize = 64;

thread_local! {
    static READ: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    static WRITE: Cell<Option<Box<Staging>>> = const { Cell::new(None) };
    static SPARE: Cell<Option<Vec<u8>>> = const { Cell::new(None) };
}

/// Lends this thread's read buffer: [`SCRATCH_BYTES`] long, its content is whatever was left in it.
pub fn with_read<R>(read: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut buffer = take(&READ).unwrap_or_else(|| vec![0; SCRATCH_BYTES].into_boxed_slice());
    let result = read(&mut buffer);
    put(&READ, buffer);
    result
}

/// Lends this thread's staging area for outgoing bytes, empty.
pub fn with_write<R>(write: impl FnOnce(&mut Staging) -> R) -> R {
    let mut staging = take(&WRITE).unwrap_or_default();
    let result = write(&mut staging);
    staging.clear();
    put(&WRITE, staging);
    result
}

/// Lends this thread's spare buffer, empty: for bytes on the way from one form to another.
pub fn with_spare<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut spare = take(&SPARE).unwrap_or_else(|| Vec::with_capacity(SCRATCH_BYTES));
    let result = work(&mut spare);
    empty(&mut spare);
    put(&SPARE, spare);
    result
}

fn take<T>(slot: &'static LocalKey<Cell<Option<T>>>) -> Option<T> {
    // A thread that is ending has no slots any more; then a fresh buffer does.
    slot.try_with(Cell::take).ok().flatten()
}

fn put<T>(slot: &'static LocalKey<Cell<Option<T>>>, buffer: T) {
    let _ = slot.try_with(|slot| slot.set(Some(buffer)));
}

/// Clears `buffer` and gives back what one large message made it grow by.
fn empty(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(SCRATCH_BYTES);
}

/// Bytes on their way to a socket: small ones copied side by side, large ones shared.
///
/// Copying wins over one more entry of a vectored write up to about a kibibyte.
#[derive(Debug)]
pub struct Staging {
    copied: Vec<u8>,
    /// Each goes out before the byte of `copied` at its position.
    shared: Vec<(usize, Bytes)>,
    shared_len: usize,
}

impl Default for Staging {
    fn default() -> Self {
        Self {
            copied: Vec::with_capacity(SCRATCH_BYTES),
            shared: Vec::new(),
            shared_len: 0,
        }
    }
}

impl Staging {
    /// The buffer that small pieces are appended to. Only ever append.
    pub const fn copied(&mut self) -> &mut Vec<u8> {
        &mut self.copied
    }

    /// Appends `bytes` by reference.
    pub fn share(&mut self, bytes: Bytes) {
        self.shared_len += bytes.len();
        self.shared.push((self.copied.len(), bytes));
    }

    /// Everything staged. Unit: bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.copied.len() + self.shared_len
    }

    /// What is staged, where it lies in one piece.
    #[must_use]
    pub fn whole(&self) -> Option<&[u8]> {
        self.shared.is_empty().then_some(&self.copied)
    }

    /// Whether nothing is staged.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is staged, in order, as slices; none of them is empty.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let mut from = 0;
        let tail = (self.copied.len(), None);
        let entries = self.shared.iter().map(|(at, bytes)| (*at, Some(bytes)));
        entries
            .chain(std::iter::once(tail))
            .flat_map(move |(at, bytes)| {
                let copied = self.copied.get(from..at).unwrap_or_default();
                from = at;
                let copied = (!copied.is_empty()).then_some(Piece::Copied(copied));
                let shared = bytes.filter(|bytes| !bytes.is_empty()).map(Piece::Shared);
                copied.into_iter().chain(shared)
            })
    }

    fn clear(&mut self) {
        empty(&mut self.copied);
        self.shared.clear();
        self.shared.shrink_to(SHARED_KEPT);
        self.shared_len = 0;
    }
}

/// A stretch of staged bytes.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    /// Lies in the scratch buffer.
    Copied(&'a [u8]),
    /// Belongs to others too.
    Shared(&'a Bytes),
}

impl<'a> Piece<'a> {
    /// Its bytes.
    #[must_use]
    pub fn as_slice(self) -> &'a [u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    /// A copy of its own without the first `skip` bytes; costs a reference count where it is shared.
    #[must_use]
    pub fn keep_from(self, skip: usize) -> Bytes {
        match self {
            Self::Copied(bytes) => Bytes::copy_from_slice(bytes.get(skip..).unwrap_or_default()),
            Self::Shared(bytes) => bytes.slice(skip.min(bytes.len())..),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_borrow_does_not_alias() {
        with_read(|outer| {
            outer[0] = 1;
            with_read(|inner| inner[0] = 2);
            assert_eq!(outer[0], 1);
        });
        with_write(|outer| {
            outer.copied().extend_from_slice(b"outer");
            with_write(|inner| assert!(inner.is_empty()));
            assert_eq!(outer.len(), 5);
        });
    }

    #[test]
    fn the_buffer_comes_back() {
        let first = with_read(|buffer| buffer.as_ptr() as usize);
        let second = with_read(|buffer| buffer.as_ptr() as usize);
        assert_eq!(first, second);
        assert_eq!(with_read(|buffer| buffer.len()), SCRATCH_BYTES);
    }

    #[test]
    fn a_large_message_is_not_kept() {
        with_write(|staging| staging.copied().resize(4 * SCRATCH_BYTES, 0));
        with_write(|staging| {
            assert!(staging.is_empty());
            assert!(staging.copied().capacity() <= SCRATCH_BYTES);
        });
        with_spare(|spare| spare.resize(4 * SCRATCH_BYTES, 0));
        with_spare(|spare| assert!(spare.is_empty() && spare.capacity() <= SCRATCH_BYTES));
    }

    #[test]
    fn pieces_come_in_the_order_they_were_staged() {
        with_write(|staging| {
            staging.share(Bytes::from_static(b"one "));
            staging.copied().extend_from_slice(b"two ");
            staging.copied().extend_from_slice(b"three ");
            staging.share(Bytes::from_static(b"four "));
            staging.share(Bytes::new());
            staging.share(Bytes::from_static(b"five "));
            staging.copied().extend_from_slice(b"six");
            let text: Vec<u8> = staging
                .pieces()
                .flat_map(|piece| piece.as_slice().to_vec())
                .collect();
            assert_eq!(text, b"one two three four five six");
            assert_eq!(staging.len(), text.len());
            assert_eq!(staging.pieces().count(), 5);
            let kept: Vec<_> = staging.pieces().map(|piece| piece.keep_from(2)).collect();
            assert_eq!(kept[1], "o three ");
            assert_eq!(kept[2], "ur ");
        });
    }
}
