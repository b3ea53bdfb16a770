use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::{Value, cmd, pipe};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::facts::field;
use super::{Address, Link, Live, Node, Shared, agreement, jittered, sentinel};
use crate::layout::slot_of;
use crate::options::Servers;

/// How often it is looked up who serves what, without any doubt.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Pause between two look-ups, however much doubt there is.
const LOOK_UP_PAUSE: Duration = Duration::from_millis(50);
/// Longest wait for one node's view of its cluster.
const VIEW_TIMEOUT: Duration = Duration::from_millis(500);

/// Who serves which partition.
#[derive(Clone, Default)]
pub(crate) struct Table {
    /// By partition; empty until a server answers.
    owners: Vec<Arc<Node>>,
    /// Where it is said what all processes agree on: the owner of that key in a cluster, otherwise every
    /// server, in the order in which they share the partitions.
    pub(super) anchors: Vec<Arc<Node>>,
    /// Whether messages go through sharded PUB/SUB.
    pub(crate) is_sharded: bool,
    is_cluster: bool,
}

/// How one node sees its cluster.
struct View {
    is_ok: bool,
    epoch: u64,
    /// First and last slot, and who serves them.
    ranges: Vec<(u16, u16, Address)>,
    has_shards: bool,
}

impl Table {
    pub(crate) fn owner(&self, partition: u16) -> Option<&Arc<Node>> {
        self.owners.get(usize::from(partition))
    }

    /// Every node that serves something, and its partitions.
    pub(crate) fn by_node(&self) -> BTreeMap<Address, Vec<u16>> {
        let mut by_node: BTreeMap<Address, Vec<u16>> = BTreeMap::new();
        for (partition, owner) in (0_u16..).zip(&self.owners) {
            by_node
                .entry(owner.address.clone())
                .or_default()
                .push(partition);
        }
        by_node
    }

    /// Every node that serves something.
    pub(crate) fn nodes(&self) -> BTreeMap<&Address, &Arc<Node>> {
        let nodes = self.owners.iter().map(|node| (&node.address, node));
        nodes.collect()
    }

    /// The command that sends a message over the bus.
    pub(crate) const fn publish_command(&self) -> &'static str {
        if self.is_sharded {
            "SPUBLISH"
        } else {
            "PUBLISH"
        }
    }
}

impl Link {
    /// Connects to the first servers, and begins to follow who serves what.
    pub(super) fn begin(&self) {
        let shared = Arc::downgrade(&self.shared);
        match &self.options().servers {
            Servers::Fixed(addresses) | Servers::Cluster(addresses) => {
                for address in addresses {
                    self.node(address);
                }
            }
            Servers::Sentinel { .. } => {}
        }
        self.run(async move {
            let mut seen = Instant::now();
            loop {
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                let link = Self { shared };
                link.look_up().await;
                link.wait_for_doubt(seen).await;
                seen = Instant::now();
            }
        });
    }

    async fn wait_for_doubt(&self, since: Instant) {
        sleep_until(since + LOOK_UP_PAUSE).await;
        tokio::select! {
            () = self.shared.doubt.notified() => sleep(jittered(LOOK_UP_PAUSE)).await,
            () = sleep(jittered(POLL_INTERVAL)) => {}
        }
    }

    async fn look_up(&self) {
        match &self.options().servers {
            Servers::Fixed(addresses) => {
                let nodes: Vec<Arc<Node>> =
                    addresses.iter().map(|address| self.node(address)).collect();
                if let [node] = &*nodes {
                    // A single address may be that of a cluster's node.
                    match node.live_now() {
                        Some(live) if live.facts.is_cluster => {
                            return self.look_up_cluster(addresses).await;
                        }
                        None if self.shared.is_cluster() => {
                            return self.look_up_cluster(addresses).await;
                        }
                        None if !self.shared.is_known() => return,
                        Some(_) | None => {}
                    }
                }
                self.share_out(&nodes);
            }
            Servers::Cluster(addresses) => self.look_up_cluster(addresses).await,
            Servers::Sentinel { sentinels, primary } => {
                let asked = sentinel::primary_of(
                    sentinels,
                    primary,
                    &self.options().sentinel_access,
                    self.options().connect_timeout,
                );
                match asked.await {
                    Ok(address) => {
                        let node = self.node(&address);
                        self.share_out(&[node]);
                        self.keep_nodes(|one| *one == address);
                    }
                    Err(reason) => tracing::warn!(reason, "no sentinel knows the primary"),
                }
            }
        }
    }

    /// Lets these nodes share the partitions.
    fn share_out(&self, nodes: &[Arc<Node>]) {
        let owners = (0..usize::from(self.layout().partitions()))
            .filter_map(|partition| nodes.get(partition % nodes.len().max(1)).cloned())
            .collect();
        self.replace(Table {
            owners,
            anchors: nodes.to_vec(),
            is_sharded: false,
            is_cluster: false,
        });
    }

    async fn look_up_cluster(&self, seeds: &[Address]) {
        for seed in seeds {
            self.node(seed);
        }
        let nodes: Vec<Arc<Node>> = self.shared.nodes.lock().values().cloned().collect();
        let views = join_all(nodes.iter().map(|node| async move {
            let live = node.live_now()?;
            timeout(VIEW_TIMEOUT, view_of(live, &node.address))
                .await
                .ok()?
        }));
        let best = views
            .await
            .into_iter()
            .flatten()
            .max_by_key(|view| (view.is_ok, view.epoch, view.ranges.len()));
        if let Some(best) = best.filter(|view| !view.ranges.is_empty()) {
            self.adopt(&best, seeds);
        }
    }

    fn adopt(&self, view: &View, seeds: &[Address]) {
        let before = Arc::clone(&self.shared.table.borrow());
        let served_at = |slot: u16| {
            let mut ranges = view.ranges.iter();
            let range = ranges.find(|(first, last, _)| (*first..=*last).contains(&slot));
            range.map(|(_, _, address)| self.node(address))
        };
        let owners = (0..self.layout().partitions()).filter_map(|partition| {
            let owner = served_at(self.layout().slot(partition));
            owner.or_else(|| before.owner(partition).cloned())
        });
        self.replace(Table {
            owners: owners.collect(),
            anchors: served_at(slot_of(agreement::TAG)).into_iter().collect(),
            is_sharded: view.has_shards,
            is_cluster: true,
        });
        self.keep_nodes(|address| {
            seeds.contains(address) || view.ranges.iter().any(|(_, _, owner)| owner == address)
        });
    }

    /// Takes a table, if it says something new.
    fn replace(&self, table: Table) {
        self.shared.table.send_if_modified(|known| {
            let is_same = known.is_sharded == table.is_sharded
                && are_same(&known.owners, &table.owners)
                && are_same(&known.anchors, &table.anchors);
            if !is_same {
                *known = Arc::new(table);
            }
            !is_same
        });
    }

    /// A node said that another one serves this partition.
    pub(super) fn moved(&self, partition: u16, address: &str) {
        self.doubt();
        let Some(node) = self.node_named(address) else {
            return;
        };
        let mut table = Table::clone(&self.shared.table.borrow());
        if let Some(owner) = table.owners.get_mut(usize::from(partition)) {
            *owner = node;
            self.replace(table);
        }
    }

    /// The node that a server calls by this address.
    pub(super) fn node_named(&self, address: &str) -> Option<Arc<Node>> {
        let (host, port) = address.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return None;
        }
        let address = Address::Tcp {
            host: host.into(),
            port: port.parse().ok()?,
        };
        Some(self.node(&address))
    }
}

impl Shared {
    /// Whether it is known who serves what.
    fn is_known(&self) -> bool {
        !self.table.borrow().owners.is_empty()
    }

    fn is_cluster(&self) -> bool {
        self.table.borrow().is_cluster
    }
}

fn are_same(known: &[Arc<Node>], now: &[Arc<Node>]) -> bool {
    known.len() == now.len()
        && known
            .iter()
            .zip(now)
            .all(|(one, other)| Arc::ptr_eq(one, other))
}

async fn view_of(mut live: Live, asked: &Address) -> Option<View> {
    let mut ask = pipe();
    for what in ["INFO", "SLOTS"] {
        let mut command = cmd("CLUSTER");
        command.arg(what);
        ask.add_command(command);
    }
    let mut answers = live
        .connection
        .send_packed_commands(&ask, 0, 2)
        .await
        .ok()?;
    let slots = answers.pop()?;
    let info: String = redis::from_redis_value(answers.pop()?.extract_error().ok()?).ok()?;
    Some(View {
        is_ok: field(&info, "cluster_state") == Some("ok"),
        epoch: field(&info, "cluster_current_epoch")?.parse().ok()?,
        ranges: ranges_of(slots, asked)?,
        has_shards: live.facts.has_shards,
    })
}

fn ranges_of(slots: Value, asked: &Address) -> Option<Vec<(u16, u16, Address)>> {
    let Value::Array(ranges) = slots else {
        return None;
    };
    let mut found = Vec::with_capacity(ranges.len());
    for range in ranges {
        let Value::Array(range) = range else {
            return None;
        };
        let mut range = range.into_iter();
        let first: u16 = redis::from_redis_value(range.next()?).ok()?;
        let last: u16 = redis::from_redis_value(range.next()?).ok()?;
        let Some(Value::Array(primary)) = range.next() else {
            return None;
        };
        let mut primary = primary.into_iter();
        let host: Option<String> = redis::from_redis_value(primary.next()?).ok()?;
        let port: u16 = redis::from_redis_value(primary.next()?).ok()?;
        found.push((first, last, owner_at(host, port, asked)?));
    }
    Some(found)
}

/// A node that does not know its own name is where it was asked.
fn owner_at(host: Option<String>, port: u16, asked: &Address) -> Option<Address> {
    let host = host.filter(|host| !host.is_empty() && host != "?");
    match (host, asked) {
        (Some(host), _) => Some(Address::Tcp {
            host: host.into(),
            port,
        }),
        (None, Address::Tcp { host, .. }) => Some(Address::Tcp {
            host: Arc::clone(host),
            port,
        }),
        (None, Address::Unix { .. }) => None,
    }
}
