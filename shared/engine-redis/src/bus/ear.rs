use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use gyre_engine::Inlet;
use redis::aio::{AsyncPushSender, MultiplexedConnection, SendError};
use redis::{PushInfo, PushKind, RedisResult, Value, cmd};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::Bus;
use crate::layout::Place;
use crate::link::{Address, BackOff, Opened, Table};

/// How often lines that are still not heard are asked for again.
const REPEAT_INTERVAL: Duration = Duration::from_millis(500);
/// How often lines without subscribers are looked for: they are let go at the second time.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Names in one command at most.
const NAMES_MAX: usize = 1000;

/// Takes what arrives on one connection. Called by the connection's driver, in order.
struct Ear<I> {
    bus: Arc<Bus<I>>,
    id: u64,
}

impl<I: Inlet> AsyncPushSender for Ear<I> {
    fn send(&self, info: PushInfo) -> Result<(), SendError> {
        let mut data = info.data.into_iter();
        let Some(Value::BulkString(name)) = data.next() else {
            return Ok(());
        };
        let name = std::str::from_utf8(&name).ok();
        let Some(place) = name.and_then(|name| self.bus.link.layout().place_of(name)) else {
            return Ok(());
        };
        if matches!(info.kind, PushKind::SMessage | PushKind::Message) {
            if let Some(Value::BulkString(text)) = data.next() {
                self.bus.message(self.id, place, &Bytes::from(text));
            }
        } else if matches!(info.kind, PushKind::SSubscribe | PushKind::Subscribe) {
            self.bus.heard(self.id, place);
        } else if matches!(info.kind, PushKind::SUnsubscribe | PushKind::Unsubscribe) {
            self.bus.unheard(self.id, place);
        }
        Ok(())
    }
}

/// Listens to a node as long as it serves something.
pub(super) async fn listen<I: Inlet>(bus: Arc<Bus<I>>, address: Address) {
    let mut back_off = BackOff::new();
    let mut tables = bus.link.tables();
    loop {
        let serving = Serving::at(&address, &tables.borrow_and_update());
        let Some(serving) = serving else {
            bus.ears.lock().remove(&address);
            // The table may have changed back in between; then nobody else begins.
            let is_needed = Serving::at(&address, &tables.borrow_and_update()).is_some();
            if is_needed && bus.ears.lock().insert(address.clone()) {
                continue;
            }
            return;
        };
        let ended = hold(&bus, &address, serving, &mut tables, &mut back_off).await;
        if let Some(reason) = ended {
            bus.link.metrics().connections_lost.inc();
            tracing::warn!(%address, reason, "publications cannot be received from redis");
            bus.link.doubt();
            back_off.wait().await;
        }
    }
}

/// What a node serves.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Serving {
    partitions: BTreeSet<u16>,
    is_sharded: bool,
}

impl Serving {
    fn at(address: &Address, table: &Table) -> Option<Self> {
        Some(Self {
            partitions: table.by_node().remove(address)?.into_iter().collect(),
            is_sharded: table.is_sharded,
        })
    }
}

/// Connects and listens until the connection is lost, which gives a reason, or not needed any more.
async fn hold<I: Inlet>(
    bus: &Arc<Bus<I>>,
    address: &Address,
    serving: Serving,
    tables: &mut watch::Receiver<Arc<Table>>,
    back_off: &mut BackOff,
) -> Option<String> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let push = Arc::new(Ear {
        bus: Arc::clone(bus),
        id,
    });
    let Opened { connection, driver } = match bus.link.connector().open(address, Some(push)).await {
        Ok(opened) => opened,
        Err(error) => return Some(error.to_string()),
    };
    let mut listening = Listening {
        bus,
        id,
        connection: connection.clone(),
        serving,
        sent: FuturesUnordered::new(),
    };
    let ended = tokio::select! {
        () = listening.run(address, tables, back_off) => None,
        reason = beat(connection, bus.link.options().heartbeat_timeout) => Some(reason),
        () = driver => Some("the server closed the connection".to_owned()),
    };
    drop(listening);
    bus.deaf(id);
    ended
}

/// Asks for a sign of life all the time; ends when none comes.
async fn beat(mut connection: MultiplexedConnection, silence: Duration) -> String {
    let (pause, patience) = (silence.mul_f64(0.3), silence.mul_f64(0.6));
    let mut was_late = false;
    loop {
        sleep(pause).await;
        let asked = Instant::now();
        match timeout(patience, connection.send_packed_command(&cmd("PING"))).await {
            Ok(Ok(_)) => was_late = false,
            Ok(Err(error)) => return error.to_string(),
            // Was it we who slept? Then the answer may lie there unread.
            Err(_) if !was_late && asked.elapsed() > patience * 2 => was_late = true,
            Err(_) => return format!("no sign of life for {silence:?}"),
        }
    }
}

/// Commands on the way: each is confirmed by what arrives, so only errors are looked at.
type Sent = std::pin::Pin<Box<dyn Future<Output = RedisResult<Value>> + Send>>;

struct Listening<'b, I> {
    bus: &'b Arc<Bus<I>>,
    id: u64,
    connection: MultiplexedConnection,
    serving: Serving,
    sent: FuturesUnordered<Sent>,
}

impl<I: Inlet> Listening<'_, I> {
    /// Asks for what is wanted, until the node serves nothing any more.
    async fn run(
        &mut self,
        address: &Address,
        tables: &mut watch::Receiver<Arc<Table>>,
        back_off: &mut BackOff,
    ) {
        let mut wishes = self.bus.wishes.subscribe();
        let mut repeat = ticking(REPEAT_INTERVAL);
        let mut sweep = ticking(SWEEP_INTERVAL);
        self.ask_for_all();
        loop {
            tokio::select! {
                _ = wishes.changed() => self.ask_for_wanted(),
                changed = tables.changed() => {
                    let serving = Serving::at(address, &tables.borrow_and_update());
                    match serving {
                        Some(serving) if changed.is_ok() => self.serve(serving),
                        _ => return,
                    }
                }
                _ = repeat.tick() => self.ask_for_all(),
                _ = sweep.tick() => self.sweep(),
                Some(answer) = self.sent.next(), if !self.sent.is_empty() => {
                    match answer.and_then(Value::extract_error) {
                        Ok(_) => *back_off = BackOff::new(),
                        Err(error) => {
                            tracing::debug!(%address, %error, "a subscription was refused");
                            self.bus.link.doubt();
                        }
                    }
                }
            }
        }
    }

    /// Asks for every line that is not heard here, in all partitions of the node.
    fn ask_for_all(&mut self) {
        for partition in self.serving.partitions.clone() {
            self.ask_for(partition);
        }
    }

    /// Asks for lines in partitions where somebody waits.
    fn ask_for_wanted(&mut self) {
        let wanted: Vec<u16> = {
            let mut wanted = self.bus.wanted.lock();
            let own = wanted.intersection(&self.serving.partitions);
            let own: Vec<u16> = own.copied().collect();
            for partition in &own {
                wanted.remove(partition);
            }
            own
        };
        for partition in wanted {
            self.ask_for(partition);
        }
    }

    fn ask_for(&mut self, partition: u16) {
        let lines = self
            .bus
            .partitions
            .get(usize::from(partition))
            .map(|lines| lines.lock().not_heard_by(self.id))
            .unwrap_or_default();
        self.send("SSUBSCRIBE", "SUBSCRIBE", partition, &lines);
    }

    /// Lets go of lines that nobody here wants any more.
    fn sweep(&mut self) {
        for partition in self.serving.partitions.clone() {
            let Some(lines) = self.bus.partitions.get(usize::from(partition)) else {
                continue;
            };
            let idle = lines.lock().sweep(self.id);
            self.send("SUNSUBSCRIBE", "UNSUBSCRIBE", partition, &idle);
        }
    }

    /// The node serves other partitions than before. Those that it lost are heard here until the ear
    /// of their new node is confirmed.
    fn serve(&mut self, serving: Serving) {
        self.serving = serving;
        self.ask_for_all();
    }

    /// One command for each piece of names: they lie in one slot.
    fn send(&mut self, sharded: &str, plain: &str, partition: u16, lines: &[u16]) {
        let name = if self.serving.is_sharded {
            sharded
        } else {
            plain
        };
        for piece in lines.chunks(NAMES_MAX) {
            let mut command = cmd(name);
            for bus in piece {
                command.arg(self.bus.link.layout().bus_channel(Place {
                    partition,
                    bus: *bus,
                }));
            }
            let mut connection = self.connection.clone();
            self.sent.push(Box::pin(async move {
                connection.send_packed_command(&command).await
            }));
        }
    }
}

fn ticking(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
