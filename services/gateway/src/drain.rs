//! Handing connections over to other gateways: paced, idle ones first.
//!
//! From the wish to stop until the pace begins, connections are still taken, for balancers need a
//! moment to notice. Then none is taken any more, and those that are here are told to come back (3001)
//! at a rate that all draining gateways share. Whoever is not told yet is served.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gyre_config::Config;
use gyre_engine::{Error, Meter, Permits, Registry};
use gyre_runtime::{Clock, Hold};
use gyre_types::ClientId;
use tokio::time::{sleep, timeout};

use crate::admission::Admission;
use crate::connections::Connections;
use crate::handle::Handle;
use crate::mailbox::Signal;
use crate::node::Node;

/// Name of the rate that draining gateways share.
const RATE: &str = "drain";

/// Connections that are closed before the rate is asked again. 64: some milliseconds' worth at the
/// rates of large installations.
const BATCH_MAX: u32 = 64;

/// Shortest pause. One millisecond: timers know nothing shorter.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// Between two looks at whether the last connections are gone. 20 ms.
const LOOK: Duration = Duration::from_millis(20);

/// How connections are handed over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    rate: NonZeroU32,
    delay: Duration,
    timeout: Duration,
}

impl Pace {
    /// What section `drain` says; `None`: all at once.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        let rate = u32::try_from(config.drain.rate.get()?).unwrap_or(u32::MAX);
        Some(Self {
            rate: NonZeroU32::new(rate)?,
            delay: config.drain.delay.duration().unwrap_or_default(),
            timeout: config.drain.timeout.duration().unwrap_or(Duration::MAX),
        })
    }
}

/// How far it is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    told: AtomicU64,
    cut: AtomicU64,
}

impl Progress {
    /// Connections that were told to come back.
    pub(crate) fn told(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }

    /// Connections that were left when the time was over.
    pub(crate) fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }
}

/// Waits for the wish to stop, hands over, and lets the process go.
pub(crate) async fn run(
    node: Arc<Node>,
    admission: Arc<Admission>,
    hold: Hold,
    pace: Option<Pace>,
) {
    let drain = node.tasks.drain().clone();
    tokio::select! {
        () = drain.draining() => return,
        () = hold.asked() => {}
    }
    let Some(pace) = pace else {
        return;
    };
    tokio::select! {
        () = drain.draining() => {}
        () = hand_over(&node, &admission, pace) => {}
    }
}

async fn hand_over(node: &Node, admission: &Admission, pace: Pace) {
    sleep(pace.delay).await;
    admission.close();
    let connections = node.connections.len();
    let per_second = pace.rate.get();
    tracing::info!(connections, per_second, "connections are handed over");
    let rate = SharedRate::new(&*node.engine.registry, &node.clock, pace.rate);
    let closing = close_all(&node.connections, &node.drain.told, rate);
    let closing = timeout(pace.timeout, closing).await;
    let left = match closing {
        Ok(()) => 0,
        Err(_elapsed) => node.connections.len(),
    };
    node.drain.cut.fetch_add(left as u64, Ordering::Relaxed);
    tell_end(left);
}

fn tell_end(left: usize) {
    match left {
        0 => tracing::info!("connections are handed over: none is left"),
        left => tracing::warn!(
            left,
            "drain.timeout is over: what is left is closed at once"
        ),
    }
}

/// Closes connections at the rate until none is left.
async fn close_all(connections: &Connections, count: &AtomicU64, mut rate: SharedRate<'_>) {
    let mut told: HashSet<ClientId> = HashSet::new();
    loop {
        let everyone = connections.everyone();
        if everyone.is_empty() {
            return;
        }
        let mut next = idle_first(everyone, &told).into_iter();
        if next.len() == 0 {
            sleep(LOOK).await;
            continue;
        }
        while next.len() > 0 {
            let wanted = u32::try_from(next.len()).map_or(BATCH_MAX, |left| left.min(BATCH_MAX));
            let permits = rate.permits(wanted).await;
            for handle in next.by_ref().take(permits.granted as usize) {
                told.insert(handle.client.clone());
                handle.mailbox.raise(Signal::Drain);
                count.fetch_add(1, Ordering::Relaxed);
            }
            if permits.granted < wanted {
                sleep(permits.wait.max(PAUSE_MIN)).await;
            }
        }
    }
}

/// Those that were not told yet; whoever has been silent for longest comes first.
fn idle_first(mut handles: Vec<Arc<Handle>>, told: &HashSet<ClientId>) -> Vec<Arc<Handle>> {
    handles.retain(|handle| !told.contains(&handle.client));
    handles.sort_by_key(|handle| handle.active_s());
    handles
}

/// The rate that all draining gateways share, or one of our own if the engine has none to give.
struct SharedRate<'a> {
    registry: &'a dyn Registry,
    clock: &'a Clock,
    per_second: NonZeroU32,
    own: Meter,
}

impl<'a> SharedRate<'a> {
    fn new(registry: &'a dyn Registry, clock: &'a Clock, per_second: NonZeroU32) -> Self {
        Self {
            registry,
            clock,
            per_second,
            own: Meter::default(),
        }
    }

    async fn permits(&mut self, wanted: u32) -> Permits {
        let asked = self.registry.permits(RATE, self.per_second, wanted).await;
        asked.unwrap_or_else(|error| {
            if !matches!(error, Error::Unsupported { .. }) {
                tracing::debug!(%error, "the drain keeps a rate of its own");
            }
            let now_ms = self.clock.now().uptime.as_millis();
            let now_ns = now_ms.saturating_mul(1_000_000);
            self.own.take(now_ns, self.per_second, wanted)
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::{join, join_all};
    use gyre_engine_memory::MemoryEngine;
    use gyre_types::UserId;
    use tokio::time::Instant;

    use super::*;

    fn handle(name: &str, active_s: u32) -> Arc<Handle> {
        let handle = Handle::new(ClientId::new(name), 1024);
        handle.touch(active_s);
        Arc::new(handle)
    }

    #[test]
    fn the_most_silent_are_first_and_nobody_is_told_twice() {
        let handles = vec![handle("busy", 90), handle("told", 1), handle("idle", 2)];
        let told = HashSet::from([ClientId::new("told")]);
        let order: Vec<String> = idle_first(handles, &told)
            .iter()
            .map(|handle| handle.client.to_string())
            .collect();
        assert_eq!(order, ["idle", "busy"]);
    }

    /// Connections of a gateway, all of them accepted.
    fn connections(name: &str, count: u32) -> (Connections, Vec<Arc<Handle>>) {
        let connections = Connections::default();
        let handles: Vec<_> = (0..count)
            .map(|number| handle(&format!("{name}{number}"), number))
            .collect();
        for handle in &handles {
            connections.enter(handle, &UserId::new(""), 0).unwrap();
        }
        (connections, handles)
    }

    /// A client that goes as soon as it is told: when that was.
    async fn go(connections: &Connections, handle: Arc<Handle>) -> Instant {
        let signals = handle.mailbox.recv(&mut Vec::new(), 1).await;
        assert!(signals.has(Signal::Drain));
        connections.leave(&handle);
        Instant::now()
    }

    #[tokio::test(start_paused = true)]
    async fn two_gateways_hand_five_thousand_over_at_one_rate() {
        let rate = NonZeroU32::new(1_000).unwrap();
        let clock = Clock::start();
        let engine = {
            let clock = clock.clone();
            MemoryEngine::open(Arc::new(()), move || clock.now()).engine()
        };
        let rate = || SharedRate::new(&*engine.registry, &clock, rate);
        let (one, ones) = connections("one", 3_000);
        let (other, others) = connections("other", 2_000);
        let (count, begun) = (AtomicU64::new(0), Instant::now());
        let closing = join(
            close_all(&one, &count, rate()),
            close_all(&other, &count, rate()),
        );
        let clients = ones.into_iter().map(|handle| go(&one, handle));
        let going = join_all(clients.chain(others.into_iter().map(|handle| go(&other, handle))));
        let (_, mut gone) = join(closing, going).await;

        assert_eq!(count.into_inner(), 5_000, "each is told once");
        gone.sort();
        for (number, at) in gone.iter().enumerate() {
            let allowed = (at.duration_since(begun).as_millis() as usize) + 50;
            assert!(number < allowed, "{number} are gone where {allowed} may be");
        }
        let took = gone.last().unwrap().duration_since(begun);
        assert_eq!(took, Duration::from_millis(4_950), "50 may go at once");
    }

    #[test]
    fn without_a_rate_there_is_no_pace() {
        let mut config = Config::default();
        assert!(Pace::of(&config).is_none());
        config.drain.rate = gyre_config::Limit(7);
        assert_eq!(Pace::of(&config).map(|pace| pace.rate.get()), Some(7));
    }
}
