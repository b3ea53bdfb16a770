//! What a socket has not taken, and how it is offered again.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use super::encoder::put_pong;
use crate::scratch::Staging;

/// Pongs that wait for a socket that takes nothing. Unit: pongs.
///
/// 16: past it the oldest are left out, which RFC 6455 (5.5.3) allows.
const PONGS_MAX: usize = 16;

/// What the socket has not taken, in order: bytes, then pongs.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pub(super) out: VecDeque<Bytes>,
    pub(super) pongs: VecDeque<Bytes>,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.out.is_empty() && self.pongs.is_empty()
    }

    pub(super) fn add_pong(&mut self, payload: Bytes) {
        if self.pongs.len() == PONGS_MAX {
            self.pongs.pop_front();
        }
        self.pongs.push_back(payload);
    }

    /// Puts the pongs behind the bytes.
    pub(super) fn encode_pongs(&mut self) {
        if self.pongs.is_empty() {
            return;
        }
        let mut frames = Vec::new();
        for payload in self.pongs.drain(..) {
            put_pong(&mut frames, &payload);
        }
        self.out.push_back(frames.into());
    }

    /// Keeps what is staged but for the first `skip` bytes.
    pub(super) fn keep(&mut self, staging: &Staging, mut skip: usize) {
        for piece in staging.pieces() {
            let len = piece.as_slice().len();
            if skip < len {
                self.out.push_back(piece.keep_from(skip));
            }
            skip = skip.saturating_sub(len);
        }
    }

    pub(super) fn advance(&mut self, mut taken: usize) {
        while let Some(first) = self.out.front_mut() {
            if taken < first.len() {
                first.advance(taken);
                return;
            }
            taken -= first.len();
            self.out.pop_front();
        }
    }
}

/// Fills `slices` with `pieces` but for their first `skip` bytes; how many it filled.
pub(super) fn fill<'s>(
    slices: &mut [IoSlice<'s>],
    pieces: impl Iterator<Item = &'s [u8]>,
    mut skip: usize,
) -> usize {
    let rest = pieces.filter_map(|piece| {
        let rest = piece.get(skip..).unwrap_or_default();
        skip = skip.saturating_sub(piece.len());
        (!rest.is_empty()).then_some(rest)
    });
    let mut count = 0;
    for (slot, piece) in slices.iter_mut().zip(rest) {
        *slot = IoSlice::new(piece);
        count += 1;
    }
    count
}
