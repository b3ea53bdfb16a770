//! How long channels are silent when a node is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::judge::Judge;
use crate::servers::Server;

/// Longest wait for a replica to take over; two seconds are usual.
const FAILOVER_MAX: Duration = Duration::from_secs(20);

/// What is promised of channels whose primary is well. Tests allow more: machines are busy.
const OF_OTHERS: Duration = Duration::from_millis(500);

/// What is promised of channels of the lost primary, after Redis has replaced it.
const AFTER_FAILOVER: Duration = Duration::from_secs(1);

/// What a busy machine may add to either.
const SLACK: Duration = Duration::from_millis(2_500);

/// A fault, and what is measured of it.
pub(crate) struct Outage {
    begun: Instant,
    /// Channels of the primary that is lost, if one is.
    channels: BTreeSet<String>,
    /// How long Redis took to replace it.
    failover: Option<Duration>,
}

impl Outage {
    /// Begins to measure.
    pub(crate) fn begin(judge: &Judge) -> Self {
        judge.listen();
        Self {
            begun: Instant::now(),
            channels: BTreeSet::new(),
            failover: None,
        }
    }

    /// It is about the channels of this primary, which is about to be lost.
    pub(crate) async fn concerns(&mut self, primary: &Server) {
        // Each channel has a key that ends in its name.
        let keys: Vec<String> = primary.ask(&["KEYS", "*:m:*"]).await.unwrap_or_default();
        let names = keys.iter().filter_map(|key| key.rsplit(':').next());
        self.channels = names.map(ToOwned::to_owned).collect();
    }

    /// Lets time pass, and notes when one of the replicas is a primary; waits for that if there are some.
    pub(crate) async fn pass(&mut self, time: Duration, replicas: &[&Server]) {
        let is_over = |outage: &Self| match outage.failover.is_some() || replicas.is_empty() {
            true => outage.begun.elapsed() >= time,
            false => outage.begun.elapsed() >= FAILOVER_MAX,
        };
        while !is_over(self) {
            for replica in replicas.iter().filter(|_| self.failover.is_none()) {
                if replica.info("replication", "role").await == "master" {
                    self.failover = Some(self.begun.elapsed());
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Says how long channels were silent, and asserts that it was not for ever.
    pub(crate) fn end(&self, judge: &Judge) {
        let silences = judge.silences();
        let (lost, others): (BTreeMap<_, _>, BTreeMap<_, _>) = silences
            .into_iter()
            .partition(|(channel, _)| self.channels.contains(channel));
        let longest = |of: &BTreeMap<_, Duration>| of.values().max().copied().unwrap_or_default();
        let (lost, others) = (longest(&lost), longest(&others));
        println!(
            "silence of channels whose primary was well: {others:.2?} (promised: {OF_OTHERS:?})"
        );
        assert!(others < OF_OTHERS + SLACK, "{others:?}");
        if self.channels.is_empty() {
            return;
        }
        let failover = self.failover.expect("Redis replaces it in that time");
        let promised = failover + AFTER_FAILOVER;
        println!(
            "silence of the {} channels of the lost primary: {lost:.2?} \
             (promised: {promised:.2?}; Redis took {failover:.2?})",
            self.channels.len(),
        );
        assert!(lost < promised + SLACK, "{lost:?}");
    }
}
