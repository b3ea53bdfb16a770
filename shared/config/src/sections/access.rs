//! `user_block`, `token_revoke`, `user_tokens_invalidate`: who is kept out, and where that is kept.

use crate::sections::engine::Redis;
use crate::sections::tls::Tls;
use crate::tree::options;
use crate::values::{Millis, Secret, keyword};

options! {
    /// Where the server API's list of blocked users is kept.
    pub struct UserBlock {
        /// Which storage.
        storage_type: AccessStorage = AccessStorage::Embedded;
        /// Redis, if that is the storage.
        redis: StorageRedis;
    }
}

options! {
    /// Where the server API's list of revoked tokens is kept.
    pub struct TokenRevoke {
        /// Which storage.
        storage_type: AccessStorage = AccessStorage::Embedded;
        /// Redis, if that is the storage.
        redis: StorageRedis;
    }
}

options! {
    /// Where it is kept whose older tokens the server API has made void.
    pub struct UserTokensInvalidate {
        /// Which storage.
        storage_type: AccessStorage = AccessStorage::Embedded;
        /// Redis, if that is the storage.
        redis: StorageRedis;
    }
}

options! {
    /// A Redis that keeps a small table: one server, one cluster or one primary.
    pub struct StorageRedis {
        /// What the names of all keys begin with.
        prefix: String = "gyre".to_owned();
        /// Where Redis is, as in `engine.redis.address`, but one only.
        address: Vec<String>;
        /// Longest wait for a connection. Unit: duration.
        connect_timeout: Millis = Millis::from_secs(1);
        /// Longest wait for an operation, all attempts together. Unit: duration.
        io_timeout: Millis = Millis::from_secs(4);
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
    }
}

impl StorageRedis {
    /// Whether it says where Redis is.
    #[must_use]
    pub const fn names_a_server(&self) -> bool {
        !self.address.is_empty()
            || !self.cluster_address.is_empty()
            || !self.sentinel_address.is_empty()
    }

    /// The same as an engine has it; without an address, the default one.
    #[must_use]
    pub fn as_engine(&self) -> Redis {
        let names_a_server = self.names_a_server();
        let default = Redis::default();
        // Whole, so that nothing is forgotten.
        let Self {
            prefix,
            address,
            connect_timeout,
            io_timeout,
            db,
            user,
            password,
            client_name,
            cluster_address,
            tls,
            sentinel_address,
            sentinel_user,
            sentinel_password,
            sentinel_master_name,
            sentinel_client_name,
            sentinel_tls,
        } = self.clone();
        Redis {
            prefix,
            address: if names_a_server {
                address
            } else {
                default.address
            },
            connect_timeout,
            io_timeout,
            db,
            user,
            password,
            client_name,
            cluster_address,
            tls,
            sentinel_address,
            sentinel_user,
            sentinel_password,
            sentinel_master_name,
            sentinel_client_name,
            sentinel_tls,
            ..default
        }
    }
}

keyword! {
    /// Where it is kept who is kept out.
    pub enum AccessStorage = Embedded {
        /// In the file of `storage.sqlite.path`; in memory if there is none.
        Embedded = "embedded",
        /// In memory: a restart forgets it.
        Memory = "memory",
        /// In the PostgreSQL database of section `database`.
        Database = "database",
        /// On the Redis of the section. What survives a failure is what Redis has written to disk.
        Redis = "redis"
    }
}

keyword! {
    /// Where a small table is kept.
    pub enum StorageType = Embedded {
        /// In the file of `storage.sqlite.path`; in memory if there is none.
        Embedded = "embedded",
        /// In memory: a restart forgets it.
        Memory = "memory",
        /// In the PostgreSQL database of section `database`.
        Database = "database"
    }
}
