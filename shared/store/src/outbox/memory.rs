use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::ready;

use gyre_engine::{
    BoxFuture, ChannelOutbox, ChannelState, InUse, OutboxError, StateEvent, Transition,
};
use gyre_types::UnixMillis;
use parking_lot::Mutex;

/// Keeps transitions in memory: a restart forgets them, and which channels were in use.
#[derive(Debug, Default)]
pub struct MemoryOutbox {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: i64,
    events: VecDeque<StateEvent>,
    in_use: BTreeMap<Box<str>, Box<str>>,
}

/// The least generation of an event of this time.
pub(crate) const fn generation_at(at: UnixMillis) -> i64 {
    at.0.saturating_mul(1000)
}

impl ChannelOutbox for MemoryOutbox {
    fn record<'a>(
        &'a self,
        transitions: &'a [Transition],
    ) -> BoxFuture<'a, Result<(), OutboxError>> {
        let mut inner = self.inner.lock();
        for transition in transitions {
            let generation = generation_at(transition.at).max(inner.last + 1);
            inner.last = generation;
            let channel = transition.channel.clone();
            match transition.state {
                ChannelState::Occupied => {
                    inner.in_use.insert(channel, transition.proxy.clone());
                }
                ChannelState::Vacated => {
                    inner.in_use.remove(&channel);
                }
            }
            inner.events.push_back(StateEvent {
                generation,
                transition: transition.clone(),
            });
        }
        Box::pin(ready(Ok(())))
    }

    fn events<'a>(
        &'a self,
        proxy: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<StateEvent>, OutboxError>> {
        let inner = self.inner.lock();
        let own = inner
            .events
            .iter()
            .filter(|event| &*event.transition.proxy == proxy);
        let found = own.take(limit as usize).cloned().collect();
        Box::pin(ready(Ok(found)))
    }

    fn told<'a>(
        &'a self,
        proxy: &'a str,
        generation: i64,
    ) -> BoxFuture<'a, Result<(), OutboxError>> {
        let is_told = |event: &StateEvent| {
            &*event.transition.proxy == proxy && event.generation <= generation
        };
        self.inner.lock().events.retain(|event| !is_told(event));
        Box::pin(ready(Ok(())))
    }

    fn waiting(&self) -> BoxFuture<'_, Result<u64, OutboxError>> {
        let waiting = self.inner.lock().events.len();
        Box::pin(ready(Ok(u64::try_from(waiting).unwrap_or(u64::MAX))))
    }

    fn in_use<'a>(
        &'a self,
        after: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<InUse>, OutboxError>> {
        let inner = self.inner.lock();
        let later = inner
            .in_use
            .iter()
            .filter(|(channel, _)| &***channel > after);
        let found = later.take(limit as usize).map(|(channel, proxy)| InUse {
            channel: channel.clone(),
            proxy: proxy.clone(),
        });
        Box::pin(ready(Ok(found.collect())))
    }

    fn proxies(&self) -> BoxFuture<'_, Result<Vec<String>, OutboxError>> {
        let inner = self.inner.lock();
        let told = inner.events.iter().map(|event| &event.transition.proxy);
        let all: BTreeSet<String> = told
            .chain(inner.in_use.values())
            .map(ToString::to_string)
            .collect();
        Box::pin(ready(Ok(all.into_iter().collect())))
    }

    fn forget<'a>(&'a self, proxy: &'a str) -> BoxFuture<'a, Result<(), OutboxError>> {
        let mut inner = self.inner.lock();
        inner
            .events
            .retain(|event| &*event.transition.proxy != proxy);
        inner.in_use.retain(|_, used| &**used != proxy);
        Box::pin(ready(Ok(())))
    }
}
