use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use gyre_engine::{
    BoxFuture, Broker, Delivered, Error, Features, HistoryQuery, HistoryRead, Inlet, Publish,
    PublishOptions, Published, Suppressed,
};
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_types::{ChannelName, Epoch, Now, Position, Uptime};
use parking_lot::Mutex;

use crate::Swept;
use crate::draft::Draft;
use crate::state::{State, Target};
use crate::stream::Outdated;
use crate::stripes::Stripes;

/// Channels of a broadcast between two chances for others: about 50 µs without subscribers.
const TURN_CHANNELS: usize = 128;

/// What one sweep frees at most. Unit: publications, streams and keys. About a millisecond.
pub(crate) const SWEEP_MAX: usize = 8192;

/// The broker of one process.
pub(crate) struct MemoryBroker<I, C> {
    inlet: Arc<I>,
    clock: C,
    stripes: Stripes<Stripe>,
    /// Number of the stripe where the next sweep begins.
    swept: AtomicUsize,
}

#[derive(Debug, Default)]
struct Stripe {
    /// Held while a publication gets its place and goes through the inlet: stream order is the order
    /// of arrival. Taken before `state`.
    order: Mutex<()>,
    state: Mutex<State>,
}

impl<I, C> MemoryBroker<I, C>
where
    I: Inlet,
    C: Fn() -> Now + Send + Sync + 'static,
{
    pub(crate) fn new(inlet: Arc<I>, clock: C) -> Self {
        Self {
            inlet,
            clock,
            stripes: Stripes::default(),
            swept: AtomicUsize::new(0),
        }
    }

    /// Reads the engine's clock.
    pub(crate) fn now(&self) -> Uptime {
        (self.clock)().uptime
    }

    /// Frees what is over; see [`MemoryEngine::sweep`](crate::MemoryEngine::sweep).
    pub(crate) fn sweep(&self) -> Swept {
        let now = (self.clock)().uptime;
        let first = self.swept.load(Ordering::Relaxed);
        let mut budget = SWEEP_MAX;
        for (walked, stripe) in self.stripes.from(first).enumerate() {
            let hasher = self.stripes.hasher();
            stripe.state.lock().sweep(hasher, now, &mut budget);
            if budget == 0 {
                let next = first.wrapping_add(walked);
                self.swept.store(next, Ordering::Relaxed);
                return Swept::Some;
            }
        }
        Swept::All
    }

    fn publish_now(
        &self,
        channel: &ChannelName,
        draft: &mut Draft<'_>,
        options: &PublishOptions<'_>,
        now: Now,
    ) -> Published {
        let target = self.target(channel);
        let stripe = self.stripes.of(target.hash);
        let has_key = !options.idempotency_key.is_empty();
        let _order = stripe.order.lock();
        if has_key {
            let state = stripe.state.lock();
            if let Some(first) = state.remembered(target, options.idempotency_key, now.uptime) {
                return first;
            }
        }
        let (position, delivered) = match options.retention {
            None => (None, passing(draft.passing(now))),
            Some(retention) => {
                let kept = stripe
                    .state
                    .lock()
                    .keep(target, draft, options, retention, now);
                match kept {
                    Ok(delivered) => (Some(position_of(&delivered)), delivered),
                    Err(Outdated(top)) => return outdated(top),
                }
            }
        };
        if has_key {
            let mut state = stripe.state.lock();
            state.remember(target, options, position, now.uptime);
        }
        self.inlet.on_publication(channel, delivered);
        Published {
            position,
            suppressed: None,
        }
    }

    async fn publish_to_each(
        &self,
        channels: &[(ChannelName, PublishOptions<'_>)],
        publication: &Publication,
    ) -> Vec<Result<Published, Error>> {
        let histories = channels
            .iter()
            .filter(|(_, options)| options.retention.is_some());
        let mut draft = match histories.take(2).count() {
            2 => Draft::shared(publication),
            _ => Draft::new(publication),
        };
        let mut results = Vec::with_capacity(channels.len());
        for turn in channels.chunks(TURN_CHANNELS) {
            if !results.is_empty() {
                let_others().await;
            }
            let now = (self.clock)();
            results.extend(
                turn.iter().map(|(channel, options)| {
                    Ok(self.publish_now(channel, &mut draft, options, now))
                }),
            );
        }
        results
    }

    fn target<'a>(&'a self, channel: &'a ChannelName) -> Target<'a> {
        Target {
            channel,
            hash: self.stripes.hash(channel),
            hasher: self.stripes.hasher(),
        }
    }

    /// Calls the inlet for the channel, alone.
    fn tell(&self, channel: &ChannelName, told: impl FnOnce(&I)) {
        let stripe = self.stripes.of(self.stripes.hash(channel));
        let _order = stripe.order.lock();
        told(&self.inlet);
    }
}

impl<I, C> Broker for MemoryBroker<I, C>
where
    I: Inlet,
    C: Fn() -> Now + Send + Sync + 'static,
{
    fn features(&self) -> Features {
        Features {
            history: true,
            cross_node: false,
        }
    }

    fn publish<'a>(
        &'a self,
        channel: &'a ChannelName,
        publish: Publish<'a>,
    ) -> BoxFuture<'a, Result<Published, Error>> {
        Box::pin(async move {
            let mut draft = Draft::new(publish.publication);
            Ok(self.publish_now(channel, &mut draft, &publish.options, (self.clock)()))
        })
    }

    fn publish_to_many<'a>(
        &'a self,
        channels: &'a [(ChannelName, PublishOptions<'a>)],
        publication: &'a Publication,
    ) -> BoxFuture<'a, Vec<Result<Published, Error>>> {
        Box::pin(self.publish_to_each(channels, publication))
    }

    fn publish_join<'a>(
        &'a self,
        channel: &'a ChannelName,
        info: &'a ClientInfo,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let info = Arc::new(info.clone());
            self.tell(channel, |inlet| inlet.on_join(channel, &info));
            Ok(())
        })
    }

    fn publish_leave<'a>(
        &'a self,
        channel: &'a ChannelName,
        info: &'a ClientInfo,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let info = Arc::new(info.clone());
            self.tell(channel, |inlet| inlet.on_leave(channel, &info));
            Ok(())
        })
    }

    /// Nothing to do: the inlet hears every channel, and the node's hub knows who wants it.
    fn subscribe<'a>(&'a self, _channel: &'a ChannelName) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn unsubscribe(&self, _channel: &ChannelName) {}

    fn history<'a>(
        &'a self,
        channel: &'a ChannelName,
        query: HistoryQuery<'a>,
    ) -> BoxFuture<'a, HistoryRead> {
        Box::pin(async move {
            let target = self.target(channel);
            let now = (self.clock)().uptime;
            let stripe = self.stripes.of(target.hash);
            stripe.state.lock().read(target, &query, now)
        })
    }

    fn remove_history<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let target = self.target(channel);
            self.stripes.of(target.hash).state.lock().clear(target);
            Ok(())
        })
    }
}

fn passing(publication: Arc<Publication>) -> Delivered {
    Delivered {
        publication,
        epoch: Epoch::default(),
        previous: None,
    }
}

fn position_of(delivered: &Delivered) -> Position {
    Position {
        offset: delivered.publication.offset,
        epoch: delivered.epoch,
    }
}

const fn outdated(top: Position) -> Published {
    Published {
        position: Some(top),
        suppressed: Some(Suppressed::Version),
    }
}

/// Ready when it is polled again, which is after the others on this thread.
async fn let_others() {
    let mut is_again = false;
    poll_fn(|context| {
        if is_again {
            return Poll::Ready(());
        }
        is_again = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
