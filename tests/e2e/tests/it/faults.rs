//! One fault after the other.

use std::time::Duration;

use crate::network;
use crate::outage::Outage;
use crate::servers::{Cluster, PRIMARIES, Server, until};
use crate::world::{Redis, World};

/// How long it runs before and after a fault.
const WHILE: Duration = Duration::from_millis(1500);

/// How long a node is missing: its replica takes over within it.
const FAILOVER: Duration = Duration::from_secs(4);

/// What may happen to an installation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// A Redis node is missing for a while.
    Lose(Loss),
    KillGateway,
    KillApi,
    CutSubscribers,
    MoveSlots,
    StopAll,
    /// Cut off from Redis.
    PartGateway,
    /// Cut off from Redis.
    PartApi,
}

/// How a node is lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Loss {
    Kill,
    /// Its replica lacks the last second.
    KillAheadOfItsReplica,
    /// Of any node; all others are of primaries.
    Pause,
    /// Cut off from everybody.
    Part,
    /// Cut off from the other Redis nodes, not from who publishes and subscribes.
    PartFromPeers,
}

impl Fault {
    pub(crate) const OF_A_CLUSTER: [Self; 8] = [
        Self::Lose(Loss::Kill),
        Self::Lose(Loss::KillAheadOfItsReplica),
        Self::Lose(Loss::Pause),
        Self::KillGateway,
        Self::KillApi,
        Self::CutSubscribers,
        Self::MoveSlots,
        Self::StopAll,
    ];

    /// Those that take a network of one's own.
    pub(crate) const OF_A_NETWORK: [Self; 4] = [
        Self::Lose(Loss::Part),
        Self::Lose(Loss::PartFromPeers),
        Self::PartGateway,
        Self::PartApi,
    ];

    /// Lets it happen, and undoes what has to be undone.
    pub(crate) async fn happen(self, world: &mut World, index: usize) {
        println!("{self:?} {index}");
        match self {
            Self::Lose(loss) => {
                let at = match loss {
                    Loss::Pause => index % world.redis.servers().len(),
                    Loss::Kill | Loss::KillAheadOfItsReplica | Loss::Part | Loss::PartFromPeers => {
                        primary(world, index).await
                    }
                };
                loss.happen(world, at).await;
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
                world.outage = Some(Outage::begin(&world.judge));
                for server in world.redis.servers() {
                    let _: redis::RedisResult<i64> =
                        server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
                }
            }
            Self::MoveSlots => move_slots(world, index).await,
            Self::StopAll => stop_all(world).await,
            Self::PartGateway => {
                network::part_from_redis(world.gateways[index % 2].port);
                until_healed().await;
            }
            Self::PartApi => {
                network::part_from_redis(world.apis[index % 2].port);
                until_healed().await;
            }
        }
    }
}

impl Loss {
    /// A node is missing for a while; if it is a primary, its replica takes over.
    async fn happen(self, world: &mut World, at: usize) {
        let replicas = replicas_of(world, at).await;
        let ahead = self == Self::KillAheadOfItsReplica;
        if ahead {
            for replica in &replicas {
                // It stays a replica, and takes nothing more.
                world.redis.servers()[*replica].pause();
            }
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
        let mut outage = Outage::begin(&world.judge);
        if !replicas.is_empty() {
            outage.concerns(&world.redis.servers()[at]).await;
        }
        self.take_away(&mut world.redis.servers_mut()[at]);
        if ahead {
            for replica in &replicas {
                world.redis.servers()[*replica].resume();
            }
        }
        let servers = world.redis.servers();
        let replicas: Vec<&Server> = replicas.iter().map(|index| &servers[*index]).collect();
        outage.pass(FAILOVER, &replicas).await;
        self.give_back(&mut world.redis.servers_mut()[at]).await;
        world.outage = Some(outage);
    }

    fn take_away(self, server: &mut Server) {
        match self {
            Self::Kill | Self::KillAheadOfItsReplica => server.kill(),
            Self::Pause => server.pause(),
            Self::Part => network::isolate(&server.host),
            Self::PartFromPeers => network::part_from_peers(&server.host),
        }
    }

    async fn give_back(self, server: &mut Server) {
        match self {
            Self::Kill | Self::KillAheadOfItsReplica => server.start_again().await,
            Self::Pause => server.resume(),
            Self::Part | Self::PartFromPeers => network::heal(),
        }
    }
}

async fn primary(world: &World, index: usize) -> usize {
    let servers = world.redis.servers();
    for turn in 0..servers.len() {
        let at = (index + turn) % servers.len();
        if servers[at].info("replication", "role").await == "master" {
            return at;
        }
    }
    panic!("nobody is a primary");
}

async fn replicas_of(world: &World, at: usize) -> Vec<usize> {
    let servers = world.redis.servers();
    let mut replicas = Vec::new();
    for (other, server) in servers.iter().enumerate() {
        let of = server.info("replication", "master_port").await;
        if of.trim() == servers[at].port.to_string() {
            replicas.push(other);
        }
    }
    replicas
}

async fn until_healed() {
    tokio::time::sleep(FAILOVER).await;
    network::heal();
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
    let [source, target] = [from, to].map(|at| servers[at].address());
    let mut ids = Vec::new();
    for at in [from, to] {
        ids.push(servers[at].run::<String>(&["CLUSTER", "MYID"]).await);
    }
    cli.args(["--cluster", "reshard", &target]);
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
    for server in world.redis.servers_mut() {
        server.kill();
    }
    tokio::time::sleep(WHILE).await;
    for server in world.redis.servers_mut() {
        server.start_again().await;
    }
}

pub(crate) async fn one_by_one(redis: Redis, faults: &[Fault]) {
    let mut world = World::start(redis).await;
    for (index, fault) in faults.iter().enumerate() {
        world.go_on(WHILE).await;
        fault.happen(&mut world, index).await;
    }
    world.go_on(WHILE).await;
    if let ([_], Some(outage)) = (faults, &world.outage) {
        outage.end(&world.judge);
    }
    world.end(&format!("{faults:?}")).await;
}

macro_rules! on_a_cluster {
    ($($name:ident: $fault:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
            async fn $name() {
                let cluster = Cluster::start().await;
                assert_eq!(cluster.servers.len(), PRIMARIES * 2);
                one_by_one(Redis::Cluster(cluster), &[$fault]).await;
            }
        )*
    };
}

on_a_cluster! {
    a_primary_is_killed: Fault::Lose(Loss::Kill);
    a_primary_ahead_of_its_replica_is_killed: Fault::Lose(Loss::KillAheadOfItsReplica);
    a_primary_is_paused: Fault::Lose(Loss::Pause);
    a_gateway_is_killed: Fault::KillGateway;
    an_api_is_killed: Fault::KillApi;
    subscribing_connections_are_cut: Fault::CutSubscribers;
    slots_move: Fault::MoveSlots;
    the_cluster_is_stopped_and_started: Fault::StopAll;
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
        Fault::Lose(Loss::Pause),
        Fault::KillGateway,
        Fault::StopAll,
    ];
    one_by_one(Redis::One(server), &faults).await;
}
