use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gyre_config::engine::Redis;
use gyre_config::{Millis, Secret};
use rustls::ClientConfig;

use crate::link::{Address, AddressError, Given};

// What stands for spans that are zero or negative: the defaults of the options.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const IO_TIMEOUT: Duration = Duration::from_secs(4);
const HEARTBEAT_TIMEOUT: Duration = Duration::from_millis(500);
const PRESENCE_TTL: Duration = Duration::from_secs(60);
const GATEWAY_TTL: Duration = Duration::from_secs(10);
const WAIT_TIMEOUT: Duration = Duration::from_secs(1);

/// What the engine has to know: section `engine.redis`, with its addresses read.
#[derive(Clone)]
pub struct Options {
    pub(crate) servers: Servers,
    pub(crate) access: Access,
    pub(crate) sentinel_access: Access,
    pub(crate) prefix: String,
    pub(crate) partitions: u16,
    pub(crate) bus_channels: u16,
    pub(crate) connect_timeout: Duration,
    pub(crate) io_timeout: Duration,
    pub(crate) heartbeat_timeout: Duration,
    pub(crate) presence_ttl: Duration,
    pub(crate) gateway_ttl: Duration,
    pub(crate) status_ttl: Duration,
    pub(crate) wait: Option<Wait>,
}

/// Which servers there are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Servers {
    /// Single servers, which share the partitions; one of them alone may turn out to be a cluster.
    Fixed(Vec<Address>),
    /// Whichever server the sentinels call the primary of this name.
    Sentinel {
        sentinels: Vec<Address>,
        primary: String,
    },
    /// A cluster, found through these nodes.
    Cluster(Vec<Address>),
}

/// Who asks, and how.
#[derive(Clone, Default)]
pub(crate) struct Access {
    pub(crate) user: String,
    pub(crate) password: Secret,
    pub(crate) db: i64,
    pub(crate) client_name: String,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// How many replicas must have a publication before it is acknowledged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Wait {
    pub(crate) replicas: u32,
    pub(crate) timeout: Duration,
}

/// TLS as it has to be spoken where an address or an option asks for it.
#[derive(Clone, Default)]
pub struct TlsClients {
    /// Towards Redis: section `engine.redis.tls`.
    pub redis: Option<Arc<ClientConfig>>,
    /// Towards sentinels: section `engine.redis.sentinel_tls`.
    pub sentinel: Option<Arc<ClientConfig>>,
}

/// Why section `engine.redis` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// An address is none.
    #[error("engine.redis address `{address}`: {reason}")]
    Address {
        /// As it was given.
        address: String,
        /// What is wrong.
        reason: AddressError,
    },
    /// Sentinels need to be asked for a name.
    #[error("engine.redis.sentinel_master_name is missing: sentinels have to be asked for a name")]
    NoPrimaryName,
    /// A list of addresses mixes kinds of servers.
    #[error(
        "engine.redis.address: several addresses share the channels between single servers; a cluster or sentinels cannot be one of them"
    )]
    Mixed,
    /// Clusters have one database.
    #[error("engine.redis.db: a Redis Cluster has only database 0")]
    ClusterDb,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("servers", &self.servers)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TlsClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClients").finish_non_exhaustive()
    }
}

impl Options {
    /// Reads section `engine.redis`. Statuses are kept for `status_ttl`.
    ///
    /// # Errors
    ///
    /// [`OptionsError`].
    pub fn new(
        section: &Redis,
        tls: &TlsClients,
        status_ttl: Duration,
    ) -> Result<Self, OptionsError> {
        let given = Addresses::read(section)?;
        let servers = given.clone().servers(section)?;
        let first = given.redis.first();
        let tls_wanted = section.tls.enabled || first.is_some_and(|one| one.tls);
        let access = Access {
            user: given_or(first.map(|one| &*one.user), &section.user),
            password: first.filter(|one| !one.password.is_empty()).map_or_else(
                || section.password.clone(),
                |one| Secret::new(&one.password),
            ),
            db: first
                .and_then(|one| one.db)
                .unwrap_or_else(|| i64::from(section.db)),
            client_name: section.client_name.clone(),
            tls: tls_wanted.then(|| tls.redis.clone()).flatten(),
        };
        let sentinel_tls = section.sentinel_tls.enabled || given.sentinel_tls;
        let sentinel_access = Access {
            user: given_or(first.map(|one| &*one.sentinel_user), &section.sentinel_user),
            password: first
                .filter(|one| !one.sentinel_password.is_empty())
                .map_or_else(
                    || section.sentinel_password.clone(),
                    |one| Secret::new(&one.sentinel_password),
                ),
            db: 0,
            client_name: section.sentinel_client_name.clone(),
            tls: sentinel_tls.then(|| tls.sentinel.clone()).flatten(),
        };
        if matches!(servers, Servers::Cluster(_)) && access.db != 0 {
            return Err(OptionsError::ClusterDb);
        }
        Ok(Self {
            servers,
            access,
            sentinel_access,
            prefix: section.prefix.clone(),
            partitions: section.partitions,
            bus_channels: section.bus_channels,
            connect_timeout: first
                .and_then(|one| one.connect_timeout)
                .unwrap_or_else(|| or(section.connect_timeout, CONNECT_TIMEOUT)),
            io_timeout: first
                .and_then(|one| one.io_timeout)
                .unwrap_or_else(|| or(section.io_timeout, IO_TIMEOUT)),
            heartbeat_timeout: or(section.heartbeat_timeout, HEARTBEAT_TIMEOUT),
            presence_ttl: or(section.presence_ttl, PRESENCE_TTL),
            gateway_ttl: or(section.gateway_ttl, GATEWAY_TTL),
            status_ttl,
            wait: (section.wait_replicas > 0).then(|| Wait {
                replicas: section.wait_replicas,
                timeout: or(section.wait_timeout, WAIT_TIMEOUT),
            }),
        })
    }
}

/// The addresses of a section, read.
#[derive(Clone)]
struct Addresses {
    /// Of Redis, or of sentinels where an address says so.
    redis: Vec<Given>,
    sentinels: Vec<Address>,
    cluster: Vec<Address>,
    sentinel_tls: bool,
}

impl Addresses {
    fn read(section: &Redis) -> Result<Self, OptionsError> {
        let read = |list: &[String]| -> Result<Vec<Given>, OptionsError> {
            let parsed = list.iter().map(|text| {
                Given::parse(text).map_err(|reason| OptionsError::Address {
                    address: Given::without_secrets(text),
                    reason,
                })
            });
            parsed.collect()
        };
        let redis = read(&section.address)?;
        let sentinels = read(&section.sentinel_address)?;
        let cluster = read(&section.cluster_address)?;
        let all = |given: Vec<Given>| given.into_iter().flat_map(|one| one.addresses).collect();
        Ok(Self {
            sentinel_tls: sentinels.iter().chain(&redis).any(|one| one.sentinel_tls),
            redis: if sentinels.is_empty() && cluster.is_empty() {
                redis
            } else {
                Vec::new()
            },
            sentinels: all(sentinels),
            cluster: all(cluster),
        })
    }

    fn servers(self, section: &Redis) -> Result<Servers, OptionsError> {
        let named = |name: String| {
            let name = if name.is_empty() {
                section.sentinel_master_name.clone()
            } else {
                name
            };
            if name.is_empty() {
                return Err(OptionsError::NoPrimaryName);
            }
            Ok(name)
        };
        if !self.cluster.is_empty() {
            return Ok(Servers::Cluster(self.cluster));
        }
        if !self.sentinels.is_empty() {
            return Ok(Servers::Sentinel {
                sentinels: self.sentinels,
                primary: named(String::new())?,
            });
        }
        if self.redis.iter().all(Given::is_plain) {
            let addresses = self.redis.into_iter().flat_map(|one| one.addresses);
            return Ok(Servers::Fixed(addresses.collect()));
        }
        let mut given = self.redis.into_iter();
        match (given.next(), given.next()) {
            (Some(one), None) if one.is_cluster => Ok(Servers::Cluster(one.addresses)),
            (Some(one), None) => Ok(Servers::Sentinel {
                primary: named(one.primary)?,
                sentinels: one.addresses,
            }),
            _ => Err(OptionsError::Mixed),
        }
    }
}

fn or(span: Millis, default: Duration) -> Duration {
    span.duration().unwrap_or(default)
}

/// What an address says, or else what the section says.
fn given_or(given: Option<&str>, section: &str) -> String {
    match given {
        Some(given) if !given.is_empty() => given.to_owned(),
        _ => section.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(change: impl FnOnce(&mut Redis)) -> Result<Options, OptionsError> {
        let mut section = Redis::default();
        change(&mut section);
        Options::new(&section, &TlsClients::default(), Duration::from_secs(60))
    }

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp {
            host: host.into(),
            port,
        }
    }

    #[test]
    fn by_default_it_is_one_server_on_this_machine() {
        let options = options(|_| {}).unwrap();
        assert_eq!(
            options.servers,
            Servers::Fixed(vec![tcp("127.0.0.1", 6379)])
        );
        assert_eq!(options.access.db, 0);
        assert!(options.wait.is_none());
    }

    #[test]
    fn what_an_address_says_goes_before_the_section() {
        let options = options(|section| {
            section.address = vec!["redis://me:p%40ss@host:7000/3?io_timeout=2s".to_owned()];
            section.user = "else".to_owned();
        });
        let options = options.unwrap();
        assert_eq!(options.servers, Servers::Fixed(vec![tcp("host", 7000)]));
        assert_eq!(options.access.user, "me");
        assert_eq!(options.access.password.expose(), "p@ss");
        assert_eq!(options.access.db, 3);
        assert_eq!(options.io_timeout, Duration::from_secs(2));
    }

    #[test]
    fn clusters_and_sentinels_are_told_by_address_or_by_option() {
        let cluster = options(|section| {
            section.address = vec!["redis+cluster://a:1?addr=b:2".to_owned()];
        });
        let expected = Servers::Cluster(vec![tcp("a", 1), tcp("b", 2)]);
        assert_eq!(cluster.unwrap().servers, expected);
        let cluster = options(|section| {
            section.cluster_address = vec!["a:1".to_owned(), "b:2".to_owned()];
        });
        assert_eq!(cluster.unwrap().servers, expected);

        let sentinel = options(|section| {
            section.address =
                vec!["redis+sentinel://a:26379?sentinel_master_name=main&addr=b:26379".to_owned()];
        });
        let expected = Servers::Sentinel {
            sentinels: vec![tcp("a", 26_379), tcp("b", 26_379)],
            primary: "main".to_owned(),
        };
        assert_eq!(sentinel.unwrap().servers, expected);
        let sentinel = options(|section| {
            section.sentinel_address = vec!["a:26379".to_owned(), "b:26379".to_owned()];
            section.sentinel_master_name = "main".to_owned();
        });
        assert_eq!(sentinel.unwrap().servers, expected);
    }

    #[test]
    fn several_single_servers_share_the_channels() {
        let options = options(|section| {
            section.address = vec!["a:1".to_owned(), "b:2".to_owned()];
        });
        let expected = Servers::Fixed(vec![tcp("a", 1), tcp("b", 2)]);
        assert_eq!(options.unwrap().servers, expected);
    }

    #[test]
    fn what_cannot_work_is_refused_without_its_secrets() {
        let mixed = options(|section| {
            section.address = vec!["a:1".to_owned(), "redis+cluster://b:2".to_owned()];
        });
        assert!(matches!(mixed, Err(OptionsError::Mixed)));
        let nameless = options(|section| section.sentinel_address = vec!["a:1".to_owned()]);
        assert!(matches!(nameless, Err(OptionsError::NoPrimaryName)));
        let numbered = options(|section| {
            section.cluster_address = vec!["a:1".to_owned()];
            section.db = 2;
        });
        assert!(matches!(numbered, Err(OptionsError::ClusterDb)));
        let broken = options(|section| {
            section.address = vec!["redis://me:secret@host:port".to_owned()];
        });
        let text = broken.unwrap_err().to_string();
        assert!(
            text.contains("host:port") && !text.contains("secret"),
            "{text}"
        );
    }
}
