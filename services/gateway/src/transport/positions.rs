//! Where a client of server-sent events stands, as the id of an event: `uni_sse.event_ids`.
//!
//! A browser that comes back sends the id of the last event it got, so the id of each event has the
//! positions of all channels after it. It is a connect request with nothing but positions, in Protobuf
//! and base64.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use gyre_protocol::messages::{ConnectRequest, Publication, SubscribeRequest};
use gyre_protocol::{Format, Push, PushBody};
use gyre_session::Message;

/// Longest id. Unit: bytes. 4 KiB: a request head has room for it, and for a hundred channels.
const ID_BYTES_MAX: usize = 4 * 1024;

/// Positions of the channels that have any.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    by_channel: BTreeMap<String, SubscribeRequest>,
}

impl Positions {
    /// What an id says; `None` if it is none of ours.
    pub(crate) fn parse(id: &str) -> Option<BTreeMap<String, SubscribeRequest>> {
        let bytes = URL_SAFE_NO_PAD.decode(id).ok()?;
        let request = ConnectRequest::decode(Format::Protobuf, &Bytes::from(bytes)).ok()?;
        let subs = request.subs.into_iter();
        Some(
            subs.map(|(channel, at)| (channel, position(at.epoch, at.offset)))
                .collect(),
        )
    }

    /// The id of the event with this message; `None` if it changes nothing, empty if there is none.
    pub(super) fn id_after(&mut self, message: &Message) -> Option<String> {
        let is_changed = match message {
            Message::Own(bytes, _) => match Push::decode(Format::Json, bytes) {
                Ok(Some(push)) => self.take_push(&push),
                // A ping; or not ours to judge.
                Ok(None) | Err(_) => false,
            },
            Message::Shared { prepared, .. } => match prepared.as_publication() {
                Some(publication) => self.advance(prepared.channel().as_str(), publication),
                None => false,
            },
            Message::TransportPing => false,
        };
        is_changed.then(|| self.id())
    }

    fn take_push(&mut self, push: &Push) -> bool {
        match &push.body {
            PushBody::Connect(connect) => {
                for (channel, sub) in &connect.subs {
                    if sub.recoverable {
                        let newest = sub.publications.last();
                        let offset = newest.map_or(0, |publication| publication.offset);
                        self.enter(channel, &sub.epoch, sub.offset.max(offset));
                    }
                }
                true
            }
            PushBody::Subscribe(sub) => {
                if sub.recoverable {
                    self.enter(&push.channel, &sub.epoch, sub.offset);
                }
                sub.recoverable
            }
            PushBody::Unsubscribe(_) => self.by_channel.remove(&*push.channel).is_some(),
            PushBody::Publication(publication) => self.advance(&push.channel, publication),
            PushBody::Join(_)
            | PushBody::Leave(_)
            | PushBody::Message(_)
            | PushBody::Disconnect(_)
            | PushBody::Refresh(_) => false,
        }
    }

    fn enter(&mut self, channel: &str, epoch: &str, offset: u64) {
        let at = position(epoch.to_owned(), offset);
        self.by_channel.insert(channel.to_owned(), at);
    }

    fn advance(&mut self, channel: &str, publication: &Publication) -> bool {
        let Some(at) = self.by_channel.get_mut(channel) else {
            return false;
        };
        if publication.offset == 0 {
            return false;
        }
        at.offset = publication.offset;
        if at.epoch.is_empty() {
            publication.epoch.as_ref().clone_into(&mut at.epoch);
        }
        true
    }

    /// Empty if it would be too long: then the client forgets the one before, which is not true any
    /// more.
    fn id(&self) -> String {
        let request = ConnectRequest {
            subs: self.by_channel.clone(),
            ..ConnectRequest::default()
        };
        // Positions have a place in any format.
        let encoded = request.encode(Format::Protobuf).unwrap_or_default();
        let id = URL_SAFE_NO_PAD.encode(encoded);
        if id.len() > ID_BYTES_MAX {
            return String::new();
        }
        id
    }
}

fn position(epoch: String, offset: u64) -> SubscribeRequest {
    SubscribeRequest {
        recover: true,
        epoch,
        offset,
        ..SubscribeRequest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(
        positions: &mut Positions,
        push: &'static str,
    ) -> Option<BTreeMap<String, (String, u64)>> {
        let message = Message::Own(
            Bytes::from_static(push.as_bytes()),
            gyre_session::Frame::Send,
        );
        let subs = Positions::parse(&positions.id_after(&message)?)?;
        let told = |(channel, at): (String, SubscribeRequest)| {
            assert!(at.recover);
            (channel, (at.epoch, at.offset))
        };
        Some(subs.into_iter().map(told).collect())
    }

    fn at(list: &[(&str, &str, u64)]) -> Option<BTreeMap<String, (String, u64)>> {
        let of = |(channel, epoch, offset): &(&str, &str, u64)| {
            ((*channel).to_owned(), ((*epoch).to_owned(), *offset))
        };
        Some(list.iter().map(of).collect())
    }

    #[test]
    fn an_id_has_the_positions_of_all_channels_after_its_event() {
        let mut positions = Positions::default();
        let connect = r#"{"connect":{"client":"c","subs":{
            "a":{"recoverable":true,"epoch":"e","offset":3,"publications":[{"data":1,"offset":4},{"data":2,"offset":5}]},
            "b":{"recoverable":true,"epoch":"f"},
            "live":{}}}}"#;
        let start = at(&[("a", "e", 5), ("b", "f", 0)]);
        assert_eq!(after(&mut positions, connect), start);
        let published = r#"{"channel":"b","pub":{"data":1,"offset":1}}"#;
        let moved = at(&[("a", "e", 5), ("b", "f", 1)]);
        assert_eq!(after(&mut positions, published), moved);
        for nothing in [
            "{}",
            r#"{"channel":"live","pub":{"data":1}}"#,
            r#"{"channel":"a","join":{"info":{"user":"","client":"x"}}}"#,
        ] {
            assert_eq!(after(&mut positions, nothing), None, "{nothing}");
        }
        let subscribed =
            r#"{"channel":"c","subscribe":{"recoverable":true,"epoch":"g","offset":9}}"#;
        let three = at(&[("a", "e", 5), ("b", "f", 1), ("c", "g", 9)]);
        assert_eq!(after(&mut positions, subscribed), three);
        let ended = r#"{"channel":"a","unsubscribe":{"code":2000}}"#;
        let two = at(&[("b", "f", 1), ("c", "g", 9)]);
        assert_eq!(after(&mut positions, ended), two);
    }

    #[test]
    fn too_many_positions_are_no_id() {
        let mut positions = Positions::default();
        for n in 0..300 {
            positions.enter(&format!("channel-{n}"), "epoch", n);
        }
        assert_eq!(positions.id(), "");
    }

    #[test]
    fn what_is_no_id_of_ours_says_nothing() {
        for id in ["42", "%%", "_____w"] {
            assert_eq!(Positions::parse(id), None, "{id}");
        }
        assert_eq!(Positions::parse(""), Some(BTreeMap::new()));
    }
}
