//! The client wire protocol: messages, framing, JSON and Protobuf codecs, codes. No I/O.
//!
//! # Frames
//!
//! A transport carries frames; a frame holds one or more messages, in order:
//!
//! ```text
//! JSON       {"id":1,"connect":{}} LF {"id":2,"subscribe":{"channel":"news"}} [LF]
//! Protobuf   len Command len Command ...                      len: a varint, of what follows it
//!
//! client ──  Command { id, one request }                                      ──▶ server
//! client ◀── Reply { id, one result or error }        the answer              ──  server
//! client ◀── Reply { push: Push { channel, one body } }   unasked             ──  server
//! client ◀── Push { channel, one body }               unasked, unidirectional ──  server
//!
//! ping       {}  or one byte 0, from the server
//! pong       {}  or one byte 0, from the client
//! ```
//!
//! [`frame::Commands`] splits what comes in, [`encode_reply`], [`encode_push`] and
//! [`prepared::Prepared`] make messages, [`frame::join`] makes frames of them.
//!
//! # Rules
//!
//! - A frame has at least one message, and a JSON line has one. Commands before a broken one count;
//!   behind it nothing does, and the connection ends with 3501. Blanks around a command, and
//!   whatever follows it on its line, are ignored.
//! - The size of a command is checked before anything else about it.
//! - A command without an id is a pong, unless it sends. Of several requests in one command the
//!   first in the order of [`COMMANDS`] counts.
//! - Unknown fields are ignored in both formats, as are wrong cases of JSON names.
//! - JSON integers are written as integers, in the range of their field. `null` is what an absent
//!   field is.
//! - A payload is raw JSON within JSON, and kept as it is written; within Protobuf it is opaque.
//!   Only its newlines are lost on the way to JSON clients. One that is not JSON has no place there
//!   ([`NotJson`]), and ends the connection of each JSON client that would get it with 3506.
//! - JSON goes out compact, in the order of the schema, without zeros but for the few that clients
//!   always read, and with strings that are safe in HTML.
//! - The epoch goes out with the first publication of a stream only.
//! - To a delta subscription in JSON all payloads are strings: the payload's text, or a patch's.
//!
//! Decoders follow messages [100 levels](DecodeError::TooDeep) deep and step over unknown JSON of
//! any depth up to 10 000 without recursion. They never panic, and payloads share the frame's
//! memory.

#![forbid(unsafe_code)]

#[macro_use]
mod codec;
pub mod codes;
mod command;
pub mod delta;
mod format;
pub mod frame;
pub mod json;
pub mod messages;
pub mod prepared;
mod push;
mod reply;

pub use codec::{DecodeError, NotJson, ZigZag};
pub use command::{COMMANDS, Command, CommandRow, Request};
pub use format::Format;
pub use push::{Envelope, Push, PushBody, encode_push};
pub use reply::{Received, Reply, ReplyBody, encode_reply};
