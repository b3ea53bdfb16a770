//! The way to the servers: connections, who serves which partition, and attempts within a deadline.
//!
//! Every node has one connection for commands ([`Node`]), which any number of callers share: what is
//! ready while a write is under way leaves with the next one, so an idle connection waits for nothing
//! and a busy one writes in batches. [`Link`] knows which node serves a partition and follows it when
//! that changes. The crate's own cluster client is not used for it: it repeats by itself what may
//! have been done already, and stops everybody while it looks for one lost node.

mod address;
mod agreement;
mod call;
mod connect;
mod facts;
mod health;
mod node;
mod sentinel;
mod topology;
mod verdict;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use gyre_runtime::Tasks;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use address::AddressError;
pub(crate) use address::{Address, Given};
use agreement::Agreement;
pub(crate) use call::{Repeat, Request};
pub(crate) use connect::{Connector, Opened};
pub(crate) use facts::Facts;
pub use health::{Disagreement, Servers};
pub(crate) use node::{Live, Node};
pub(crate) use topology::Table;

use crate::layout::Layout;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::scripts::Scripts;

/// Parts of the engine that may wait to be begun: nodes and their ears, a few for each server.
const PARTS_WAITING: usize = 4096;

/// What runs beside the operations.
pub(crate) type Part = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The way to the servers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    layout: Arc<Layout>,
    options: Options,
    scripts: Scripts,
    connector: Connector,
    table: watch::Sender<Arc<Table>>,
    nodes: Mutex<BTreeMap<Address, Arc<Node>>>,
    /// Told when the table may be out of date.
    doubt: Notify,
    parts: mpsc::Sender<Part>,
    agreement: watch::Receiver<Agreement>,
    metrics: Metrics,
    begun: Instant,
}

impl Link {
    /// Begins to connect, as one of those that agree on where things lie. What it does besides runs on
    /// `tasks`.
    pub(crate) fn open(
        options: Options,
        layout: Arc<Layout>,
        tasks: &Tasks,
        metrics: &Metrics,
    ) -> Self {
        let (agreed, agreement) = watch::channel(Agreement::Unknown);
        let link = Self::begun(options, layout, tasks, metrics, agreement);
        link.run(agreement::run(link.clone(), agreed));
        link
    }

    /// The same for what lies at one place whatever the settings are.
    pub(crate) fn open_beside(
        options: Options,
        layout: Arc<Layout>,
        tasks: &Tasks,
        metrics: &Metrics,
    ) -> Self {
        let (_, agreement) = watch::channel(Agreement::Reached);
        Self::begun(options, layout, tasks, metrics, agreement)
    }

    fn begun(
        options: Options,
        layout: Arc<Layout>,
        tasks: &Tasks,
        metrics: &Metrics,
        agreement: watch::Receiver<Agreement>,
    ) -> Self {
        let (parts, waiting) = mpsc::channel(PARTS_WAITING);
        tasks.spawn_background("redis", run_parts(waiting));
        let (table, _) = watch::channel(Arc::new(Table::default()));
        let link = Self {
            shared: Arc::new(Shared {
                scripts: Scripts::new(),
                connector: Connector {
                    access: options.access.clone(),
                    connect_timeout: options.connect_timeout,
                },
                layout,
                options,
                table,
                nodes: Mutex::default(),
                doubt: Notify::new(),
                parts,
                agreement,
                metrics: metrics.clone(),
                begun: Instant::now(),
            }),
        };
        link.begin();
        link
    }

    /// Runs a part of the engine until the process ends.
    pub(crate) fn run(&self, part: impl Future<Output = ()> + Send + 'static) {
        if self.shared.parts.try_send(Box::pin(part)).is_err() {
            // The process ends, or has far more servers than it could ever reach.
            tracing::error!("a part of the redis engine could not be begun");
        }
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.shared.layout
    }

    pub(crate) fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Opens connections to Redis.
    pub(crate) fn connector(&self) -> &Connector {
        &self.shared.connector
    }

    /// Who serves what, and how that changes.
    pub(crate) fn tables(&self) -> watch::Receiver<Arc<Table>> {
        self.shared.table.subscribe()
    }

    /// The command that sends a message over the bus.
    pub(crate) fn publish_command(&self) -> &'static str {
        self.shared.table.borrow().publish_command()
    }

    /// Has it looked up soon who serves what.
    pub(crate) fn doubt(&self) {
        self.shared.doubt.notify_one();
    }

    /// Waits until a primary answers, for `io_timeout` at most.
    pub(crate) async fn ready(&self) -> Result<(), gyre_engine::Error> {
        let request = Request {
            partition: 0,
            script: crate::scripts::Script::Ping,
            keys: Vec::new(),
            args: &|_, _| {},
            repeat: Repeat::Freely,
        };
        let deadline = Instant::now() + self.options().io_timeout;
        loop {
            match self.call(&request).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => tokio::time::sleep(BackOff::FIRST).await,
            }
        }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// The node that serves a partition; nobody does for a process that others disagree with.
    fn owner(&self, partition: u16) -> Option<Arc<Node>> {
        if self.disagreement().is_some() {
            return None;
        }
        self.shared.table.borrow().owner(partition).cloned()
    }

    /// The node at an address, connected from the first mention on.
    fn node(&self, address: &Address) -> Arc<Node> {
        let mut nodes = self.shared.nodes.lock();
        if let Some(node) = nodes.get(address) {
            return Arc::clone(node);
        }
        let (node, keeper) = Node::new(address.clone(), self);
        nodes.insert(address.clone(), Arc::clone(&node));
        drop(nodes);
        self.run(keeper);
        node
    }

    /// Lets go of nodes that are not among these.
    fn keep_nodes(&self, is_kept: impl Fn(&Address) -> bool) {
        self.shared
            .nodes
            .lock()
            .retain(|address, _| is_kept(address));
    }
}

/// Runs what is handed in, until nobody can hand in any more.
async fn run_parts(mut waiting: mpsc::Receiver<Part>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            part = waiting.recv() => match part {
                Some(part) => {
                    running.spawn(part);
                }
                None => return,
            },
            Some(ended) = running.join_next(), if !running.is_empty() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a part of the redis engine stopped");
                }
            }
        }
    }
}

/// A span between half of this one and all of it, so that many do not come back at the same moment.
pub(crate) fn jittered(span: Duration) -> Duration {
    let [byte, ..] = uuid::Uuid::new_v4().into_bytes();
    span.mul_f64(0.5 + f64::from(byte) / 512.0)
}

/// How long to wait before the next attempt.
#[derive(Debug)]
pub(crate) struct BackOff {
    next: Duration,
}

impl BackOff {
    const FIRST: Duration = Duration::from_millis(25);
    const LONGEST: Duration = Duration::from_secs(1);

    pub(crate) const fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// Waits, and longer the next time.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(jittered(self.next)).await;
        self.next = (self.next * 2).min(Self::LONGEST);
    }
}
