//! Events on their way to a backend.

use std::sync::Arc;
use std::time::Duration;

use gyre_engine::{ChannelState, Error, OutboxError, StateEvent, Transition};
use gyre_types::UnixMillis;
use redis::Value;
use tokio::time::{Instant, sleep_until};

use super::spots::{Call, Spot};
use super::{RedisChannels, TELL_TIME};
use crate::broker::history::{millis_text, odd};
use crate::layout::Kind;
use crate::scripts::Script;

/// How many events wait, how long another gateway may take for them, and entries: their ids and fields.
type Taken = (u64, u64, Vec<(String, Vec<String>)>);

impl RedisChannels {
    /// The oldest events of a proxy that no other gateway tells now.
    pub(super) async fn give(
        &self,
        proxy: &str,
        limit: u32,
    ) -> Result<Vec<StateEvent>, OutboxError> {
        let spots = self.spots_to_tell(proxy, limit as usize);
        let each = (limit as usize / spots.len().max(1)).max(1);
        let calls: Vec<Call> = spots
            .iter()
            .map(|spot| self.take_call(spot, each))
            .collect();
        let mut events: Vec<StateEvent> = Vec::new();
        let mut given = Vec::new();
        for (spot, answer) in spots.iter().zip(self.call(&calls).await) {
            let (value, _) = answer?;
            let (waiting, wait_ms, entries): Taken =
                redis::from_redis_value(value).map_err(|_| odd())?;
            self.note_waiting(spot, waiting);
            if wait_ms > 0 {
                let until = Instant::now() + Duration::from_millis(wait_ms);
                self.state.lock().elsewhere.insert(spot.clone(), until);
            }
            let entries = entries.into_iter();
            let read = entries.map(|entry| read_event(&spot.proxy, entry));
            let own = read.collect::<Result<Vec<_>, _>>()?;
            if let Some(last) = own.last() {
                given.push((spot.clone(), last.generation));
            }
            events.extend(own);
        }
        // Those of a channel stand in one spot, where they are in order.
        events.sort_by_key(|event| event.generation);
        self.state.lock().given.insert(Arc::from(proxy), given);
        Ok(events)
    }

    /// Where events of a proxy wait that nobody else tells, at most so many, and other ones each time.
    fn spots_to_tell(&self, proxy: &str, limit: usize) -> Vec<Spot> {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.elsewhere.retain(|_, until| *until > now);
        let last = state.given.get(proxy).and_then(|given| given.last());
        let last = last.map(|(spot, _)| spot.clone());
        let is_free = |spot: &&Spot| &*spot.proxy == proxy && !state.elsewhere.contains_key(*spot);
        let free = state.waiting.keys().filter(is_free);
        let (before, after): (Vec<&Spot>, Vec<&Spot>) =
            free.partition(|spot| last.as_ref().is_some_and(|last| *spot <= last));
        after
            .into_iter()
            .chain(before)
            .take(limit)
            .cloned()
            .collect()
    }

    fn take_call(&self, spot: &Spot, limit: usize) -> Call {
        Call {
            spot: spot.clone(),
            script: Script::ChannelTake,
            keys: vec![
                self.key(Kind::ChannelEvents, spot),
                self.key(Kind::ChannelTeller, spot),
            ],
            has_lineage: false,
            args: vec![
                self.gateway.clone(),
                millis_text(TELL_TIME),
                limit.to_string(),
            ],
        }
    }

    /// Forgets what was given out last, up to this generation.
    pub(super) async fn forget_told(
        &self,
        proxy: &str,
        generation: i64,
    ) -> Result<(), OutboxError> {
        let given = self.state.lock().given.get(proxy).cloned();
        let given = given.unwrap_or_default();
        let told = given.iter().filter(|(_, last)| *last <= generation);
        let calls: Vec<Call> = told
            .map(|(spot, last)| Call {
                spot: spot.clone(),
                script: Script::ChannelTold,
                keys: vec![
                    self.key(Kind::ChannelEvents, spot),
                    self.key(Kind::ChannelTeller, spot),
                ],
                has_lineage: false,
                args: vec![self.gateway.clone(), (last + 1).to_string()],
            })
            .collect();
        for (call, answer) in calls.iter().zip(self.call(&calls).await) {
            let waiting = answer.and_then(|(value, _)| count(value))?;
            self.note_waiting(&call.spot, waiting);
        }
        Ok(())
    }

    /// Waits until there may be something that this process did not cause, or that another gateway should
    /// have told by now.
    pub(super) async fn wait(&self) {
        let due = self.state.lock().elsewhere.values().min().copied();
        let overdue = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.changed.notified() => {}
            () = overdue => {}
        }
    }
}

fn count(value: Value) -> Result<u64, Error> {
    redis::from_redis_value(value).map_err(|_| odd())
}

/// Reads an entry: `generation-0`, and under `c` the change, under `t` when it was.
fn read_event(proxy: &Arc<str>, (id, fields): (String, Vec<String>)) -> Result<StateEvent, Error> {
    let generation = id.split('-').next().and_then(|id| id.parse().ok());
    let [_, what, _, at] = <[String; 4]>::try_from(fields).map_err(|_| odd())?;
    let (state, channel) = match (what.strip_prefix('+'), what.strip_prefix('-')) {
        (Some(channel), _) => (ChannelState::Occupied, channel),
        (None, Some(channel)) => (ChannelState::Vacated, channel),
        (None, None) => return Err(odd()),
    };
    Ok(StateEvent {
        generation: generation.ok_or_else(odd)?,
        transition: Transition {
            channel: channel.into(),
            proxy: Box::from(&**proxy),
            state,
            at: UnixMillis(at.parse().map_err(|_| odd())?),
        },
    })
}
