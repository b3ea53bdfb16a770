use std::ops::Range;

/// Length of the blocks of the base that are looked for in the target. Unit: bytes.
const BLOCK: usize = BLOCK_LEN as usize;
const BLOCK_LEN: u32 = 16;

/// Blocks of the same hash that are tried at one place of the target.
///
/// 16: payloads that repeat themselves find a long match at once; more tries cost more than they
/// save.
const CANDIDATES_MAX: usize = 16;

/// First size of the buffer of a patch. Unit: bytes. Most patches change a few words.
const PATCH_CAPACITY: usize = 128;

/// The digits of Fossil's numbers, to base 64.
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

/// Why a patch cannot be applied.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PatchError {
    /// The bytes are no patch.
    #[error("not a patch")]
    Malformed,
    /// It copies what the base doesn't have, or yields another length than it says.
    #[error("the patch does not fit the base")]
    Length,
    /// It was made for another base.
    #[error("the patch is for another base")]
    Checksum,
}

/// Makes a patch that turns `base` into `target`; `None` if it would not be shorter than `target`.
///
/// What the patch carries of the target begins and ends between characters, so that the patch is
/// UTF-8 if the target is.
#[must_use]
pub fn create(base: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    let mut patch = Patch {
        target,
        literal: 0,
        out: Vec::with_capacity(PATCH_CAPACITY),
    };
    patch.number(target.len(), b'\n');
    let prefix = common_prefix(base, target);
    patch.copy(0..prefix, 0);
    let rest = target.get(patch.literal..).unwrap_or_default();
    let suffix = common_suffix(base, rest);
    patch.copy_blocks(base, target.len() - suffix);
    patch.copy(target.len() - suffix..target.len(), base.len() - suffix);
    patch.literal(target.len());
    patch.number(checksum(target) as usize, b';');
    (patch.out.len() < target.len()).then_some(patch.out)
}

/// Turns `base` into what `patch` was made for.
///
/// # Errors
///
/// [`PatchError`] if it is not a patch, or not for this base.
pub fn apply(base: &[u8], patch: &[u8]) -> Result<Vec<u8>, PatchError> {
    let mut reader = PatchReader(patch);
    let len = reader.number_before(b'\n')?;
    let mut target = Vec::new();
    loop {
        let (number, operation) = reader.number()?;
        let piece = match operation {
            b'@' => {
                let start = reader.number_before(b',')?;
                let end = start.checked_add(number).ok_or(PatchError::Length)?;
                base.get(start..end).ok_or(PatchError::Length)?
            }
            b':' => reader.bytes(number)?,
            b';' if !reader.0.is_empty() => return Err(PatchError::Malformed),
            b';' if target.len() != len => return Err(PatchError::Length),
            b';' if checksum(&target) as usize != number => return Err(PatchError::Checksum),
            b';' => return Ok(target),
            _ => return Err(PatchError::Malformed),
        };
        if piece.len() > len - target.len() {
            return Err(PatchError::Length);
        }
        target.extend_from_slice(piece);
    }
}

/// A patch in the making.
struct Patch<'a> {
    target: &'a [u8],
    /// How far the target is in the patch. Unit: bytes.
    literal: usize,
    out: Vec<u8>,
}

impl Patch<'_> {
    /// Copies a range of the target that stands at `source` in the base, if that is shorter than
    /// the range itself. The literal before it goes in first. Returns whether it was copied.
    fn copy(&mut self, range: Range<usize>, source: usize) -> bool {
        let start = self.boundary_from(range.start);
        let end = self.boundary_up_to(range.end);
        let source = source + (start - range.start);
        let len = end.saturating_sub(start);
        if len <= digit_count(len) + digit_count(source) + "@,".len() {
            return false;
        }
        self.literal(start);
        self.number(len, b'@');
        self.number(source, b',');
        self.literal = end;
        true
    }

    /// Carries the target up to `end` in the patch itself.
    fn literal(&mut self, end: usize) {
        let literal = self.target.get(self.literal..end).unwrap_or_default();
        if !literal.is_empty() {
            self.number(literal.len(), b':');
            self.out.extend_from_slice(literal);
        }
        self.literal = end;
    }

    /// Looks for blocks of the base in the target up to `end`, and copies what it finds around
    /// them.
    fn copy_blocks(&mut self, base: &[u8], end: usize) {
        if base.len() < BLOCK || end.saturating_sub(self.literal) < BLOCK {
            return;
        }
        let blocks = Blocks::of(base);
        let mut at = self.literal;
        let mut hash = None;
        while at + BLOCK <= end {
            let window = self.target.get(at..at + BLOCK).unwrap_or_default();
            let rolled = hash.map_or_else(|| Hash::of(window), |hash: Hash| hash.roll(window));
            let found = blocks
                .at(rolled)
                .filter_map(|source| self.match_around(base, source, at, end))
                .max_by_key(|(range, _)| range.len());
            if let Some((range, source)) = found
                && self.copy(range, source)
            {
                at = self.literal;
                hash = None;
            } else {
                at += 1;
                hash = Some(rolled);
            }
        }
    }

    /// The longest range of the target around `at` that also stands around `source` in the base,
    /// and where; `None` if it has not even the block's length.
    fn match_around(
        &self,
        base: &[u8],
        source: usize,
        at: usize,
        end: usize,
    ) -> Option<(Range<usize>, usize)> {
        let after = common_prefix(base.get(source..)?, self.target.get(at..end)?);
        if after < BLOCK {
            return None;
        }
        let before = common_suffix(base.get(..source)?, self.target.get(self.literal..at)?);
        Some((at - before..at + after, source - before))
    }

    /// The first place from `at` on that is not within a character.
    fn boundary_from(&self, at: usize) -> usize {
        (at..at + 4).find(|at| self.is_boundary(*at)).unwrap_or(at)
    }

    /// The last place up to `at` that is not within a character.
    fn boundary_up_to(&self, at: usize) -> usize {
        (at.saturating_sub(3)..=at)
            .rfind(|at| self.is_boundary(*at))
            .unwrap_or(at)
    }

    fn is_boundary(&self, at: usize) -> bool {
        self.target.get(at).is_none_or(|byte| byte & 0xc0 != 0x80)
    }

    fn number(&mut self, number: usize, end: u8) {
        for place in (0..digit_count(number)).rev() {
            let digit = number >> (6 * place) & 0x3f;
            self.out.extend(DIGITS.get(digit));
        }
        self.out.push(end);
    }
}

/// Where the blocks of a base are, by their hash.
struct Blocks {
    /// First block of each hash.
    first: Vec<u32>,
    /// The next block with the same hash, by block.
    next: Vec<u32>,
}

impl Blocks {
    const NONE: u32 = u32::MAX;

    fn of(base: &[u8]) -> Self {
        let (blocks, _) = base.as_chunks::<BLOCK>();
        let mut table = Self {
            first: vec![Self::NONE; blocks.len().next_power_of_two()],
            next: Vec::with_capacity(blocks.len()),
        };
        for (index, block) in (0..Self::NONE).zip(blocks) {
            let slot = Hash::of(block).slot(table.first.len());
            if let Some(first) = table.first.get_mut(slot) {
                table.next.push(std::mem::replace(first, index));
            }
        }
        table
    }

    /// Places in the base of the blocks with this hash, the last ones first.
    fn at(&self, hash: Hash) -> impl Iterator<Item = usize> {
        let follow = |block: &u32| (*block != Self::NONE).then_some(*block as usize);
        let first = self.first.get(hash.slot(self.first.len())).and_then(follow);
        std::iter::successors(first, move |block| self.next.get(*block).and_then(follow))
            .take(CANDIDATES_MAX)
            .map(|block| block * BLOCK)
    }
}

/// A hash of [`BLOCK`] bytes that rolls from one place to the next.
#[derive(Clone, Copy)]
struct Hash {
    /// The bytes as digits of a number to base [`Self::BASE`].
    sum: u32,
    /// The first of them.
    oldest: u8,
}

impl Hash {
    const BASE: u32 = 0x0100_0193;
    /// Weight of a digit that has just left.
    const GONE: u32 = Self::BASE.wrapping_pow(BLOCK_LEN);

    fn of(window: &[u8]) -> Self {
        let sum = window.iter().fold(0_u32, |sum, byte| {
            sum.wrapping_mul(Self::BASE).wrapping_add(u32::from(*byte))
        });
        Self {
            sum,
            oldest: window.first().copied().unwrap_or_default(),
        }
    }

    /// The hash of `window`, which begins one byte later.
    fn roll(self, window: &[u8]) -> Self {
        let newest = window.last().copied().unwrap_or_default();
        let gone = u32::from(self.oldest).wrapping_mul(Self::GONE);
        Self {
            sum: self
                .sum
                .wrapping_mul(Self::BASE)
                .wrapping_add(u32::from(newest))
                .wrapping_sub(gone),
            oldest: window.first().copied().unwrap_or_default(),
        }
    }

    /// Its place in a table whose length is a power of two.
    const fn slot(self, len: usize) -> usize {
        const GOLDEN: u32 = 0x9e37_79b1;
        let mixed = self.sum.wrapping_mul(GOLDEN);
        (mixed ^ mixed >> 15) as usize & (len - 1)
    }
}

/// What is left of a patch.
struct PatchReader<'a>(&'a [u8]);

impl<'a> PatchReader<'a> {
    /// Takes a number and the byte behind it.
    fn number(&mut self) -> Result<(usize, u8), PatchError> {
        let mut number: usize = 0;
        for (index, byte) in self.0.iter().enumerate() {
            let Some(digit) = digit(*byte) else {
                self.0 = self.0.get(index + 1..).unwrap_or_default();
                return if index == 0 {
                    Err(PatchError::Malformed)
                } else {
                    Ok((number, *byte))
                };
            };
            number = number.checked_mul(64).ok_or(PatchError::Malformed)? | digit;
        }
        Err(PatchError::Malformed)
    }

    fn number_before(&mut self, end: u8) -> Result<usize, PatchError> {
        match self.number()? {
            (number, byte) if byte == end => Ok(number),
            _ => Err(PatchError::Malformed),
        }
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], PatchError> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(PatchError::Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }
}

fn digit(byte: u8) -> Option<usize> {
    Some(usize::from(match byte {
        b'0'..=b'9' => byte - b'0',
        b'A'..=b'Z' => byte - b'A' + 10,
        b'_' => 36,
        b'a'..=b'z' => byte - b'a' + 37,
        b'~' => 63,
        _ => return None,
    }))
}

const fn digit_count(number: usize) -> usize {
    (usize::BITS - (number | 1).leading_zeros()).div_ceil(6) as usize
}

/// The sum of the bytes as big-endian words of 32 bits, the last one filled up with zeros.
fn checksum(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    words.iter().fold(u32::from_be_bytes(last), |sum, word| {
        sum.wrapping_add(u32::from_be_bytes(*word))
    })
}

/// How many bytes both begin with. Compares words, because payloads differ little.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (a_words, _) = a.as_chunks::<8>();
    let (b_words, _) = b.as_chunks::<8>();
    let words = a_words.iter().zip(b_words);
    let len = words.take_while(|(a, b)| a == b).count() * 8;
    let bytes = a.iter().zip(b).skip(len);
    len + bytes.take_while(|(a, b)| a == b).count()
}

/// How many bytes both end with.
fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let (_, a_words) = a.as_rchunks::<8>();
    let (_, b_words) = b.as_rchunks::<8>();
    let words = a_words.iter().rev().zip(b_words.iter().rev());
    let len = words.take_while(|(a, b)| a == b).count() * 8;
    let bytes = a.iter().rev().zip(b.iter().rev()).skip(len);
    len + bytes.take_while(|(a, b)| a == b).count()
}
