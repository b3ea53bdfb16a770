//! Processes that share a Redis and a prefix have to agree on where things lie: with other numbers they
//! would publish where nobody listens. Whoever comes first says so on Redis, and holds it as long as
//! anybody lives; whoever differs is told, and does nothing.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{Address, Link, Node, jittered};
use crate::scripts::Script;

/// How often it is said again.
const RENEW_INTERVAL: Duration = Duration::from_secs(5);

/// How often it is tried while it is not known: servers are being connected to.
const UNKNOWN_INTERVAL: Duration = Duration::from_millis(50);

/// How long it holds after the last process ended. Four times as long as it takes to say it again.
const TTL: Duration = Duration::from_secs(20);

/// Longest wait for one server. Nobody waits for it but the start.
const ASK_WAIT_MAX: Duration = Duration::from_secs(1);

/// Tag of the key: the same whatever the number of partitions.
pub(crate) const TAG: &str = "0";

/// Whether this process may take part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Agreement {
    /// Some servers have not answered yet.
    Unknown,
    /// All agree.
    Reached,
    /// Others have other settings.
    Failed(Arc<str>),
}

/// What a server answered.
enum Answer {
    Same,
    Other(String),
    Nothing,
}

/// Says it again and again, until the engine is gone.
pub(super) async fn run(link: Link, sender: watch::Sender<Agreement>) {
    let mut tables = link.tables();
    loop {
        let anchors = tables.borrow_and_update().anchors.clone();
        note(&sender, ask_all(&link, &anchors).await);
        let pause = match *sender.borrow() {
            Agreement::Unknown => UNKNOWN_INTERVAL,
            Agreement::Reached | Agreement::Failed(_) => jittered(RENEW_INTERVAL),
        };
        tokio::select! {
            changed = tables.changed() => if changed.is_err() { return },
            () = sleep(pause) => {}
            () = sender.closed() => return,
        }
    }
}

/// Takes what was found; silence does not take back what was said.
fn note(sender: &watch::Sender<Agreement>, found: Agreement) {
    if found == Agreement::Unknown || *sender.borrow() == found {
        return;
    }
    if let Agreement::Failed(reason) = &found {
        tracing::error!(%reason, "redis is not used");
    }
    sender.send_replace(found);
}

async fn ask_all(link: &Link, anchors: &[Arc<Node>]) -> Agreement {
    let mut same = 0;
    for (index, node) in anchors.iter().enumerate() {
        let own = settings(link, index + 1, anchors.len());
        match ask(link, node, &own).await {
            Answer::Same => same += 1,
            Answer::Nothing => {}
            Answer::Other(other) => {
                return Agreement::Failed(told(link, &node.address, &own, &other).into());
            }
        }
    }
    if same > 0 && same == anchors.len() {
        Agreement::Reached
    } else {
        Agreement::Unknown
    }
}

/// What has to be the same everywhere.
fn settings(link: &Link, number: usize, count: usize) -> String {
    let options = link.options();
    format!(
        "partitions={} bus_channels={} server={number}/{count}",
        options.partitions, options.bus_channels
    )
}

fn told(link: &Link, address: &Address, own: &str, other: &str) -> String {
    let prefix = &link.options().prefix;
    format!(
        "processes that use the redis at {address} with the prefix {prefix:?} have {other}, this one has {own}: \
         engine.redis.partitions, bus_channels and the order of address must be the same in all of them, or prefix \
         another; a change takes effect when all have been stopped for {} s",
        TTL.as_secs()
    )
}

async fn ask(link: &Link, node: &Node, own: &str) -> Answer {
    let Some(mut live) = node.live_now().filter(|live| live.facts.is_primary) else {
        return Answer::Nothing;
    };
    let key = format!("{}:layout:{{{TAG}}}", link.options().prefix);
    let mut command = link.shared.scripts.by_hash(Script::Agree);
    command.arg(1).arg(key).arg(own).arg(TTL.as_secs());
    let asked = live.connection.send_packed_command(&command);
    let answer = timeout(ASK_WAIT_MAX, asked).await;
    match answer.map(|answer| answer.and_then(Value::extract_error)) {
        Ok(Ok(Value::BulkString(other))) if other.is_empty() => Answer::Same,
        Ok(Ok(Value::BulkString(other))) => {
            Answer::Other(String::from_utf8_lossy(&other).into_owned())
        }
        // It is elsewhere now, or away: asked again soon.
        Ok(Ok(_) | Err(_)) | Err(_) => Answer::Nothing,
    }
}
