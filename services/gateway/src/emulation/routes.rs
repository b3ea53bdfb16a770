use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::RandomState;
use gyre_links::Directory;
use gyre_proto::gateway::EmulateRequest;
use gyre_proto::gateway::gateway_service_client::GatewayServiceClient;
use gyre_rpc::{Link, with_deadline};
use gyre_types::Uptime;
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::admission::Bucket;

/// Longest wait for another gateway. Three seconds: clients wait five for the answer to a command.
const FORWARD_WAIT_MAX: Duration = Duration::from_secs(3);

/// Nodes that are looked for in a second. Anybody may name a node, and each that is not known costs the
/// other gateways a call.
const LOOKUPS_PER_SECOND: usize = 10;

/// Gateways that are remembered. 1024: far more than there are; those that went are forgotten with the
/// first call that fails.
const KNOWN_MAX: usize = 1024;

/// Why commands did not reach their gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lost {
    /// There is no such gateway, or nobody had time to look for it.
    Unknown,
    /// It has not answered.
    Unanswered,
}

/// The ways to the gateways that hold the connections which are meant.
#[derive(Debug)]
pub(crate) struct Routes {
    directory: Directory,
    known: Mutex<HashMap<String, Link, RandomState>>,
    lookups: Mutex<Bucket>,
}

impl Routes {
    pub(crate) fn new(directory: Directory) -> Self {
        Self {
            directory,
            known: Mutex::default(),
            lookups: Mutex::new(Bucket::new(LOOKUPS_PER_SECOND)),
        }
    }

    /// Hands a client's commands to the gateway of this id.
    ///
    /// # Errors
    ///
    /// [`Lost`]: the gateway may have got them all the same if it has not answered.
    pub(super) async fn forward(
        &self,
        node: &str,
        session: String,
        data: Bytes,
        now: Uptime,
    ) -> Result<(), Lost> {
        let link = match self.known(node) {
            Some(link) => link,
            None => self.look_up(node, now).await?,
        };
        let mut client = GatewayServiceClient::new(with_deadline(link, FORWARD_WAIT_MAX));
        match client.emulate(EmulateRequest { session, data }).await {
            // Whether there is such a session is none of the asker's business.
            Ok(_found) => Ok(()),
            Err(status) => {
                tracing::debug!(node, %status, "commands were not forwarded");
                self.known.lock().remove(node);
                Err(Lost::Unanswered)
            }
        }
    }

    fn known(&self, node: &str) -> Option<Link> {
        self.known.lock().get(node).cloned()
    }

    async fn look_up(&self, node: &str, now: Uptime) -> Result<Link, Lost> {
        if !self.lookups.lock().take(now) {
            return Err(Lost::Unknown);
        }
        let found = self.directory.find(node).await.ok_or(Lost::Unknown)?;
        let mut known = self.known.lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(node.to_owned(), found.link.clone());
        Ok(found.link)
    }
}
