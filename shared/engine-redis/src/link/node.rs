use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Address, BackOff, Connector, Facts, Link};
use crate::metrics::Metrics;
use crate::scripts::Scripts;

/// How often a node is asked again what it is. A node that was demoted and promoted again within that
/// time could be taken for the one it was; Redis needs longer for it.
const FACTS_INTERVAL: Duration = Duration::from_millis(500);

/// How long an operation waits for a connection that is lost, before it fails at once.
pub(super) const LOST_PATIENCE: Duration = Duration::from_secs(1);

/// A server, and the connection for commands to it.
pub(crate) struct Node {
    pub(crate) address: Address,
    state: watch::Receiver<State>,
    /// Told when what is known about the server may be out of date.
    doubt: Arc<Notify>,
}

/// A connection, and what is known about the server at its other end.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) facts: Arc<Facts>,
    /// Tells connections apart.
    pub(crate) id: u64,
}

#[derive(Clone)]
enum State {
    There(Live),
    Away { since: Instant, reason: Arc<str> },
}

impl Node {
    /// A node, and what keeps its connection as long as anybody has the node.
    pub(super) fn new(
        address: Address,
        link: &Link,
    ) -> (Arc<Self>, impl Future<Output = ()> + use<>) {
        let (sender, state) = watch::channel(State::Away {
            since: Instant::now(),
            reason: "not connected yet".into(),
        });
        let doubt = Arc::new(Notify::new());
        let keeper = Keeper {
            address: address.clone(),
            doubt: Arc::clone(&doubt),
            connector: link.connector().clone(),
            scripts: link.shared.scripts.clone(),
            patience: link.options().heartbeat_timeout * 2,
            sender,
            link: Arc::downgrade(&link.shared),
            metrics: link.metrics().clone(),
        };
        let node = Self {
            address,
            state,
            doubt,
        };
        (Arc::new(node), keeper.run())
    }

    /// The connection, if there is one at present.
    pub(crate) fn live_now(&self) -> Option<Live> {
        match &*self.state.borrow() {
            State::There(live) => Some(live.clone()),
            State::Away { .. } => None,
        }
    }

    /// Whether operations fail there: it is not reached, and not only for a moment, or takes no writes.
    pub(crate) fn is_away(&self) -> bool {
        match &*self.state.borrow() {
            State::There(live) => !live.facts.is_primary,
            State::Away { since, .. } => since.elapsed() >= LOST_PATIENCE,
        }
    }

    /// Why there is no connection.
    pub(crate) fn reason(&self) -> Option<Arc<str>> {
        match &*self.state.borrow() {
            State::There(_) => None,
            State::Away { reason, .. } => Some(Arc::clone(reason)),
        }
    }

    /// Has the server asked again what it is.
    pub(crate) fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// The connection, as soon as there is one; the reason if that takes too long.
    pub(crate) async fn live(&self, deadline: Instant) -> Result<Live, Arc<str>> {
        let mut state = self.state.clone();
        loop {
            let (since, reason) = match &*state.borrow_and_update() {
                State::There(live) => return Ok(live.clone()),
                State::Away { since, reason } => (*since, Arc::clone(reason)),
            };
            let until = deadline.min(since + LOST_PATIENCE);
            match timeout_at(until, state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(reason),
            }
        }
    }
}

/// Keeps the connection of a node.
struct Keeper {
    address: Address,
    connector: Connector,
    scripts: Scripts,
    patience: Duration,
    sender: watch::Sender<State>,
    link: std::sync::Weak<super::Shared>,
    doubt: Arc<Notify>,
    metrics: Metrics,
}

impl Keeper {
    async fn run(self) {
        let mut back_off = BackOff::new();
        loop {
            let reason = tokio::select! {
                reason = self.hold(&mut back_off) => reason,
                () = self.sender.closed() => return,
            };
            self.lost(&reason);
            tokio::select! {
                () = back_off.wait() => {}
                () = self.sender.closed() => return,
            }
        }
    }

    /// Connects and stays until the connection is lost; the reason.
    async fn hold(&self, back_off: &mut BackOff) -> String {
        let opened = match self.connector.open(&self.address, None).await {
            Ok(opened) => opened,
            Err(error) => return error.to_string(),
        };
        let mut connection = opened.connection;
        let work = async {
            let facts = match timeout(self.patience, self.prepare(&mut connection)).await {
                Ok(Ok(facts)) => facts,
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return format!("no answer within {:?}", self.patience),
            };
            *back_off = BackOff::new();
            self.stay(connection, facts).await
        };
        tokio::select! {
            reason = work => reason,
            () = opened.driver => "the server closed the connection".to_owned(),
        }
    }

    async fn prepare(&self, connection: &mut MultiplexedConnection) -> redis::RedisResult<Facts> {
        let facts = Facts::ask(connection).await?;
        self.scripts.load(connection).await?;
        Ok(facts)
    }

    /// Watches over a connection that works, until it does not.
    async fn stay(&self, mut connection: MultiplexedConnection, mut facts: Facts) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        self.found(&facts);
        loop {
            self.sender.send_replace(State::There(Live {
                connection: connection.clone(),
                facts: Arc::new(facts.clone()),
                id,
            }));
            loop {
                tokio::select! {
                    () = sleep(FACTS_INTERVAL) => {}
                    () = self.doubt.notified() => {}
                }
                let asked = timeout(self.patience, facts.ask_again(&mut connection)).await;
                let now = match asked {
                    Ok(Ok(now)) => now,
                    Ok(Err(error)) => return error.to_string(),
                    Err(_) => return format!("no answer within {:?}", self.patience),
                };
                if now != facts {
                    tracing::info!(address = %self.address, is_primary = now.is_primary, "a redis server changed its role");
                    facts = now;
                    self.doubt();
                    break;
                }
            }
        }
    }

    fn found(&self, facts: &Facts) {
        tracing::info!(
            address = %self.address,
            is_primary = facts.is_primary,
            is_cluster = facts.is_cluster,
            "connected to redis"
        );
        self.doubt();
    }

    /// Says that the connection is lost: once for each time, and when the reason changes.
    fn lost(&self, reason: &str) {
        let before = self.sender.borrow().clone();
        let since = match before {
            State::Away {
                since,
                reason: known,
            } => {
                if *known != *reason {
                    tracing::warn!(address = %self.address, reason, "redis cannot be reached");
                }
                since
            }
            State::There(_) => {
                tracing::warn!(address = %self.address, reason, "the connection to redis is lost");
                self.metrics.connections_lost.inc();
                self.doubt();
                Instant::now()
            }
        };
        self.sender.send_replace(State::Away {
            since,
            reason: reason.into(),
        });
    }

    fn doubt(&self) {
        if let Some(link) = self.link.upgrade() {
            link.doubt.notify_one();
        }
    }
}
