//! What gateways claim: written as it changes, compared when it may have been lost, given up for those
//! that are gone.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use gyre_engine::{ChannelState, Error, OutboxError, Transition};
use tokio::time::Instant;

use super::RedisChannels;
use super::spots::{Call, Spot};
use crate::broker::history::{millis_text, odd};
use crate::layout::Kind;
use crate::scripts::Script;

/// Changes in one script at most. A thousand: a millisecond or two of the server.
const CHANGES_MAX: usize = 1000;

/// What this process claims in a spot.
#[derive(Debug, Default)]
pub(super) struct Own {
    channels: HashSet<Box<str>>,
    /// Under which all of it was written; empty if nothing was.
    lineage: Arc<str>,
    /// What Redis has may differ.
    is_in_doubt: bool,
}

/// A change, as the script takes it: '+channel' or '-channel', and when.
type Change = (String, String);

impl RedisChannels {
    /// Takes what this process saw.
    pub(super) async fn take(&self, transitions: &[Transition]) -> Result<(), OutboxError> {
        let _turn = self.writing.lock().await;
        let mut by_spot: BTreeMap<Spot, Vec<&Transition>> = BTreeMap::new();
        for transition in transitions {
            let spot = self.spot_of(transition);
            by_spot.entry(spot).or_default().push(transition);
        }
        let is_doubtful = |spot: &Spot| {
            let state = self.state.lock();
            state.own.get(spot).is_some_and(|own| own.is_in_doubt)
        };
        let (mut doubtful, sure): (Vec<_>, Vec<_>) =
            by_spot.into_iter().partition(|(spot, _)| is_doubtful(spot));
        let calls: Vec<Call> = sure
            .iter()
            .map(|(spot, transitions)| {
                let changes = transitions.iter().map(|one| change(one)).collect();
                let state = self.state.lock();
                let lineage = state.own.get(spot).map(|own| Arc::clone(&own.lineage));
                drop(state);
                self.record_call(spot, lineage.as_deref().unwrap_or_default(), changes)
            })
            .collect();
        let answers = self.call(&calls).await;
        let mut outcome = Ok(());
        for ((spot, transitions), answer) in sure.into_iter().zip(answers) {
            match answer.and_then(|(value, lineage)| Ok((read(value)?, lineage))) {
                Ok(((1, waiting), lineage)) => self.taken(&spot, &transitions, lineage, waiting),
                Ok(_) => doubtful.push((spot, transitions)),
                Err(error) => {
                    self.state.lock().own.entry(spot).or_default().is_in_doubt = true;
                    outcome = Err(error.into());
                }
            }
        }
        for (spot, transitions) in doubtful {
            if let Err(error) = self.compare(&spot, &transitions).await {
                outcome = Err(error.into());
            }
        }
        outcome
    }

    /// Where a channel is claimed. One whose proxy has changed since stays where it is.
    fn spot_of(&self, transition: &Transition) -> Spot {
        let layout = self.link.layout();
        let spot = Spot {
            proxy: Arc::from(&*transition.proxy),
            partition: layout.place(&transition.channel).partition,
        };
        if transition.state == ChannelState::Occupied {
            return spot;
        }
        let state = self.state.lock();
        let mut claimed = state.own.iter().filter(|(other, own)| {
            other.partition == spot.partition && own.channels.contains(&transition.channel)
        });
        claimed.next().map_or(spot, |(other, _)| other.clone())
    }

    fn record_call(&self, spot: &Spot, expected: &str, changes: Vec<Change>) -> Call {
        let head = [
            self.gateway.clone(),
            millis_text(self.lease()),
            expected.to_owned(),
        ];
        let changes = changes.into_iter().flat_map(|(what, when)| [what, when]);
        Call {
            spot: spot.clone(),
            script: Script::ChannelRecord,
            keys: self.keys(spot, &self.gateway),
            has_lineage: true,
            args: head.into_iter().chain(changes).collect(),
        }
    }

    /// These were taken; the claims were written under this lineage.
    fn taken(&self, spot: &Spot, transitions: &[&Transition], lineage: Arc<str>, waiting: u64) {
        {
            let mut state = self.state.lock();
            let own = state.own.entry(spot.clone()).or_default();
            own.apply(transitions);
            own.lineage = lineage;
            own.is_in_doubt = false;
        }
        self.note_waiting(spot, waiting);
    }

    /// Reads what Redis has, and writes what is different from what this process has after these
    /// transitions.
    async fn compare(&self, spot: &Spot, transitions: &[&Transition]) -> Result<(), Error> {
        let compared = self.compare_now(spot, transitions).await;
        if compared.is_err() {
            self.state
                .lock()
                .own
                .entry(spot.clone())
                .or_default()
                .is_in_doubt = true;
        }
        compared
    }

    async fn compare_now(&self, spot: &Spot, transitions: &[&Transition]) -> Result<(), Error> {
        let read_call = Call {
            spot: spot.clone(),
            script: Script::ChannelClaims,
            keys: vec![self.claims_key(spot, &self.gateway)],
            has_lineage: false,
            args: Vec::new(),
        };
        let (value, _) = self.call_one(read_call).await?;
        let there: HashSet<String> = redis::from_redis_value(value).map_err(|_| odd())?;
        let mut changes = self.difference(spot, transitions, &there);
        loop {
            let rest = changes.split_off(changes.len().min(CHANGES_MAX));
            let is_last = rest.is_empty();
            let call = self.record_call(spot, if is_last { "*" } else { "+" }, changes);
            let (value, lineage) = self.call_one(call).await?;
            let (_, waiting) = read(value)?;
            if is_last {
                self.taken(spot, transitions, lineage, waiting);
                return Ok(());
            }
            changes = rest;
        }
    }

    /// What has to be changed so that Redis has what this process has.
    fn difference(
        &self,
        spot: &Spot,
        transitions: &[&Transition],
        there: &HashSet<String>,
    ) -> Vec<Change> {
        let now = self.clock.now().unix.0.to_string();
        let state = self.state.lock();
        let mut wanted = Own::default();
        if let Some(own) = state.own.get(spot) {
            wanted.channels.clone_from(&own.channels);
        }
        drop(state);
        wanted.apply(transitions);
        let missing = wanted
            .channels
            .iter()
            .filter(|one| !there.contains(&***one));
        let missing = missing.map(|one| (format!("+{one}"), now.clone()));
        let is_surplus = |one: &&String| !one.is_empty() && !wanted.channels.contains(one.as_str());
        let surplus = there.iter().filter(is_surplus);
        let surplus = surplus.map(|one| (format!("-{one}"), now.clone()));
        missing.chain(surplus).collect()
    }

    pub(super) async fn call_one(&self, call: Call) -> Result<(redis::Value, Arc<str>), Error> {
        let answers = self.call(&[call]).await;
        answers.into_iter().next().unwrap_or_else(|| Err(odd()))
    }

    /// Renews the leases of this process for a proxy, mends what was lost, and gives up what is of
    /// gateways that are gone.
    pub(super) async fn look(&self, proxy: &Arc<str>) {
        let spots: Vec<Spot> = (0..self.link.layout().partitions())
            .map(|partition| Spot {
                proxy: Arc::clone(proxy),
                partition,
            })
            .collect();
        let calls: Vec<Call> = spots.iter().map(|spot| self.look_call(spot)).collect();
        let answers = self.call(&calls).await;
        for (spot, answer) in spots.iter().zip(answers) {
            let found = answer.and_then(|(value, _)| {
                redis::from_redis_value::<(i64, u64, Vec<String>)>(value).map_err(|_| odd())
            });
            let Ok((is_whole, waiting, over)) = found else {
                // Who could not renew is not gone.
                self.state.lock().over.retain(|(other, _), _| other != spot);
                continue;
            };
            self.note_waiting(spot, waiting);
            if is_whole == 0 || self.is_in_doubt(spot) {
                let _turn = self.writing.lock().await;
                // In vain: it stays in doubt.
                let _ = self.compare(spot, &[]).await;
            }
            for gateway in self.gone(spot, &over) {
                self.sweep(spot, &gateway).await;
            }
        }
    }

    fn look_call(&self, spot: &Spot) -> Call {
        let state = self.state.lock();
        let own = state.own.get(spot).filter(|own| !own.channels.is_empty());
        let expected = own.map(|own| own.lineage.to_string()).unwrap_or_default();
        drop(state);
        Call {
            spot: spot.clone(),
            script: Script::ChannelLook,
            keys: vec![
                self.claims_key(spot, &self.gateway),
                self.key(Kind::ChannelLeases, spot),
                self.key(Kind::ChannelEvents, spot),
            ],
            has_lineage: true,
            args: vec![self.gateway.clone(), millis_text(self.lease()), expected],
        }
    }

    fn is_in_doubt(&self, spot: &Spot) -> bool {
        let state = self.state.lock();
        state.own.get(spot).is_some_and(|own| own.is_in_doubt)
    }

    /// Which of those whose lease is over have had their turn to say that they live.
    fn gone(&self, spot: &Spot, over: &[String]) -> Vec<String> {
        let (now, grace) = (Instant::now(), self.grace());
        let mut state = self.state.lock();
        let is_over = |gateway: &String| over.contains(gateway);
        state
            .over
            .retain(|(other, gateway), _| other != spot || is_over(gateway));
        let gone = over.iter().filter(|gateway| {
            let key = (spot.clone(), (*gateway).clone());
            let since = *state.over.entry(key).or_insert(now);
            now - since >= grace
        });
        gone.cloned().collect()
    }

    /// Gives up everything that a gateway claims in a spot.
    async fn sweep(&self, spot: &Spot, gateway: &str) {
        loop {
            let now = self.clock.now().unix.0.to_string();
            let call = Call {
                spot: spot.clone(),
                script: Script::ChannelSweep,
                keys: self.keys(spot, gateway),
                has_lineage: false,
                args: vec![gateway.to_owned(), CHANGES_MAX.to_string(), now],
            };
            let swept = self.call_one(call).await;
            let Ok((more, waiting)) = swept.and_then(|(value, _)| read(value)) else {
                return;
            };
            self.note_waiting(spot, waiting);
            if more == 0 {
                tracing::info!(
                    gateway,
                    spot.partition,
                    "channels of a gateway that is gone were given up"
                );
                return;
            }
        }
    }
}

impl Own {
    fn apply(&mut self, transitions: &[&Transition]) {
        for transition in transitions {
            match transition.state {
                ChannelState::Occupied => {
                    self.channels.insert(transition.channel.clone());
                }
                ChannelState::Vacated => {
                    self.channels.remove(&transition.channel);
                }
            }
        }
    }
}

fn change(transition: &Transition) -> Change {
    let sign = match transition.state {
        ChannelState::Occupied => '+',
        ChannelState::Vacated => '-',
    };
    (
        format!("{sign}{}", transition.channel),
        transition.at.0.to_string(),
    )
}

/// A number and how many events wait.
fn read(value: redis::Value) -> Result<(i64, u64), Error> {
    redis::from_redis_value(value).map_err(|_| odd())
}
