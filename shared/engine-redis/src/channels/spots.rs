use std::sync::Arc;

use gyre_engine::Error;
use redis::{Cmd, Value};

use super::RedisChannels;
use crate::layout::Kind;
use crate::link::{Facts, Repeat, Request};
use crate::scripts::Script;

/// The channels of one proxy in one partition.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Spot {
    pub(super) proxy: Arc<str>,
    pub(super) partition: u16,
}

/// A script about a spot. It may be run any number of times.
pub(super) struct Call {
    pub(super) spot: Spot,
    pub(super) script: Script,
    pub(super) keys: Vec<String>,
    /// Whether the lineage of the server goes first.
    pub(super) has_lineage: bool,
    pub(super) args: Vec<String>,
}

impl Call {
    fn add_args(&self, command: &mut Cmd, facts: &Facts) {
        if self.has_lineage {
            command.arg(&*facts.lineage);
        }
        command.arg(&self.args);
    }
}

impl RedisChannels {
    /// Runs scripts, those of a server in one piece.
    pub(super) async fn call(&self, calls: &[Call]) -> Vec<Result<(Value, Arc<str>), Error>> {
        let lineages: Vec<parking_lot::Mutex<Arc<str>>> = calls
            .iter()
            .map(|_| parking_lot::Mutex::new("".into()))
            .collect();
        let args: Vec<_> = calls
            .iter()
            .zip(&lineages)
            .map(|(call, lineage)| {
                |command: &mut Cmd, facts: &Facts| {
                    *lineage.lock() = Arc::clone(&facts.lineage);
                    call.add_args(command, facts);
                }
            })
            .collect();
        let requests: Vec<Request<'_>> = calls
            .iter()
            .zip(&args)
            .map(|(call, args)| Request {
                partition: call.spot.partition,
                script: call.script,
                keys: call.keys.clone(),
                args,
                repeat: Repeat::Freely,
            })
            .collect();
        let answers = self.link.call_many(&requests).await;
        let lineages = lineages.iter().map(|lineage| Arc::clone(&lineage.lock()));
        let with_lineage = answers.into_iter().zip(lineages);
        with_lineage
            .map(|(answer, lineage)| Ok((answer?, lineage)))
            .collect()
    }

    /// The key of this kind for a spot.
    pub(super) fn key(&self, kind: Kind, spot: &Spot) -> String {
        self.link.layout().key(kind, spot.partition, &spot.proxy)
    }

    /// The key of what a gateway claims there.
    pub(super) fn claims_key(&self, spot: &Spot, gateway: &str) -> String {
        let name = format!("{gateway}:{}", spot.proxy);
        let layout = self.link.layout();
        layout.key(Kind::ChannelClaims, spot.partition, &name)
    }

    /// Counts, claims of a gateway, leases, events.
    pub(super) fn keys(&self, spot: &Spot, gateway: &str) -> Vec<String> {
        vec![
            self.key(Kind::ChannelCounts, spot),
            self.claims_key(spot, gateway),
            self.key(Kind::ChannelLeases, spot),
            self.key(Kind::ChannelEvents, spot),
        ]
    }
}
