use std::sync::Arc;

use gyre_engine::{Error, History, HistoryQuery, Inlet};
use redis::Cmd;

use super::Bus;
use super::lines::Gap;
use crate::broker::history::{self, Read, Renew};
use crate::layout::Place;
use crate::link::{BackOff, Facts, Request};

/// Gaps that are repaired with one round trip to each node.
const GAPS_AT_ONCE: usize = 256;

/// Publications that a gap may have missed; with more, it is told instead: those who lag so far are
/// better off beginning again.
const MISSED_MAX: usize = 1000;

/// Repairs gaps as they come.
pub(super) async fn run<I: Inlet>(bus: Arc<Bus<I>>) {
    let mut back_off = BackOff::new();
    loop {
        let gaps: Vec<(Place, Gap)> = {
            let mut waiting = bus.gaps.lock();
            let count = waiting.len().min(GAPS_AT_ONCE);
            waiting.drain(..count).collect()
        };
        if gaps.is_empty() {
            bus.gap.notified().await;
            continue;
        }
        if repair(&bus, gaps).await {
            back_off = BackOff::new();
        } else {
            back_off.wait().await;
        }
    }
}

/// Reads what was missed. Whether all could be read; the rest is tried again.
async fn repair<I: Inlet>(bus: &Bus<I>, gaps: Vec<(Place, Gap)>) -> bool {
    let reads: Vec<Read> = gaps
        .iter()
        .map(|(_, gap)| {
            let query = HistoryQuery {
                since: Some((gap.since.offset, gap.since.epoch.as_str())),
                limit: Some(MISSED_MAX),
                ..HistoryQuery::default()
            };
            Read::new(&bus.link, &gap.channel, &query, Renew::Not)
        })
        .collect();
    let args: Vec<_> = reads
        .iter()
        .map(|read| |command: &mut Cmd, facts: &Facts| read.add_args(command, facts))
        .collect();
    let requests: Vec<Request<'_>> = reads
        .iter()
        .zip(&args)
        .map(|(read, args)| read.request(args))
        .collect();
    let answers = bus.link.call_many(&requests).await;
    let mut is_all = true;
    for ((place, gap), answer) in gaps.into_iter().zip(answers) {
        let read = answer.and_then(|value| history::read(value)?);
        match found(read) {
            Ok(history) => bus.repaired(place, &gap, history),
            Err(()) => {
                is_all = false;
                bus.gaps.lock().push_back((place, gap));
            }
        }
    }
    is_all
}

/// What was found; an error if it could not be read.
fn found(read: Result<History, Error>) -> Result<Option<History>, ()> {
    match read {
        Ok(history) => Ok(Some(history)),
        Err(Error::UnrecoverablePosition { .. } | Error::Internal { .. }) => Ok(None),
        Err(
            Error::Unavailable { .. } | Error::OutcomeUnknown { .. } | Error::Unsupported { .. },
        ) => Err(()),
    }
}
