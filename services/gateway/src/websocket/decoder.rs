//! Bytes of a client in, messages and control frames out. No I/O.
//!
//! The caller reads into a buffer that it lends to many connections in turn. A frame that lies whole
//! in it is unmasked in place and copied once, to its exact size. Only what is cut off is kept, in an
//! allocation of its own that goes away with the end of the frame or message.

use bytes::Bytes;

use super::Settings;
use super::deflate::inflate;
use super::extension::Compression;
use super::frame::{
    CONTROL_BYTES_MAX, CloseFrame, Failure, HEAD_BYTES_MAX, Head, Kind, Opcode, unmask,
};

/// A whole message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// Text, then it is UTF-8, or binary.
    pub kind: Kind,
    /// What it says, decompressed.
    pub bytes: Bytes,
}

impl From<Message> for Bytes {
    fn from(message: Message) -> Self {
        message.bytes
    }
}

/// What the client sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A message, all of whose frames have come.
    Message(Message),
    /// A ping with this payload; wants a pong with the same.
    Ping(Bytes),
    /// A pong.
    Pong,
    /// A close frame; nothing that follows it counts.
    Close(Option<CloseFrame>),
}

/// The state of one client's byte stream between two reads.
#[derive(Debug)]
pub struct Decoder {
    /// Only while a frame or a message is cut off.
    partial: Option<Box<Partial>>,
    compression: Compression,
}

/// What has come of a frame or message that is not all here.
#[derive(Debug, Default)]
struct Partial {
    /// Of a frame's head: the first `head_len` bytes.
    head: [u8; HEAD_BYTES_MAX],
    head_len: usize,
    /// The frame whose payload is coming.
    frame: Option<OpenFrame>,
    /// Of a control frame's payload.
    control: Vec<u8>,
    /// The message that data frames add to.
    message: Option<OpenMessage>,
}

impl Partial {
    const fn is_empty(&self) -> bool {
        self.head_len == 0 && self.frame.is_none() && self.message.is_none()
    }
}

#[derive(Clone, Copy, Debug)]
struct OpenFrame {
    head: Head,
    /// Bytes of its payload that have come.
    received: u64,
}

#[derive(Debug)]
struct OpenMessage {
    kind: Kind,
    is_deflated: bool,
    /// As they came, unmasked.
    bytes: Vec<u8>,
    /// How many of them are known to be whole characters, in a text that is not compressed.
    checked: usize,
}

impl Decoder {
    /// The state at the start of a stream for which `compression` was agreed.
    #[must_use]
    pub const fn new(compression: Compression) -> Self {
        Self {
            partial: None,
            compression,
        }
    }

    /// Takes the next event out of `input`, which is advanced past it; `None` when all is taken in.
    ///
    /// # Errors
    ///
    /// The first thing that the stream does wrong. Nothing of it can be decoded after that.
    pub fn next(
        &mut self,
        input: &mut &mut [u8],
        settings: &Settings,
    ) -> Result<Option<Event>, Failure> {
        while !input.is_empty() {
            let event = if self
                .partial
                .as_ref()
                .is_some_and(|partial| partial.frame.is_some())
            {
                self.continue_frame(input, settings)?
            } else if let Some(head) = self.take_head(input)? {
                self.begin_frame(head, input, settings)?
            } else {
                None
            };
            if self
                .partial
                .as_ref()
                .is_some_and(|partial| partial.is_empty())
            {
                self.partial = None;
            }
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    /// The next frame's head; `None` when it is not all there, then what there is has been kept.
    fn take_head(&mut self, input: &mut &mut [u8]) -> Result<Option<Head>, Failure> {
        let kept = self.partial.as_ref().map_or(0, |partial| partial.head_len);
        if kept == 0
            && let Some(head) = Head::parse(input)?
        {
            advance(input, head.head_len);
            return Ok(Some(head));
        }
        let partial = self.partial.get_or_insert_default();
        let room = partial.head.get_mut(kept..).unwrap_or_default();
        let added = room.len().min(input.len());
        for (kept, byte) in room.iter_mut().zip(input.iter()) {
            *kept = *byte;
        }
        let known = partial.head.get(..kept + added).unwrap_or_default();
        let Some(head) = Head::parse(known)? else {
            partial.head_len = kept + added;
            advance(input, added);
            return Ok(None);
        };
        partial.head_len = 0;
        advance(input, head.head_len.saturating_sub(kept));
        Ok(Some(head))
    }

    fn begin_frame(
        &mut self,
        head: Head,
        input: &mut &mut [u8],
        settings: &Settings,
    ) -> Result<Option<Event>, Failure> {
        let message = self
            .partial
            .as_ref()
            .and_then(|partial| partial.message.as_ref());
        self.check(&head, message, settings)?;
        let is_alone = head.is_final && matches!(head.opcode, Opcode::Data(_));
        let whole = usize::try_from(head.payload_len)
            .ok()
            .filter(|len| *len <= input.len());
        if (is_alone || head.opcode.is_control())
            && let Some(payload) = whole.and_then(|len| input.split_off_mut(..len))
        {
            unmask(payload, head.mask, 0);
            return match head.opcode {
                Opcode::Data(kind) => whole_message(kind, head.is_deflated, payload, settings),
                Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong => {
                    control(head.opcode, payload)
                }
            }
            .map(Some);
        }
        let partial = self.partial.get_or_insert_default();
        partial.frame = Some(OpenFrame { head, received: 0 });
        if let Opcode::Data(kind) = head.opcode {
            let is_deflated = head.is_deflated;
            partial.message = Some(OpenMessage {
                kind,
                is_deflated,
                bytes: Vec::new(),
                checked: 0,
            });
        }
        // A frame without payload is complete although nothing follows.
        self.continue_frame(input, settings)
    }

    /// What a frame's head may not say where it stands.
    fn check(
        &self,
        head: &Head,
        message: Option<&OpenMessage>,
        settings: &Settings,
    ) -> Result<(), Failure> {
        match (head.opcode, message) {
            (Opcode::Continuation, None) => {
                return Err(Failure::Protocol("continuation of no message"));
            }
            (Opcode::Data(_), Some(_)) => {
                return Err(Failure::Protocol("message inside a message"));
            }
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => return Ok(()),
            (Opcode::Data(_), None) | (Opcode::Continuation, Some(_)) => {}
        }
        if head.is_deflated && self.compression == Compression::Off {
            return Err(Failure::Protocol("reserved bit set"));
        }
        let before = message.map_or(0, |message| message.bytes.len()) as u64;
        let max = settings.message_bytes_max;
        if before.saturating_add(head.payload_len) > max as u64 {
            return Err(Failure::TooLong { max });
        }
        Ok(())
    }

    /// Takes in what there is of the open frame's payload.
    fn continue_frame(
        &mut self,
        input: &mut &mut [u8],
        settings: &Settings,
    ) -> Result<Option<Event>, Failure> {
        let Some(partial) = self.partial.as_mut() else {
            return Ok(None);
        };
        let Some(frame) = partial.frame.as_mut() else {
            return Ok(None);
        };
        let missing = frame.head.payload_len - frame.received;
        let taken = usize::try_from(missing).map_or(input.len(), |len| len.min(input.len()));
        let payload = input.split_off_mut(..taken).unwrap_or_default();
        // Only the remainder by four matters.
        unmask(payload, frame.head.mask, (frame.received % 4) as usize);
        frame.received += taken as u64;
        let OpenFrame { head, received } = *frame;
        let is_complete = received == head.payload_len;
        if is_complete {
            partial.frame = None;
        }
        if head.opcode.is_control() {
            return partial.add_control(head.opcode, payload, is_complete);
        }
        partial.add_data(payload, is_complete && head.is_final, settings)
    }
}

impl Partial {
    fn add_control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        is_complete: bool,
    ) -> Result<Option<Event>, Failure> {
        self.control.extend_from_slice(payload);
        debug_assert!(
            self.control.len() <= CONTROL_BYTES_MAX,
            "checked with the head"
        );
        if !is_complete {
            return Ok(None);
        }
        control(opcode, &std::mem::take(&mut self.control)).map(Some)
    }

    fn add_data(
        &mut self,
        payload: &[u8],
        is_complete: bool,
        settings: &Settings,
    ) -> Result<Option<Event>, Failure> {
        let Some(message) = self.message.as_mut() else {
            return Ok(None);
        };
        message.bytes.extend_from_slice(payload);
        if message.kind == Kind::Text && !message.is_deflated {
            message.check_text(is_complete)?;
        }
        if !is_complete {
            return Ok(None);
        }
        let Some(message) = self.message.take() else {
            return Ok(None);
        };
        if message.is_deflated {
            return whole_message(message.kind, true, &message.bytes, settings).map(Some);
        }
        let bytes = Bytes::from(message.bytes.into_boxed_slice());
        Ok(Some(Event::Message(Message {
            kind: message.kind,
            bytes,
        })))
    }
}

impl OpenMessage {
    /// Checks what has come since the last time, so that a bad text ends early.
    fn check_text(&mut self, is_complete: bool) -> Result<(), Failure> {
        let unchecked = self.bytes.get(self.checked..).unwrap_or_default();
        match std::str::from_utf8(unchecked) {
            Ok(_) => self.checked = self.bytes.len(),
            // A character may be cut off at the end, but not at the end of the message.
            Err(error) if error.error_len().is_none() && !is_complete => {
                self.checked += error.valid_up_to();
            }
            Err(_) => return Err(Failure::NotUtf8),
        }
        Ok(())
    }
}

fn whole_message(
    kind: Kind,
    is_deflated: bool,
    payload: &[u8],
    settings: &Settings,
) -> Result<Event, Failure> {
    let bytes = if is_deflated {
        inflate(payload, settings.inflated_bytes_max)?
    } else {
        Bytes::copy_from_slice(payload)
    };
    if kind == Kind::Text && std::str::from_utf8(&bytes).is_err() {
        return Err(Failure::NotUtf8);
    }
    Ok(Event::Message(Message { kind, bytes }))
}

fn control(opcode: Opcode, payload: &[u8]) -> Result<Event, Failure> {
    match opcode {
        Opcode::Ping => Ok(Event::Ping(Bytes::copy_from_slice(payload))),
        Opcode::Pong => Ok(Event::Pong),
        Opcode::Close => CloseFrame::parse(payload).map(Event::Close),
        Opcode::Data(_) | Opcode::Continuation => {
            debug_assert!(false, "only control frames come here");
            Err(Failure::Protocol("not a control frame"))
        }
    }
}

fn advance(input: &mut &mut [u8], by: usize) {
    *input = std::mem::take(input).get_mut(by..).unwrap_or_default();
}

#[cfg(test)]
mod tests;
