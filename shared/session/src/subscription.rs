mod delivery;
pub(crate) mod ending;
pub(crate) mod entered;
pub(crate) mod open;
pub(crate) mod opening;
pub(crate) mod recovery;
pub(crate) mod table;
pub(crate) mod watch;

use std::num::NonZeroU64;
use std::sync::Arc;

use bytes::Bytes;
use gyre_policy::{Filter, Rights, Source};
use gyre_protocol::messages::ClientInfo;
use gyre_protocol::prepared::{Form, Prepared};
use gyre_types::{ChannelName, Epoch, HubSlot, Position, UnixSeconds, Uptime};

use crate::effect::{RefreshBy, TokenMark};
use crate::subscription::ending::End;
use crate::subscription::opening::Opening;

/// One subscription of one session: its position, its options, and where it is in its life.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) channel: ChannelName,
    pub(crate) state: State,
    pub(crate) options: Options,
    pub(crate) source: Source,
    /// Meaningful if `options.is_positioned`.
    pub(crate) position: Position,
    /// Last time the position was known to be right.
    pub(crate) checked_at: Uptime,
    /// Top that a check saw ahead of the position; the next check decides.
    pub(crate) suspected: Option<NonZeroU64>,
    /// This client as others see it in this channel.
    pub(crate) info: Option<Arc<ClientInfo>>,
    pub(crate) rare: Option<Box<Rare>>,
    /// Whether the client was told that it is subscribed.
    pub(crate) has_begun: bool,
    /// Whether the tick looks after it.
    pub(crate) is_watched: bool,
    /// Ends that were asked for while it was busy, or that wait until it has left.
    pub(crate) ends: Vec<End>,
}

/// Ten of them are most of what a connection takes. Unit: bytes.
const _: () = assert!(size_of::<Subscription>() <= 128);

/// What few subscriptions have.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    pub(crate) filter: Option<Filter>,
    pub(crate) chan_info: Bytes,
    pub(crate) expire_at: Option<UnixSeconds>,
    pub(crate) refresh_by: RefreshBy,
    /// What the client may do in the channel besides.
    pub(crate) rights: Rights,
    /// Whether the backend is being asked to prolong it.
    pub(crate) is_asking: bool,
    /// Whether others see something that is not so any more.
    pub(crate) is_stale: bool,
    /// Token that opened or last prolonged it.
    pub(crate) token: Option<Box<TokenMark>>,
}

/// Where a subscription is in its life.
#[derive(Debug)]
pub(crate) enum State {
    /// Its token is being verified, or the backend is asked; in no table yet.
    Asking,
    /// It is being entered; what arrives is held back.
    Opening(Box<Opening>),
    /// It is live; its join, or what is new about the client, is on its way to the engine if
    /// `announcing`.
    Live { slot: HubSlot, announcing: bool },
    /// It is being taken out; what arrives is dropped.
    Leaving,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Options {
    pub(crate) is_server_side: bool,
    pub(crate) has_presence: bool,
    pub(crate) emits_join_leave: bool,
    pub(crate) wants_join_leave: bool,
    pub(crate) is_positioned: bool,
    pub(crate) is_recoverable: bool,
    pub(crate) delta: Delta,
}

/// How payloads go to a subscription.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Delta {
    /// As they are.
    #[default]
    Off,
    /// As patches; the next one whole, for the client has nothing to apply a patch to.
    NeedsFull,
    /// As patches.
    Ready,
}

/// What a positioned subscription does with a publication.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// It is the next one.
    Deliver,
    /// It was seen before.
    Duplicate,
    /// Something is missing.
    Gap,
}

impl Subscription {
    pub(crate) fn expire_at(&self) -> Option<UnixSeconds> {
        self.rare.as_ref().and_then(|rare| rare.expire_at)
    }

    pub(crate) fn refresh_by(&self) -> RefreshBy {
        self.rare
            .as_ref()
            .map_or(RefreshBy::Client, |rare| rare.refresh_by)
    }

    pub(crate) fn filter(&self) -> Option<&Filter> {
        self.rare.as_ref().and_then(|rare| rare.filter.as_ref())
    }

    pub(crate) fn chan_info(&self) -> Bytes {
        self.rare
            .as_ref()
            .map(|rare| rare.chan_info.clone())
            .unwrap_or_default()
    }

    pub(crate) fn rights(&self) -> Rights {
        self.rare.as_ref().map_or(Rights::NONE, |rare| rare.rights)
    }

    pub(crate) const fn is_live(&self) -> bool {
        matches!(self.state, State::Live { .. })
    }

    /// Whether it is to end as soon as what is under way on it is done, or is ending.
    pub(crate) const fn is_ending(&self) -> bool {
        !self.ends.is_empty()
    }

    /// Moves the position on, if this is the next publication.
    pub(crate) fn step(&mut self, prepared: &Prepared, now: Uptime) -> Step {
        let offset = prepared.offset();
        if !self.options.is_positioned || offset == 0 {
            return Step::Deliver;
        }
        let epoch = prepared.epoch();
        if epoch != self.position.epoch && !self.adopt(epoch) {
            return Step::Gap;
        }
        if offset <= self.position.offset {
            return Step::Duplicate;
        }
        if offset > self.position.offset + 1 {
            return Step::Gap;
        }
        self.position.offset = offset;
        self.checked_at = now;
        self.suspected = None;
        Step::Deliver
    }

    /// In which form a publication at this offset goes out; the first of a delta subscription goes
    /// whole, and so does what stands in no stream.
    pub(crate) const fn next_form(&mut self, offset: u64) -> Form {
        match self.options.delta {
            Delta::Off => Form::Full,
            Delta::NeedsFull | Delta::Ready if offset == 0 => {
                // What the client has now is not what the stream's next patch is against.
                self.options.delta = Delta::NeedsFull;
                Form::DeltaFull
            }
            Delta::NeedsFull => {
                // Without positions a publication may be missed unnoticed, and with it a base.
                if self.options.is_positioned {
                    self.options.delta = Delta::Ready;
                }
                Form::DeltaFull
            }
            Delta::Ready => Form::DeltaPatch,
        }
    }

    fn adopt(&mut self, epoch: Epoch) -> bool {
        let is_unknown = self.position.epoch.is_empty();
        if is_unknown {
            self.position.epoch = epoch;
        }
        is_unknown
    }
}
