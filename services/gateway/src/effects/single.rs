//! Users who may have one connection only: the newest closes the others, at whichever gateway they are.
//!
//! What a newcomer would get wrong: two that come to two gateways at the same moment each ask for the end of the
//! other. So while one asks, it gives way only to a greater id; and what it has ended has nothing to say
//! any more, even if its question is still on the way.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use gyre_links::Peer;
use gyre_proto::gateway::NewestRequest;
use gyre_proto::gateway::gateway_service_client::GatewayServiceClient;
use gyre_protocol::codes::Disconnect;
use gyre_session::Control;
use gyre_types::{ChannelName, ClientId, Uptime, UserId};
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::failure;
use crate::control;
use crate::handle::Handle;
use crate::node::Node;

/// Longest wait for another gateway, all tries included. Five seconds, as for other commands.
const ASK_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long it is remembered that a connection has come. Twice as long as its question may take.
const REMEMBERED: Duration = Duration::from_secs(10);

/// Connections that have just come and are to be their users' only ones.
#[derive(Debug, Default)]
pub(crate) struct Singles {
    coming: Mutex<HashMap<ClientId, Coming, foldhash::fast::RandomState>>,
}

#[derive(Debug)]
struct Coming {
    since: Uptime,
    /// It has not been heard by all gateways yet.
    is_asking: bool,
    /// Whom it has ended elsewhere.
    ended: Vec<String>,
}

impl Singles {
    /// A connection comes; called before others can find it.
    pub(crate) fn come(&self, client: &ClientId, now: Uptime) {
        let mut coming = self.coming.lock();
        coming.retain(|_, one| now - one.since < REMEMBERED);
        let one = Coming {
            since: now,
            is_asking: true,
            ended: Vec::new(),
        };
        coming.insert(client.clone(), one);
    }

    /// Whether a connection stays though a newer one has come to another gateway.
    fn stays(&self, own: &ClientId, newest: &str) -> bool {
        let coming = self.coming.lock();
        coming.get(own).is_some_and(|one| {
            let is_void = one.ended.iter().any(|ended| ended == newest);
            is_void || (one.is_asking && own.as_str() > newest)
        })
    }

    /// A gateway has done what a connection asked for.
    fn ended(&self, client: &ClientId, closed: Vec<String>) {
        if let Some(one) = self.coming.lock().get_mut(client) {
            one.ended.extend(closed);
        }
    }

    fn asked(&self, client: &ClientId) {
        if let Some(one) = self.coming.lock().get_mut(client) {
            one.is_asking = false;
        }
    }
}

/// Closes the user's other connections, if the channel's presence shows more than this one. Those who come while the
/// engine answers do the same to this one: each newcomer ends the older ones, and the newest stays.
pub(super) fn close_others(
    node: &Arc<Node>,
    own: &Arc<Handle>,
    user: &UserId,
    channel: ChannelName,
) {
    let mut others = node.connections.of(user);
    others.retain(|other| !Arc::ptr_eq(other, own));
    let tasks = node.tasks.clone();
    let (node, own, user) = (Arc::clone(node), own.client.clone(), user.clone());
    let name = "single connection";
    tasks.spawn(name, gyre_runtime::OnExit::Ignore, async move {
        if has_others(&node, &channel).await {
            others.iter().for_each(|other| close(other));
            ask_others(&node, &user, &own).await;
        }
        node.singles.asked(&own);
    });
}

/// Whether somebody else shows there; if that is not known, it is taken to be so.
async fn has_others(node: &Node, channel: &ChannelName) -> bool {
    match node.engine.presence.stats(channel).await {
        Ok(stats) => stats.clients > 1,
        Err(error) => {
            failure(&error, "presence stats");
            true
        }
    }
}

/// Has every other gateway close the user's connections.
async fn ask_others(node: &Node, user: &UserId, own: &ClientId) {
    let listed = node.directory.all().await;
    let asked = listed.peers.into_iter().map(|peer| async move {
        let Peer { name, link } = peer;
        let client = GatewayServiceClient::new(gyre_rpc::with_deadline(link, ASK_WAIT_MAX));
        let answer = gyre_rpc::repeated(ASK_WAIT_MAX, || {
            let mut client = client.clone();
            let request = NewestRequest {
                user: user.as_str().to_owned(),
                client: own.as_str().to_owned(),
            };
            async move { client.newest(request).await }
        });
        match answer.await {
            Ok(answer) => node.singles.ended(own, answer.closed),
            Err(status) => {
                tracing::warn!(gateway = name, %status, "older connections of a user were not closed");
            }
        }
    });
    join_all(asked).await;
    for name in listed.unanswered {
        tracing::warn!(
            gateway = name,
            "older connections of a user were not closed"
        );
    }
}

/// Closes a user's connections here for one that has come to another gateway; which ones.
pub(crate) fn give_way(node: &Node, user: &UserId, newest: &str) -> Vec<String> {
    let mut closed = Vec::new();
    for other in node.connections.of(user) {
        let client = &other.client;
        if client.as_str() != newest && !node.singles.stays(client, newest) {
            close(&other);
            closed.push(client.as_str().to_owned());
        }
    }
    closed
}

fn close(other: &Handle) {
    let command = Control::Disconnect(Disconnect::CONNECTION_LIMIT);
    // Nobody waits for the outcome.
    drop(control::send(other, command));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two gateways with a connection each, and the questions of these on their way.
    struct Race {
        gateways: [Singles; 2],
        clients: [ClientId; 2],
        is_alive: [bool; 2],
    }

    impl Race {
        fn new(clients: [&str; 2]) -> Self {
            let race = Self {
                gateways: Default::default(),
                clients: clients.map(ClientId::new),
                is_alive: [true; 2],
            };
            for (gateway, client) in race.gateways.iter().zip(&race.clients) {
                gateway.come(client, Uptime::START);
            }
            race
        }

        /// The question of one arrives at the other: what is answered.
        fn ask(&mut self, from: usize) -> Vec<String> {
            let to = 1 - from;
            let stays = self.gateways[to].stays(&self.clients[to], self.clients[from].as_str());
            if stays || !self.is_alive[to] {
                return Vec::new();
            }
            self.is_alive[to] = false;
            vec![self.clients[to].as_str().to_owned()]
        }

        fn answer(&self, to: usize, closed: Vec<String>) {
            self.gateways[to].ended(&self.clients[to], closed);
            self.gateways[to].asked(&self.clients[to]);
        }
    }

    #[test]
    fn of_two_that_come_at_once_one_stays_in_whatever_order() {
        for clients in [["a", "b"], ["b", "a"]] {
            // Both questions arrive before any answer.
            let mut race = Race::new(clients);
            let (first, second) = (race.ask(0), race.ask(1));
            race.answer(0, first);
            race.answer(1, second);
            assert_eq!(race.is_alive.iter().filter(|one| **one).count(), 1);
            // One is through with it before the other's question arrives.
            for from in [0, 1] {
                let mut race = Race::new(clients);
                let closed = race.ask(from);
                race.answer(from, closed);
                let closed = race.ask(1 - from);
                race.answer(1 - from, closed);
                assert_eq!(
                    race.is_alive.iter().filter(|one| **one).count(),
                    1,
                    "{clients:?} {from}"
                );
            }
        }
    }

    #[test]
    fn the_newest_ends_whoever_was_there_before() {
        for clients in [["a", "b"], ["b", "a"]] {
            let mut race = Race::new(clients);
            race.answer(0, Vec::new());
            race.ask(1);
            assert_eq!(race.is_alive, [false, true], "{clients:?}");
        }
    }
}
