//! One fault after the other.

use std::time::Duration;

use crate::servers::{Cluster, PRIMARIES, Server, until};
use crate::world::{Redis, World};

/// How long it runs before and after a fault.
const WHILE: Duration = Duration::from_millis(1500);

/// What may happen to an installation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    KillPrimary,
    KillPrimaryAheadOfItsReplica,
    PauseNode,
    KillGateway,
    KillApi,
    CutSubscribers,
    MoveSlots,
    StopAll,
}

impl Fault {
    pub(crate) const OF_A_CLUSTER: [Self; 8] = [
        Self::KillPrimary,
        Self::KillPrimaryAheadOfItsReplica,
        Self::PauseNode,
        Self::KillGateway,
        Self::KillApi,
        Self::CutSubscribers,
        Self::MoveSlots,
        Self::StopAll,
    ];

    /// Lets it happen, and undoes what has to be undone.
    pub(crate) async fn happen(self, world: &mut World, index: usize) {
        println!("{self:?} {index}");
        match self {
            Self::KillPrimary => kill_primary(world, index).await,
            Self::KillPrimaryAheadOfItsReplica => kill_ahead(world, index).await,
            Self::PauseNode => {
                let servers = world.redis.servers();
                let server = &servers[index % servers.len()];
                server.pause();
                tokio::time::sleep(Duration::from_secs(4)).await;
                server.resume();
            }
            Self::KillGateway => {
                let gateway = &mut world.gateways[index % 2];
                gateway.kill();
                tokio::time::sleep(WHILE).await;
                tokio::task::block_in_place(|| gateway.start_again());
            }
            Self::KillApi => {
                let api = &mut world.apis[index % 2];
                api.kill();
                tokio::time::sleep(WHILE).await;
                tokio::task::block_in_place(|| api.start_again());
            }
            Self::CutSubscribers => {
                for server in world.redis.servers() {
                    let _: redis::RedisResult<i64> =
                        server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
                }
            }
            Self::MoveSlots => move_slots(world, index).await,
            Self::StopAll => stop_all(world).await,
        }
    }
}

async fn primary(world: &mut World, index: usize) -> usize {
    let servers = world.redis.servers();
    for turn in 0..servers.len() {
        let at = (index + turn) % servers.len();
        if servers[at].info("replication", "role").await == "master" {
            return at;
        }
    }
    panic!("nobody is a primary");
}

async fn kill_primary(world: &mut World, index: usize) {
    let at = primary(world, index).await;
    let servers = world.redis.servers();
    servers[at].kill();
    tokio::time::sleep(Duration::from_secs(4)).await;
    servers[at].start_again().await;
}

/// Its replica is stopped a second before, and goes on when the primary is gone.
async fn kill_ahead(world: &mut World, index: usize) {
    let at = primary(world, index).await;
    let servers = world.redis.servers();
    let mut replicas = Vec::new();
    for (other, server) in servers.iter().enumerate() {
        let of = server.info("replication", "master_port").await;
        if of.trim() == servers[at].port.to_string() {
            replicas.push(other);
        }
    }
    for replica in &replicas {
        // It stays a replica, and takes nothing more.
        servers[*replica].pause();
    }
    tokio::time::sleep(Duration::from_millis(900)).await;
    servers[at].kill();
    for replica in &replicas {
        servers[*replica].resume();
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    servers[at].start_again().await;
}

/// Moves slots with keys from one primary to another while they are used.
async fn move_slots(world: &mut World, index: usize) {
    let from = primary(world, index).await;
    let to = primary(world, from + 1).await;
    if from == to {
        return;
    }
    let servers = world.redis.servers();
    let mut cli = tokio::process::Command::new("redis-cli");
    let [source, target] = [from, to].map(|at| servers[at].port);
    let mut ids = Vec::new();
    for at in [from, to] {
        ids.push(servers[at].run::<String>(&["CLUSTER", "MYID"]).await);
    }
    cli.args(["--cluster", "reshard", &format!("127.0.0.1:{target}")]);
    cli.args(["--cluster-from", &ids[0], "--cluster-to", &ids[1]]);
    cli.args(["--cluster-slots", "400", "--cluster-yes"]);
    let output = cli.output().await.unwrap();
    if !output.status.success() {
        println!(
            "reshard from {source}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

async fn stop_all(world: &mut World) {
    for server in world.redis.servers() {
        server.kill();
    }
    tokio::time::sleep(WHILE).await;
    for server in world.redis.servers() {
        server.start_again().await;
    }
}

async fn one_by_one(redis: Redis, faults: &[Fault]) {
    let mut world = World::start(redis).await;
    for (index, fault) in faults.iter().enumerate() {
        world.go_on(WHILE).await;
        fault.happen(&mut world, index).await;
    }
    world.go_on(WHILE).await;
    world.end(&format!("{faults:?}")).await;
}

macro_rules! on_a_cluster {
    ($($name:ident $fault:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
            async fn $name() {
                let cluster = Cluster::start().await;
                assert_eq!(cluster.servers.len(), PRIMARIES * 2);
                one_by_one(Redis::Cluster(cluster), &[Fault::$fault]).await;
            }
        )*
    };
}

on_a_cluster! {
    a_primary_is_killed KillPrimary;
    a_primary_ahead_of_its_replica_is_killed KillPrimaryAheadOfItsReplica;
    a_node_is_paused PauseNode;
    a_gateway_is_killed KillGateway;
    an_api_is_killed KillApi;
    subscribing_connections_are_cut CutSubscribers;
    slots_move MoveSlots;
    the_cluster_is_stopped_and_started StopAll;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn one_server_is_paused_cut_and_started_again() {
    let server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]).await;
    until("it answers", || async {
        server.ask::<()>(&["PING"]).await.is_ok()
    })
    .await;
    let faults = [
        Fault::CutSubscribers,
        Fault::PauseNode,
        Fault::KillGateway,
        Fault::StopAll,
    ];
    one_by_one(Redis::One(server), &faults).await;
}
