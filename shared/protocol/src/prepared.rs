//! Pushes that many subscribers share: encoded once per form, on first need.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use gyre_types::{ChannelName, Epoch, Position};

use crate::codec::{Encode, Key, NotJson, Sink};
use crate::delta;
use crate::format::Format;
use crate::messages::{ClientInfo, Publication};
use crate::push::{CHANNEL, Envelope, InReply, JOIN, LEAVE, PUBLICATION, encode_delimited};

/// Tags of what has none.
static NO_TAGS: BTreeMap<String, String> = BTreeMap::new();

/// A push to the subscribers of a channel.
#[derive(Debug)]
pub struct Prepared {
    channel: ChannelName,
    content: Content,
    in_reply: Encodings,
    /// For unidirectional transports, which few installations have.
    bare: OnceLock<Box<Encodings>>,
}

#[derive(Debug)]
enum Content {
    Publication {
        publication: Arc<Publication>,
        epoch: Epoch,
        previous: Option<Arc<Publication>>,
    },
    Join(Arc<ClientInfo>),
    Leave(Arc<ClientInfo>),
    Top(Position),
}

/// What a prepared push tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PreparedKind {
    /// Something was published.
    Publication,
    /// Someone came.
    Join,
    /// Someone left.
    Leave,
    /// Where the stream's top is. Clients are not told: whoever has a position compares.
    Top,
}

/// How a subscriber takes publications. Joins and leaves have one form only.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Form {
    /// As they were published.
    Full,
    /// As a delta subscription takes them when it has no base: in JSON a string.
    DeltaFull,
    /// As a patch against the publication before, or [`Form::DeltaFull`] if there is no shorter
    /// patch.
    DeltaPatch,
}

/// An encoded push, ready to be joined into a frame; and its compressed form, made on first need.
#[derive(Debug)]
pub struct Encoded {
    bytes: Bytes,
    deflated: OnceLock<Bytes>,
}

type Encoding = Result<Encoded, NotJson>;

/// How a push goes over the wire.
type Wire = (Format, Envelope);

/// The encodings that there may be in one envelope.
#[derive(Debug, Default)]
struct Encodings {
    full_json: OnceLock<Encoding>,
    full_protobuf: OnceLock<Encoding>,
    delta_full_json: OnceLock<Encoding>,
    patch_json: OnceLock<Option<Encoding>>,
    patch_protobuf: OnceLock<Option<Encoding>>,
}

impl Prepared {
    /// A publication in a channel, the epoch of its stream (empty without history), and the
    /// publication that patches are made against.
    #[must_use]
    pub fn publication(
        channel: &ChannelName,
        publication: Arc<Publication>,
        epoch: Epoch,
        previous: Option<Arc<Publication>>,
    ) -> Self {
        Self::new(
            channel,
            Content::Publication {
                publication,
                epoch,
                previous,
            },
        )
    }

    /// Someone came into a channel.
    #[must_use]
    pub fn join(channel: &ChannelName, info: Arc<ClientInfo>) -> Self {
        Self::new(channel, Content::Join(info))
    }

    /// Someone left a channel.
    #[must_use]
    pub fn leave(channel: &ChannelName, info: Arc<ClientInfo>) -> Self {
        Self::new(channel, Content::Leave(info))
    }

    /// Where the top of a channel's stream is. It has no encoding.
    #[must_use]
    pub fn top(channel: &ChannelName, top: Position) -> Self {
        Self::new(channel, Content::Top(top))
    }

    fn new(channel: &ChannelName, content: Content) -> Self {
        Self {
            channel: channel.clone(),
            content,
            in_reply: Encodings::default(),
            bare: OnceLock::new(),
        }
    }

    /// What it tells.
    #[must_use]
    pub const fn kind(&self) -> PreparedKind {
        match self.content {
            Content::Publication { .. } => PreparedKind::Publication,
            Content::Join(_) => PreparedKind::Join,
            Content::Leave(_) => PreparedKind::Leave,
            Content::Top(_) => PreparedKind::Top,
        }
    }

    /// Its channel.
    #[must_use]
    pub const fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// The publication, if it is one.
    #[must_use]
    pub const fn as_publication(&self) -> Option<&Arc<Publication>> {
        match &self.content {
            Content::Publication { publication, .. } => Some(publication),
            Content::Join(_) | Content::Leave(_) | Content::Top(_) => None,
        }
    }

    /// Who came or left, if someone did.
    #[must_use]
    pub const fn client_info(&self) -> Option<&Arc<ClientInfo>> {
        match &self.content {
            Content::Join(info) | Content::Leave(info) => Some(info),
            Content::Publication { .. } | Content::Top(_) => None,
        }
    }

    /// The stream's top, if that is what it tells.
    #[must_use]
    pub const fn as_top(&self) -> Option<&Position> {
        match &self.content {
            Content::Top(top) => Some(top),
            Content::Publication { .. } | Content::Join(_) | Content::Leave(_) => None,
        }
    }

    /// The life of the stream that the publication is in; empty without history.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        match self.content {
            Content::Publication { epoch, .. } => epoch,
            Content::Join(_) | Content::Leave(_) | Content::Top(_) => Epoch::default(),
        }
    }

    /// The publication's place in its stream; 0 without history.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.as_publication()
            .map_or(0, |publication| publication.offset)
    }

    /// What filters look at.
    #[must_use]
    pub fn tags(&self) -> &BTreeMap<String, String> {
        self.as_publication()
            .map_or(&NO_TAGS, |publication| &publication.tags)
    }

    /// The encoded push. Once it was asked for, asking again costs nothing.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if the payload has no place in JSON text.
    pub fn message(
        &self,
        format: Format,
        envelope: Envelope,
        form: Form,
    ) -> Result<&Encoded, NotJson> {
        let wire = (format, envelope);
        let encoding = match form {
            Form::Full => self.full(wire),
            Form::DeltaFull => self.delta_full(wire),
            Form::DeltaPatch => match self.patch(wire) {
                Some(patch) => patch,
                None => self.delta_full(wire),
            },
        };
        encoding.as_ref().map_err(|error| *error)
    }

    /// Whether [`Form::DeltaPatch`] is a patch in this format.
    pub fn is_patch(&self, format: Format) -> bool {
        self.patch((format, Envelope::Reply)).is_some()
    }

    fn encodings(&self, envelope: Envelope) -> &Encodings {
        match envelope {
            Envelope::Reply => &self.in_reply,
            Envelope::Bare => self.bare.get_or_init(Box::default),
        }
    }

    fn patch(&self, wire: Wire) -> Option<&Encoding> {
        let encodings = self.encodings(wire.1);
        let slot = match wire.0 {
            Format::Json => &encodings.patch_json,
            Format::Protobuf => &encodings.patch_protobuf,
        };
        slot.get_or_init(|| self.encode_patch(wire)).as_ref()
    }

    fn full(&self, wire: Wire) -> &Encoding {
        let encodings = self.encodings(wire.1);
        let slot = match wire.0 {
            Format::Json => &encodings.full_json,
            Format::Protobuf => &encodings.full_protobuf,
        };
        slot.get_or_init(|| self.encode_full(wire))
    }

    fn delta_full(&self, wire: Wire) -> &Encoding {
        match (wire.0, self.as_publication()) {
            (Format::Json, Some(publication)) => self
                .encodings(wire.1)
                .delta_full_json
                .get_or_init(|| self.encode_delta_full(wire, publication)),
            (Format::Json, None) | (Format::Protobuf, _) => self.full(wire),
        }
    }

    fn encode_full(&self, wire: Wire) -> Encoding {
        match &self.content {
            Content::Publication { publication, .. } => {
                let epoch = self.visible_epoch();
                if *publication.epoch == *epoch.as_str() {
                    return self.encode(wire, PUBLICATION, publication.as_ref());
                }
                let mut publication = Publication::clone(publication);
                publication.epoch = epoch.as_str().into();
                self.encode(wire, PUBLICATION, &publication)
            }
            Content::Join(info) => self.encode(wire, JOIN, &Who(info)),
            Content::Leave(info) => self.encode(wire, LEAVE, &Who(info)),
            Content::Top(_) => Err(NotJson),
        }
    }

    fn encode_delta_full(&self, wire: Wire, publication: &Publication) -> Encoding {
        let mut publication = publication.clone();
        delta::full(Format::Json, &mut publication);
        self.encode(wire, PUBLICATION, &publication)
    }

    /// The encoded patch, or `None` if there is none that is shorter than the payload.
    fn encode_patch(&self, wire: Wire) -> Option<Encoding> {
        let Content::Publication {
            publication,
            previous: Some(previous),
            ..
        } = &self.content
        else {
            return None;
        };
        let mut publication = Publication::clone(publication);
        delta::patch(wire.0, &previous.data, &mut publication)
            .then(|| self.encode(wire, PUBLICATION, &publication))
    }

    /// The epoch as clients see it: with the first publication of a stream only.
    fn visible_epoch(&self) -> Epoch {
        if self.offset() == 1 {
            self.epoch()
        } else {
            Epoch::default()
        }
    }

    fn encode<M: Encode>(&self, wire: Wire, key: Key, body: &M) -> Encoding {
        let push = ChannelPush {
            channel: self.channel.as_str(),
            key,
            body,
        };
        let bytes = match wire {
            (format, Envelope::Reply) => encode_delimited(format, &InReply(&push))?,
            (format, Envelope::Bare) => encode_delimited(format, &push)?,
        };
        Ok(Encoded {
            bytes,
            deflated: OnceLock::new(),
        })
    }
}

impl Encoded {
    /// The message.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The compressed message; `deflate` makes it from the message if nobody has yet.
    pub fn deflated(&self, deflate: impl FnOnce(&Bytes) -> Bytes) -> &Bytes {
        self.deflated.get_or_init(|| deflate(&self.bytes))
    }
}

/// A push with a borrowed body.
struct ChannelPush<'a, M> {
    channel: &'a str,
    key: Key,
    body: &'a M,
}

impl<M: Encode> Encode for ChannelPush<'_, M> {
    fn put<S: Sink>(&self, sink: &mut S) {
        sink.text(CHANNEL, self.channel);
        sink.message(self.key, self.body);
    }
}

/// The fields of a join or a leave, with a borrowed client.
struct Who<'a>(&'a ClientInfo);

impl Encode for Who<'_> {
    fn put<S: Sink>(&self, sink: &mut S) {
        sink.message(const { Key::new(1, "info") }, self.0);
    }
}

#[cfg(test)]
mod tests;
