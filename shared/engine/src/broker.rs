use std::sync::Arc;
use std::time::Duration;

use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_types::{ChannelName, Epoch, Position};

use crate::{BoxFuture, Error};

/// What an engine can do. Configuration that needs what is missing is refused at start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Features {
    /// Keeps publications.
    pub history: bool,
    /// Publications reach other processes.
    pub cross_node: bool,
}

/// How long a channel's publications are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retention {
    /// Publications kept: the newest. At least 1.
    pub size: u32,
    /// How long they are kept after the last of them: each publication renews it for all.
    pub ttl: Duration,
    /// How long the stream's epoch, top and version outlive the last publish or read; `None`: for
    /// ever. At least `ttl`.
    pub meta_ttl: Option<Duration>,
}

/// What is published, by reference: an engine copies what it keeps.
#[derive(Clone, Copy, Debug)]
pub struct Publish<'a> {
    /// Data, info, tags and version. `offset`, `epoch` and `time` are the engine's to fill in.
    pub publication: &'a Publication,
    /// How it is published.
    pub options: PublishOptions<'a>,
}

/// How a publication is published.
#[derive(Clone, Copy, Debug)]
pub struct PublishOptions<'a> {
    /// Keeps it in history; `None`: passes through without a position. Default `None`.
    pub retention: Option<Retention>,
    /// Hands the newest publication that is still kept to the inlets too, so that deltas can be
    /// made. Default false.
    pub with_previous: bool,
    /// With a key that is remembered in this channel, the first result is returned and nothing is
    /// published. Empty: none. Default empty.
    pub idempotency_key: &'a str,
    /// How long the key is remembered after the publish that it was first used for. Default
    /// [`Self::IDEMPOTENCY_TTL`].
    pub idempotency_ttl: Duration,
    /// Life of the version numbers; empty matches any. Default empty.
    pub version_epoch: &'a str,
}

impl PublishOptions<'_> {
    /// How long an idempotency key is remembered unless told otherwise: 300 s, as the reference.
    pub const IDEMPOTENCY_TTL: Duration = Duration::from_secs(300);
}

impl Default for PublishOptions<'_> {
    fn default() -> Self {
        Self {
            retention: None,
            with_previous: false,
            idempotency_key: "",
            idempotency_ttl: Self::IDEMPOTENCY_TTL,
            version_epoch: "",
        }
    }
}

/// Why a publication was not published though all is well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Suppressed {
    /// Its idempotency key was seen before.
    Idempotency,
    /// Its version is not above the stored one.
    Version,
}

/// Result of a publish.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Published {
    /// Its place in the stream, or the place of the one it repeats, or the top where a version
    /// suppressed it. `None` without history.
    pub position: Option<Position>,
    /// Set if nothing was published.
    pub suppressed: Option<Suppressed>,
}

/// Order of a history read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Order {
    /// Oldest first.
    #[default]
    Forward,
    /// Newest first.
    Reverse,
}

/// What to read from a channel's history.
#[derive(Clone, Copy, Debug, Default)]
pub struct HistoryQuery<'a> {
    /// Offset to begin after (or before, in reverse), and the epoch it is of, in any length; an
    /// empty epoch matches any. `None`: from the oldest (or the top, in reverse).
    pub since: Option<(u64, &'a str)>,
    /// Publications at most; `None`: all; 0: only the position. Default `None`.
    pub limit: Option<usize>,
    /// In which order. Default forward.
    pub order: Order,
    /// How long the stream's epoch, top and version live after this read; `None`: for ever.
    /// Default `None`.
    pub meta_ttl: Option<Duration>,
    /// What this process has handed over is enough, of a channel that it has a subscriber in and whose
    /// publications are kept so: what was acknowledged and is still on its way comes to the inlet after the
    /// read. An engine may then answer without asking anybody, and need not renew `meta_ttl`. `None`:
    /// everything counts that was acknowledged before the read. Default `None`.
    pub heard: Option<Retention>,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Top of the stream at the moment of the read.
    pub top: Position,
    /// What was found, in the order asked for and without holes. The one with offset 1 carries the
    /// epoch. Those that are gone are left out in silence: the caller compares offsets.
    pub publications: Vec<Arc<Publication>>,
}

/// A read and what it found; see [`Broker::history`].
pub type HistoryRead = Result<History, Error>;

/// Moves publications between processes and keeps them.
///
/// # Atomic
///
/// `publish` with retention assigns the next offset (the first is 1), stores and sends in one step:
/// offsets of a channel have no holes and reach each inlet in their order; history and delivery
/// cannot disagree about an offset.
///
/// # Suppressed
///
/// The idempotency key is looked up first, with and without retention; what is in the publication
/// is not compared. Then the version (`publication.version` > 0, with retention only): the
/// publication is suppressed if its version is not above the stored one and `version_epoch` is
/// empty or the stored one; otherwise both are stored. A publication without version leaves the
/// stored version alone. What was suppressed takes no offset, reaches nobody, and its idempotency
/// key is not remembered for its sake.
///
/// # Stamped
///
/// The engine fills in `time`, `offset` and, with offset 1 only, `epoch`, and drops what the caller
/// wrote there. All else arrives as it was published; without retention `offset` is 0 and `epoch`
/// empty, and the stream, if the channel has one, is as if nothing had happened.
///
/// # Ordered
///
/// What one caller publishes to one channel, each after the other's result, arrives in that order,
/// with or without retention, joins and leaves included. Channels are independent.
///
/// # Loss
///
/// A lost connection loses publications; their receivers learn it from the next offset, from
/// [`Inlet::on_gap`](crate::Inlet::on_gap), or from a changed epoch. A stream that may lack
/// acknowledged entries must change its epoch: nobody may be told «recovered» about a hole.
///
/// # Positions
///
/// Reading or publishing creates the stream with a new epoch where there is none, and renews
/// `meta_ttl`; after that ran out the stream begins again with a new epoch at offset 0, without
/// publications and version. `remove_history` drops publications but keeps epoch, offset and
/// version. Publications whose `ttl` ran out or that are beyond `size` are gone; that is no error:
/// the caller sees it by the offsets.
pub trait Broker: Send + Sync {
    /// What this engine can do.
    fn features(&self) -> Features;

    /// Publishes one publication.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if it was surely not done, [`Error::OutcomeUnknown`] if nobody knows.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the outcome unknown.
    fn publish<'a>(
        &'a self,
        channel: &'a ChannelName,
        publish: Publish<'a>,
    ) -> BoxFuture<'a, Result<Published, Error>>;

    /// Publishes one publication to many channels, to each as [`Self::publish`] would; results in
    /// the order of `channels`. An engine makes as few round trips as it can; there is no atomicity
    /// over channels, and one that fails does not stop the others. A channel that stands there twice
    /// gets two publications, in that order.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the outcomes unknown.
    fn publish_to_many<'a>(
        &'a self,
        channels: &'a [(ChannelName, PublishOptions<'a>)],
        publication: &'a Publication,
    ) -> BoxFuture<'a, Vec<Result<Published, Error>>>;

    /// Tells the channel that someone came. Without history, at most once.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it was told or it was not.
    fn publish_join<'a>(
        &'a self,
        channel: &'a ChannelName,
        info: &'a ClientInfo,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// Tells the channel that someone left. Without history, at most once.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it was told or it was not.
    fn publish_leave<'a>(
        &'a self,
        channel: &'a ChannelName,
        info: &'a ClientInfo,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// One more subscriber of this node wants the channel. Done when the node receives it: what is
    /// published after that reaches the inlet. Called once per subscriber; an engine that has to ask
    /// for channels counts. An engine may deliver channels that nobody asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]; the subscriber then does not count.
    ///
    /// # Cancel safety
    ///
    /// A dropped future counts the subscriber: call [`Self::unsubscribe`].
    fn subscribe<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<(), Error>>;

    /// One subscriber of this node less. Does not wait; an engine stops receiving the channel some
    /// time after the last.
    fn unsubscribe(&self, channel: &ChannelName);

    /// Reads history and the top of the stream, in one step.
    ///
    /// # Errors
    ///
    /// [`Error::UnrecoverablePosition`] if an epoch was given that is not the stream's, whatever the
    /// limit; [`Error::Unavailable`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    fn history<'a>(
        &'a self,
        channel: &'a ChannelName,
        query: HistoryQuery<'a>,
    ) -> BoxFuture<'a, HistoryRead>;

    /// Drops a channel's publications; epoch, offset and version stay. Where there is no stream it
    /// makes none, and renews nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: they are gone or they are not.
    fn remove_history<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<(), Error>>;
}

/// The epoch of a new stream: eight letters, as the reference makes them, out of random bytes.
#[must_use]
pub fn epoch_of(random: [u8; 8]) -> Epoch {
    let letters: String = random
        .into_iter()
        .map(|byte| {
            let letter = byte % 52;
            char::from(if letter < 26 {
                b'a' + letter
            } else {
                b'A' + letter - 26
            })
        })
        .collect();
    Epoch::new(&letters).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_eight_letters() {
        assert_eq!(
            epoch_of([0, 25, 26, 51, 52, 77, 78, 255]).as_str(),
            "azAZazAV"
        );
    }

    #[test]
    fn a_key_is_remembered_for_five_minutes() {
        assert_eq!(
            PublishOptions::default().idempotency_ttl,
            Duration::from_secs(300)
        );
    }
}
