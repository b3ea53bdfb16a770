//! When users were there: told as they come and go, and while they stay.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gyre_engine::Statuses;
use gyre_protocol::codes::Error;
use gyre_session::{Completion, Refusal, UPDATE_USER_STATUS};
use gyre_types::UserId;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::connections::SHARDS;
use crate::handle::Handle;
use crate::node::Node;

/// Between two tellings that a user is still there. 25 s: readers take less than a minute for «now».
const INTERVAL: Duration = Duration::from_secs(25);

/// Users that wait to be told of. 4096: beyond, the next interval tells of those who stay.
const QUEUE_LEN_MAX: usize = 4096;

/// Users told of at once. 500: some tens of kilobytes.
const BATCH_LEN_MAX: usize = 500;

/// Who tells of users.
#[derive(Debug)]
pub(crate) struct Online {
    statuses: Arc<dyn Statuses>,
    coming: mpsc::Sender<String>,
    /// Taken by the one task that tells.
    queue: Mutex<Option<mpsc::Receiver<String>>>,
}

impl Online {
    pub(crate) fn new(statuses: Arc<dyn Statuses>) -> Self {
        let (coming, queue) = mpsc::channel(QUEUE_LEN_MAX);
        Self {
            statuses,
            coming,
            queue: Mutex::new(Some(queue)),
        }
    }

    async fn tell(&self, users: &[String]) {
        if let Err(error) = self.statuses.appear(users).await {
            tracing::warn!(%error, "users are online and it cannot be noted");
        }
    }
}

/// A connection of this user comes or goes.
pub(crate) fn appear(node: &Node, user: &UserId) {
    if let Some(online) = &node.online
        && !user.is_empty()
    {
        // Full: see the limit.
        let _ = online.coming.try_send(user.as_str().to_owned());
    }
}

/// Tells until it is dropped.
pub(crate) async fn run(node: Arc<Node>) {
    let Some(online) = &node.online else {
        return;
    };
    let taken = online.queue.lock().take();
    let Some(mut queue) = taken else {
        return;
    };
    let mut turns = interval(INTERVAL);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            _ = queue.recv_many(&mut batch, BATCH_LEN_MAX) => {
                online.tell(&batch).await;
                batch.clear();
            }
            _ = turns.tick() => everybody(&node, online).await,
        }
    }
}

async fn everybody(node: &Node, online: &Online) {
    for shard in 0..SHARDS {
        let mut users: Vec<String> = Vec::new();
        node.connections.for_each_in(shard, |handle| {
            // The connections of a user come one after the other.
            if let Some(user) = handle.user()
                && !user.is_empty()
                && users.last().is_none_or(|last| last != user.as_str())
            {
                users.push(user.as_str().to_owned());
            }
        });
        for batch in users.chunks(BATCH_LEN_MAX) {
            online.tell(batch).await;
        }
    }
}

/// Answers a call that is not the backend's.
pub(crate) async fn rpc(node: &Node, handle: &Handle, method: &str) -> Completion {
    let (Some(online), UPDATE_USER_STATUS) = (&node.online, method) else {
        return Completion::Rpc(Err(Refusal::Error(Error::NOT_AVAILABLE)));
    };
    let user = handle.user().map(|user| user.as_str().to_owned());
    let told = online.statuses.act(user.as_slice(), "").await;
    Completion::Rpc(match told {
        Ok(()) => Ok(Bytes::from_static(b"{}")),
        Err(error) => {
            tracing::warn!(%error, "a user is active and it cannot be noted");
            Err(Refusal::Error(Error::INTERNAL))
        }
    })
}
