//! How publications look on the bus and in streams.
//!
//! ```text
//! entry     time ':' publication in Protobuf                     what a stream keeps
//! message   kind number ':' offset ':' epoch ':' length ':' length ':' channel previous entry
//! ```
//!
//! Numbers are decimal. `kind` is a letter; `number` is the message's place among those of its bus
//! channel; the lengths are those of the channel's name and of the entry before, which is empty if
//! nobody asked for it. The scripts put messages together, this is where they are taken apart.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use gyre_engine::Delivered;
use gyre_protocol::Format;
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_types::{Epoch, Position, UnixMillis};

/// Letter of a publication with history.
const KEPT: u8 = b'p';
/// Letter of a publication without.
pub(crate) const PASSING: &str = "t";
/// Letter of a join.
pub(crate) const JOIN: &str = "j";
/// Letter of what is kept of a channel having been removed.
pub(crate) const REMOVED: &str = "r";
/// Letter of a leave.
pub(crate) const LEAVE: &str = "l";

/// What came over the bus.
#[derive(Debug)]
pub(crate) struct Message {
    /// Its place among the messages of its bus channel; the first is 1.
    pub(crate) number: u64,
    /// Name of the channel that it is for.
    pub(crate) channel: Bytes,
    body: Body,
}

#[derive(Debug)]
struct Body {
    kind: u8,
    position: Position,
    previous: Bytes,
    entry: Bytes,
}

/// What a message says.
#[derive(Debug)]
pub(crate) enum Content {
    Publication(Delivered),
    Join(Arc<ClientInfo>),
    Leave(Arc<ClientInfo>),
    /// Nothing is kept of the channel any more.
    Removed,
}

/// Text that is not what we write: another program uses the same prefix, or another version.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a message of this engine")]
pub(crate) struct Foreign;

/// A publication as streams keep it: without its place, which it does not have yet.
pub(crate) fn entry(publication: &Publication, now: UnixMillis) -> Bytes {
    let unplaced = Publication {
        offset: 0,
        epoch: Arc::default(),
        ..publication.clone()
    };
    let encoded = protobuf(unplaced.encode(Format::Protobuf));
    let mut entry = BytesMut::with_capacity(encoded.len() + 16);
    entry.extend_from_slice(now.0.to_string().as_bytes());
    entry.put_u8(b':');
    entry.extend_from_slice(&encoded);
    entry.freeze()
}

/// Who came or left, as it stands in a message.
pub(crate) fn info(info: &ClientInfo) -> Bytes {
    protobuf(info.encode(Format::Protobuf))
}

/// Reads who it is.
pub(crate) fn read_info(text: &Bytes) -> Result<ClientInfo, Foreign> {
    ClientInfo::decode(Format::Protobuf, text).map_err(|_| Foreign)
}

/// Only JSON has no place for some payloads.
fn protobuf(encoded: Result<Bytes, gyre_protocol::NotJson>) -> Bytes {
    encoded.unwrap_or_default()
}

/// Reads an entry that stands at this position.
pub(crate) fn read_entry(entry: &Bytes, position: Position) -> Result<Publication, Foreign> {
    let mut rest = entry.clone();
    let time = number(&mut rest)?;
    let mut publication = Publication::decode(Format::Protobuf, &rest).map_err(|_| Foreign)?;
    publication.time = i64::try_from(time).map_err(|_| Foreign)?;
    publication.offset = position.offset;
    if position.offset == 1 {
        publication.epoch = position.epoch.as_str().into();
    }
    Ok(publication)
}

/// Reads «offset:epoch»; `None` if it is empty.
pub(crate) fn read_position(text: &[u8]) -> Result<Option<Position>, Foreign> {
    if text.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(text).map_err(|_| Foreign)?;
    let (offset, epoch) = text.split_once(':').ok_or(Foreign)?;
    Ok(Some(Position {
        offset: offset.parse().map_err(|_| Foreign)?,
        epoch: Epoch::new(epoch).ok_or(Foreign)?,
    }))
}

impl Message {
    /// Reads the head of a message. Its body is read by [`Self::read`], if anybody wants it.
    pub(crate) fn parse(text: &Bytes) -> Result<Self, Foreign> {
        let mut rest = text.clone();
        let kind = *rest.first().ok_or(Foreign)?;
        let _ = rest.split_to(1);
        let number_ = number(&mut rest)?;
        let offset = number(&mut rest)?;
        let epoch = field(&mut rest)?;
        let epoch = std::str::from_utf8(&epoch).map_err(|_| Foreign)?;
        let position = Position {
            offset,
            epoch: Epoch::new(epoch).ok_or(Foreign)?,
        };
        let channel_len = number(&mut rest)?;
        let previous_len = number(&mut rest)?;
        let channel = take(&mut rest, channel_len)?;
        let previous = take(&mut rest, previous_len)?;
        Ok(Self {
            number: number_,
            channel,
            body: Body {
                kind,
                position,
                previous,
                entry: rest,
            },
        })
    }

    /// Name of the channel, as text.
    pub(crate) fn channel(&self) -> Result<&str, Foreign> {
        std::str::from_utf8(&self.channel).map_err(|_| Foreign)
    }

    /// Reads what the message says.
    pub(crate) fn read(&self) -> Result<Content, Foreign> {
        let body = &self.body;
        match body.kind {
            KEPT | b't' => body.publication().map(Content::Publication),
            b'j' => Ok(Content::Join(Arc::new(read_info(&body.entry)?))),
            b'l' => Ok(Content::Leave(Arc::new(read_info(&body.entry)?))),
            b'r' => Ok(Content::Removed),
            _ => Err(Foreign),
        }
    }
}

impl Body {
    fn publication(&self) -> Result<Delivered, Foreign> {
        let previous = if self.previous.is_empty() {
            None
        } else {
            let before = Position {
                offset: self.position.offset.saturating_sub(1),
                ..self.position
            };
            Some(Arc::new(read_entry(&self.previous, before)?))
        };
        Ok(Delivered {
            publication: Arc::new(read_entry(&self.entry, self.position)?),
            epoch: self.position.epoch,
            previous,
        })
    }
}

/// Takes the text before the next colon.
fn field(rest: &mut Bytes) -> Result<Bytes, Foreign> {
    let end = rest.iter().position(|byte| *byte == b':').ok_or(Foreign)?;
    let field = rest.split_to(end);
    let _ = rest.split_to(1);
    Ok(field)
}

fn number(rest: &mut Bytes) -> Result<u64, Foreign> {
    let digits = field(rest)?;
    let digits = std::str::from_utf8(&digits).map_err(|_| Foreign)?;
    digits.parse().map_err(|_| Foreign)
}

fn take(rest: &mut Bytes, len: u64) -> Result<Bytes, Foreign> {
    let len = usize::try_from(len).map_err(|_| Foreign)?;
    if len > rest.len() {
        return Err(Foreign);
    }
    Ok(rest.split_to(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publication(data: &'static [u8]) -> Publication {
        Publication {
            data: Bytes::from_static(data),
            version: 7,
            offset: 99,
            epoch: "caller".into(),
            time: -1,
            ..Publication::default()
        }
    }

    #[test]
    fn a_message_is_what_was_published_with_its_place() {
        let (before, now) = (publication(b":a"), publication(b"b"));
        let (before, now) = (entry(&before, UnixMillis(4)), entry(&now, UnixMillis(5)));
        let mut text = format!("p12:2:epoch:7:{}:a:chann", before.len()).into_bytes();
        text.extend_from_slice(&before);
        text.extend_from_slice(&now);

        let message = Message::parse(&text.into()).unwrap();
        assert_eq!((message.number, message.channel()), (12, Ok("a:chann")));
        let Ok(Content::Publication(delivered)) = message.read() else {
            panic!("{message:?}");
        };
        assert_eq!(delivered.epoch.as_str(), "epoch");
        let expected = |data, offset, time, epoch: &str| Publication {
            offset,
            time,
            epoch: epoch.into(),
            ..publication(data)
        };
        assert_eq!(*delivered.publication, expected(b"b", 2, 5, ""));
        assert_eq!(*delivered.previous.unwrap(), expected(b":a", 1, 4, "epoch"));
    }

    #[test]
    fn whatever_is_not_ours_is_refused() {
        for text in [
            "",
            "p",
            "p1:2",
            "p1:2:e:9:0:short",
            "p1:2:e:18446744073709551615:1:a",
            "px:2:e:0:0:",
        ] {
            assert_eq!(
                Message::parse(&text.into()).map(|one| one.number),
                Err(Foreign),
                "{text}"
            );
        }
        let unknown = Message::parse(&"z1:2:e:1:0:a".into()).unwrap();
        assert!(unknown.read().is_err());
    }

    #[test]
    fn positions_are_read() {
        let position = read_position(b"12:epoch").unwrap().unwrap();
        assert_eq!((position.offset, position.epoch.as_str()), (12, "epoch"));
        assert_eq!(read_position(b""), Ok(None));
        assert_eq!(read_position(b"x:epoch"), Err(Foreign));
    }
}
