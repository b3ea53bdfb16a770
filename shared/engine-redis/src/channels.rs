//! Which channels are in use by any gateway, and what becomes of them.
//!
//! Each gateway *claims* the channels that it has subscribers in, one claim however many they are. The
//! script that takes a claim counts the gateways of the channel, and where that begins or ends keeps an
//! event, in the same partition: so events of a channel have one order, and no event is without its claim.
//!
//! Claims count as long as their gateway's lease. When it is over, whoever notices gives them up. A
//! gateway whose lease ran out though it lives, and one whose claims may have been lost in a failover
//! (see `lua/fence.lua` for the lineage), compares what Redis has with what it has ([`claims`]).
//!
//! Events of a partition are told by one gateway at a time, which the others know by a key that lasts for
//! [`TELL_TIME`]; what it does not take back by then another one tells again ([`telling`]).

mod claims;
mod spots;
mod telling;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gyre_engine::{BoxFuture, ChannelOutbox, InUse, OutboxError, StateEvent, Transition};
use gyre_runtime::Clock;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use self::claims::Own;
use self::spots::Spot;
use crate::link::{Link, jittered};

/// How long a gateway has to tell a batch to a backend before another one tells it. Ten times the usual
/// deadline of such a call; those of a gateway that died wait so long.
const TELL_TIME: Duration = Duration::from_secs(10);

/// Channels in use, for all gateways together.
pub(crate) struct RedisChannels {
    link: Link,
    clock: Clock,
    /// Names this process in claims and leases.
    gateway: String,
    /// Held while claims are written: they are compared with nothing half done.
    writing: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    proxies: Vec<Arc<str>>,
    own: BTreeMap<Spot, Own>,
    /// Where events wait, and how many.
    waiting: BTreeMap<Spot, u64>,
    /// Where another gateway tells them, and when it should be done.
    elsewhere: BTreeMap<Spot, Instant>,
    /// What was given out last, by proxy: the last generation of each place.
    given: HashMap<Arc<str>, Vec<(Spot, i64)>>,
    /// Gateways whose lease is over, and since when that is known.
    over: HashMap<(Spot, String), Instant>,
}

impl fmt::Debug for RedisChannels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisChannels").finish_non_exhaustive()
    }
}

impl RedisChannels {
    /// Begins to look after them, once it is known for which proxies.
    pub(crate) fn open(link: &Link, clock: &Clock) -> Arc<Self> {
        let channels = Arc::new(Self {
            link: link.clone(),
            clock: clock.clone(),
            gateway: uuid::Uuid::new_v4().simple().to_string(),
            writing: tokio::sync::Mutex::default(),
            state: Mutex::default(),
            changed: Notify::new(),
        });
        let looking = Arc::clone(&channels);
        link.run(async move { looking.run().await });
        channels
    }

    async fn run(&self) {
        loop {
            sleep(jittered(self.look_interval())).await;
            let proxies = self.state.lock().proxies.clone();
            for proxy in proxies {
                self.look(&proxy).await;
            }
            if !self.state.lock().waiting.is_empty() {
                self.changed.notify_waiters();
            }
        }
    }

    /// How long claims count. Half of the time after which members of a dead gateway are gone: noticing
    /// takes the other half.
    fn lease(&self) -> Duration {
        self.link.options().presence_ttl / 2
    }

    /// Three looks to a lease.
    fn look_interval(&self) -> Duration {
        self.lease() / 3
    }

    /// How long a lease has to be over before claims are given up. Longer than it takes between two looks:
    /// when Redis was away, every lease is over, and those who live have to have had their turn.
    fn grace(&self) -> Duration {
        self.lease() / 2
    }

    /// Notes how many events wait somewhere.
    fn note_waiting(&self, spot: &Spot, waiting: u64) {
        let mut state = self.state.lock();
        if waiting == 0 {
            state.waiting.remove(spot);
            state.elsewhere.remove(spot);
        } else {
            state.waiting.insert(spot.clone(), waiting);
        }
    }
}

impl ChannelOutbox for RedisChannels {
    fn serve(&self, proxies: &[&str]) {
        self.state.lock().proxies = proxies.iter().map(|proxy| Arc::from(*proxy)).collect();
    }

    fn record<'a>(
        &'a self,
        transitions: &'a [Transition],
    ) -> BoxFuture<'a, Result<(), OutboxError>> {
        Box::pin(self.take(transitions))
    }

    fn events<'a>(
        &'a self,
        proxy: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<StateEvent>, OutboxError>> {
        Box::pin(self.give(proxy, limit))
    }

    fn told<'a>(
        &'a self,
        proxy: &'a str,
        generation: i64,
    ) -> BoxFuture<'a, Result<(), OutboxError>> {
        Box::pin(self.forget_told(proxy, generation))
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.wait())
    }

    fn waiting(&self) -> BoxFuture<'_, Result<u64, OutboxError>> {
        let waiting = self.state.lock().waiting.values().sum();
        Box::pin(async move { Ok(waiting) })
    }

    /// Nothing: a process that begins has claimed nothing, and what others left is given up with their
    /// leases.
    fn in_use<'a>(
        &'a self,
        _after: &'a str,
        _limit: u32,
    ) -> BoxFuture<'a, Result<Vec<InUse>, OutboxError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// None: others may tell what this process does not know of.
    fn proxies(&self) -> BoxFuture<'_, Result<Vec<String>, OutboxError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn forget<'a>(&'a self, _proxy: &'a str) -> BoxFuture<'a, Result<(), OutboxError>> {
        Box::pin(async { Ok(()) })
    }
}
