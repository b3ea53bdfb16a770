use std::borrow::Cow;

use super::DEPTH_MAX;
use crate::codec::DecodeError;

/// Steps through JSON text, front to back, and checks its grammar.
///
/// Positions in its errors are relative to the text.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

/// What a value lies in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Container {
    Array,
    Object,
}

impl<'a> Scanner<'a> {
    /// A scanner before the first byte.
    pub(crate) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Where the scanner stands. Unit: bytes.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The text from `start` to where the scanner stands.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// The next byte that is not blank; 0, which begins no token, at the end.
    pub(crate) fn peek(&mut self) -> u8 {
        loop {
            match self.byte() {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// Whether nothing but blanks is left.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.peek() == 0 && self.at >= self.text.len()
    }

    /// Takes the token `byte` if it is next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == byte;
        self.at += usize::from(is_next);
        is_next
    }

    /// Takes the token `byte`, which must be next.
    pub(crate) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), DecodeError> {
        if self.take(byte) {
            return Ok(());
        }
        Err(self.malformed(expected))
    }

    /// Takes one of `true`, `false` and `null`.
    pub(crate) fn literal(&mut self, word: &'static str) -> Result<(), DecodeError> {
        self.peek();
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.malformed(word));
        }
        self.at += word.len();
        Ok(())
    }

    /// Takes a string and decodes it. What is not UTF-8, and half a surrogate pair, becomes
    /// U+FFFD, once for each byte or escape.
    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        self.expect(b'"', "a string")?;
        let start = self.at;
        self.skip_plain();
        if self.byte() == b'"'
            && let Ok(text) = std::str::from_utf8(self.since(start))
        {
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        self.at = start;
        self.escaped_text().map(Cow::Owned)
    }

    /// Takes a member's name and the colon behind it.
    pub(crate) fn name(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        let name = self.text()?;
        self.expect(b':', "a colon")?;
        Ok(name)
    }

    /// Takes a number and returns its text.
    pub(crate) fn number(&mut self) -> Result<&'a [u8], DecodeError> {
        self.peek();
        let start = self.at;
        self.skip_number()?;
        Ok(self.since(start))
    }

    /// Steps over one value of any kind, without recursion.
    pub(crate) fn skip_value(&mut self) -> Result<(), DecodeError> {
        let mut nesting = Nesting::default();
        loop {
            self.skip_scalar_or_enter(&mut nesting)?;
            // A value ended, or a container was entered.
            loop {
                let Some(container) = nesting.top() else {
                    return Ok(());
                };
                let is_first = std::mem::take(&mut nesting.is_new);
                if self.take(container.end()) {
                    nesting.pop();
                    continue;
                }
                if !is_first {
                    self.expect(b',', "a comma or the end")?;
                }
                if container == Container::Object {
                    self.skip_name()?;
                }
                break;
            }
        }
    }

    fn skip_scalar_or_enter(&mut self, nesting: &mut Nesting) -> Result<(), DecodeError> {
        match self.peek() {
            b'"' => self.skip_string(),
            b'-' | b'0'..=b'9' => self.skip_number(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'{' => {
                self.at += 1;
                nesting.push(Container::Object)
            }
            b'[' => {
                self.at += 1;
                nesting.push(Container::Array)
            }
            _ => Err(self.malformed("a value")),
        }
    }

    fn skip_name(&mut self) -> Result<(), DecodeError> {
        if self.peek() != b'"' {
            return Err(self.malformed("a name"));
        }
        self.skip_string()?;
        self.expect(b':', "a colon")
    }

    fn skip_string(&mut self) -> Result<(), DecodeError> {
        self.at += 1;
        loop {
            self.skip_plain();
            match self.byte() {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.skip_escape()?,
                _ => return Err(self.malformed("the end of a string")),
            }
        }
    }

    fn skip_escape(&mut self) -> Result<(), DecodeError> {
        self.at += 1;
        match self.byte() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.at += 1;
                Ok(())
            }
            b'u' => self.code_unit().map(drop),
            _ => Err(self.malformed("an escape")),
        }
    }

    fn skip_number(&mut self) -> Result<(), DecodeError> {
        self.at += usize::from(self.byte() == b'-');
        match self.byte() {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.skip_digits(),
            _ => return Err(self.malformed("a digit")),
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.skip_some_digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), b'+' | b'-'));
            self.skip_some_digits()?;
        }
        Ok(())
    }

    fn skip_some_digits(&mut self) -> Result<(), DecodeError> {
        if !self.byte().is_ascii_digit() {
            return Err(self.malformed("a digit"));
        }
        self.skip_digits();
        Ok(())
    }

    fn skip_digits(&mut self) {
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
    }

    /// Steps over bytes of a string that mean themselves: all but quotes, backslashes and control
    /// characters. Eight at a time, because payloads are mostly this.
    fn skip_plain(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let (words, _) = rest.as_chunks::<8>();
        for word in words {
            let special = special_bytes(u64::from_le_bytes(*word));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while !matches!(self.byte(), b'"' | b'\\' | 0..=0x1f) {
            self.at += 1;
        }
    }

    /// Takes the rest of a string that has escapes in it, or bytes that are not UTF-8.
    fn escaped_text(&mut self) -> Result<String, DecodeError> {
        let mut text = String::new();
        loop {
            let start = self.at;
            self.skip_plain();
            push_lossy(self.since(start), &mut text);
            match self.byte() {
                b'"' => {
                    self.at += 1;
                    return Ok(text);
                }
                b'\\' => text.push(self.escape()?),
                _ => return Err(self.malformed("the end of a string")),
            }
        }
    }

    /// Takes an escape, or two that are a surrogate pair.
    fn escape(&mut self) -> Result<char, DecodeError> {
        self.at += 1;
        let character = match self.byte() {
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.code_unit()?;
                return Ok(self.paired(unit));
            }
            _ => return Err(self.malformed("an escape")),
        };
        self.at += 1;
        Ok(character)
    }

    /// The character of a UTF-16 code unit, with the next escape if the two are a pair.
    fn paired(&mut self, unit: u16) -> char {
        let before = self.at;
        if matches!(unit, 0xd800..=0xdbff)
            && self.byte() == b'\\'
            && self.text.get(self.at + 1) == Some(&b'u')
        {
            self.at += 1;
            if let Ok(low @ 0xdc00..=0xdfff) = self.code_unit() {
                let offset = (u32::from(unit) - 0xd800) << 10 | (u32::from(low) - 0xdc00);
                return char::from_u32(0x1_0000 + offset).unwrap_or(char::REPLACEMENT_CHARACTER);
            }
            // Not a pair: the second escape stands for itself, and is read again.
            self.at = before;
        }
        char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    /// Takes the `u` of an escape and its four digits.
    fn code_unit(&mut self) -> Result<u16, DecodeError> {
        self.at += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = char::from(self.byte()).to_digit(16) else {
                return Err(self.malformed("four hexadecimal digits"));
            };
            unit = unit << 4 | u16::try_from(digit).unwrap_or_default();
            self.at += 1;
        }
        Ok(unit)
    }

    /// The next byte; 0 at the end.
    fn byte(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or_default()
    }

    /// The error that something else stands here.
    pub(crate) const fn malformed(&self, expected: &'static str) -> DecodeError {
        DecodeError::Malformed {
            at: self.at,
            expected,
        }
    }
}

impl Container {
    const fn end(self) -> u8 {
        match self {
            Self::Array => b']',
            Self::Object => b'}',
        }
    }
}

/// The containers around a value, one bit each. The innermost 64 are at hand; the others, which
/// hardly any payload has, in words of 64.
#[derive(Debug, Default)]
struct Nesting {
    inner: u64,
    outer: Vec<u64>,
    depth: u32,
    /// Whether nothing of the innermost container has been read.
    is_new: bool,
}

impl Nesting {
    fn push(&mut self, container: Container) -> Result<(), DecodeError> {
        if self.depth == DEPTH_MAX {
            return Err(DecodeError::TooDeep { limit: DEPTH_MAX });
        }
        if self.depth > 0 && self.depth.is_multiple_of(u64::BITS) {
            self.outer.push(self.inner);
        }
        self.inner = self.inner << 1 | u64::from(container == Container::Object);
        self.depth += 1;
        self.is_new = true;
        Ok(())
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.inner >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(u64::BITS) {
            self.inner = self.outer.pop().unwrap_or_default();
        }
    }

    const fn top(&self) -> Option<Container> {
        match (self.depth, self.inner & 1) {
            (0, _) => None,
            (_, 0) => Some(Container::Array),
            (_, _) => Some(Container::Object),
        }
    }
}

/// The high bit of each byte of the word that is a quote, a backslash or a control character. Bits
/// above the lowest such byte may be wrong.
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    // A byte borrows from the next only if it is below what is subtracted, which makes it special.
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let is_quote = quote.wrapping_sub(ONES) & !quote;
    let is_backslash = backslash.wrapping_sub(ONES) & !backslash;
    (below_space | is_quote | is_backslash) & HIGH
}

fn push_lossy(bytes: &[u8], text: &mut String) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
}
