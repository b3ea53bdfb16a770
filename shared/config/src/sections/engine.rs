//! `engine`: where publications, history and presence live.

use crate::sections::tls::Tls;
use crate::tree::options;
use crate::values::{Millis, Secret, keyword};

options! {
    /// The engine behind all channels.
    pub struct Engine {
        /// Which engine.
        r#type: EngineType = EngineType::Memory;
        /// Redis, if that is the engine.
        redis: Redis;
    }
}

keyword! {
    /// Kinds of engines.
    pub enum EngineType = Memory {
        /// In the memory of this process: one node, nothing outlives it.
        Memory = "memory",
        /// On Redis, Sentinel or Redis Cluster: any number of nodes.
        Redis = "redis"
    }
}

options! {
    /// A Redis that the processes of one installation share.
    pub struct Redis {
        /// What the names of all keys and channels begin with. Installations on one Redis need
        /// different ones.
        prefix: String = "gyre".to_owned();
        /// Where Redis is: `host:port`, `redis://user:password@host:port/db`, `rediss://` with TLS,
        /// `redis+cluster://host:port?addr=host:port`,
        /// `redis+sentinel://host:port?sentinel_master_name=name&addr=host:port`, `unix://path`. A
        /// single address of a cluster's node is enough for its cluster. Several addresses of single
        /// servers share the channels among them; their order must be the same everywhere.
        address: Vec<String> = vec!["redis://127.0.0.1:6379".to_owned()];
        /// Longest wait for a connection. Unit: duration.
        connect_timeout: Millis = Millis::from_secs(1);
        /// Longest wait for an operation, all attempts together; then it failed, or nobody knows.
        /// Unit: duration.
        io_timeout: Millis = Millis::from_secs(4);
        /// Longest silence of a server that publications are received from before the connection
        /// counts as lost. Unit: duration.
        heartbeat_timeout: Millis = Millis(500);
        /// Fails the start if Redis does not answer within `io_timeout`. Otherwise the process starts,
        /// says so, and waits.
        fail_at_start: bool;
        /// Number of the database; a cluster has only 0.
        db: u16;
        /// User (Redis ACL). Empty: the default one.
        user: String;
        /// Password. Empty: none is given.
        password: Secret;
        /// Name that connections give themselves, as `CLIENT LIST` shows it. Empty: none.
        client_name: String;
        /// Nodes of a Redis Cluster: any of them. Goes before `address`.
        cluster_address: Vec<String>;
        /// TLS towards Redis.
        tls: Tls;
        /// Sentinels: any of them. Goes before `address`.
        sentinel_address: Vec<String>;
        /// User towards sentinels. Empty: the default one.
        sentinel_user: String;
        /// Password towards sentinels. Empty: none is given.
        sentinel_password: Secret;
        /// Name of the primary that sentinels are asked for.
        sentinel_master_name: String;
        /// Name that connections to sentinels give themselves. Empty: none.
        sentinel_client_name: String;
        /// TLS towards sentinels.
        sentinel_tls: Tls;
        /// Partitions that channels are spread over: many more than there will ever be nodes. It must
        /// be the same everywhere, and cannot be changed without losing history.
        partitions: u16 = 256, 1 to 16384;
        /// Bus channels of each partition. A node hears all of a bus channel in which it has a
        /// subscriber: more of them mean less traffic to each of many nodes, and more to subscribe.
        /// It must be the same everywhere.
        bus_channels: u16 = 64, 1 to 65535;
        /// How long the members of a node that died are still in their channels. Unit: duration.
        presence_ttl: Millis = Millis::from_secs(60);
        /// How long a gateway that died is still listed. Unit: duration.
        gateway_ttl: Millis = Millis::from_secs(10);
        /// Replicas that must have a publication with history before it is acknowledged. Set it to the
        /// number of replicas that each primary has, and no acknowledged publication is lost in a
        /// failover. 0: none.
        wait_replicas: u32;
        /// Longest wait for them; then nobody knows the outcome. Unit: duration.
        wait_timeout: Millis = Millis::from_secs(1);
    }
}
