use std::borrow::Cow;
use std::str::FromStr;

use bytes::Bytes;

use super::Scanner;
use crate::codec::{DecodeError, MESSAGE_DEPTH_MAX, Message};

/// Takes the values of messages from JSON text, front to back.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    /// What payloads are slices of.
    frame: &'a Bytes,
    scanner: Scanner<'a>,
    /// Messages that the reader is in.
    depth: u32,
}

impl<'a> Reader<'a> {
    /// A reader of `text`, a part of `frame`.
    pub(crate) const fn new(frame: &'a Bytes, text: &'a [u8]) -> Self {
        Self {
            frame,
            scanner: Scanner::new(text),
            depth: 0,
        }
    }

    /// Ends: nothing but blanks may be left.
    pub(crate) fn finish(mut self) -> Result<(), DecodeError> {
        if self.scanner.is_at_end() {
            return Ok(());
        }
        Err(self.scanner.malformed("the end"))
    }

    /// Takes a message into `message`, over what is there; `null` changes nothing.
    pub(crate) fn message_or_null<M: Message>(
        &mut self,
        message: &mut M,
    ) -> Result<(), DecodeError> {
        if self.take_null()? {
            return Ok(());
        }
        self.message(message)
    }

    /// Takes a message into `message`, over what is there.
    pub(crate) fn message<M: Message>(&mut self, message: &mut M) -> Result<(), DecodeError> {
        if self.depth == MESSAGE_DEPTH_MAX {
            return Err(DecodeError::TooDeep {
                limit: MESSAGE_DEPTH_MAX,
            });
        }
        self.depth += 1;
        self.members(|reader, name| message.read(&name, reader))?;
        self.depth -= 1;
        Ok(())
    }

    /// Takes an object; `each` takes the value of each member.
    pub(crate) fn members(
        &mut self,
        mut each: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.scanner.expect(b'{', "an object")?;
        if self.scanner.take(b'}') {
            return Ok(());
        }
        loop {
            let name = self.scanner.name()?;
            each(self, name)?;
            if self.scanner.take(b'}') {
                return Ok(());
            }
            self.scanner
                .expect(b',', "a comma or the end of the object")?;
        }
    }

    /// Takes an array, or `null` for an empty one; `each` takes each element.
    pub(crate) fn elements(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if self.take_null()? {
            return Ok(());
        }
        self.scanner.expect(b'[', "an array")?;
        if self.scanner.take(b']') {
            return Ok(());
        }
        loop {
            each(self)?;
            if self.scanner.take(b']') {
                return Ok(());
            }
            self.scanner
                .expect(b',', "a comma or the end of the array")?;
        }
    }

    /// Takes `null` if it is next.
    pub(crate) fn take_null(&mut self) -> Result<bool, DecodeError> {
        if self.scanner.peek() != b'n' {
            return Ok(false);
        }
        self.scanner.literal("null")?;
        Ok(true)
    }

    /// Takes a string.
    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        self.scanner.text()
    }

    /// Takes `true` or `false`.
    pub(crate) fn boolean(&mut self) -> Result<bool, DecodeError> {
        let value = self.scanner.peek() == b't';
        self.scanner.literal(if value { "true" } else { "false" })?;
        Ok(value)
    }

    /// Takes an integer: digits and perhaps a sign, no fraction, no exponent.
    pub(crate) fn integer<T: FromStr>(&mut self) -> Result<T, DecodeError> {
        let number = self.scanner.number()?;
        std::str::from_utf8(number)
            .ok()
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| self.scanner.malformed("an integer in range"))
    }

    /// Takes a value of any kind as it is written, without copying it.
    pub(crate) fn payload(&mut self) -> Result<Bytes, DecodeError> {
        self.scanner.peek();
        let start = self.scanner.at();
        self.scanner.skip_value()?;
        let payload = self.scanner.since(start);
        if std::str::from_utf8(payload).is_err() {
            // It would be no JSON for those who receive it.
            return Err(self.scanner.malformed("a payload in UTF-8"));
        }
        Ok(self.frame.slice_ref(payload))
    }

    /// Steps over the value of a member that is not known.
    pub(crate) fn skip(&mut self) -> Result<(), DecodeError> {
        self.scanner.skip_value()
    }
}
