//! Opens the engine that the configuration names; the only crate that knows them all.
//!
//! Which names there are is known to the configuration, which refuses any other with its place and
//! what is allowed.

#![forbid(unsafe_code)]

mod exclusions;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gyre_config::access::StorageRedis;
use gyre_config::engine::{BrokerType, EngineType, Redis};
use gyre_config::tls::Tls;
use gyre_config::user_status::StatusRedis;
use gyre_config::{Config, UserStatus};
use gyre_engine::{ChannelOutbox, Engine, Error, Inlet, Statuses};
use gyre_engine_memory::{MemoryEngine, MemoryStatuses, Swept};
pub use gyre_engine_redis::Metrics;
use gyre_engine_redis::{Disagreement, Options, OptionsError, RedisEngine, Servers, TlsClients};
use gyre_fetch::TlsError;
use gyre_runtime::process::Failure;
use gyre_runtime::{Clock, Parts, Tasks};
use gyre_store::Exclusions;
use gyre_telemetry::Registry;
use gyre_telemetry::metrics::Error as RegisterError;
use gyre_types::Now;
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval};

/// How often the memory engine gives back what is over. Nothing depends on it but memory.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// What was opened.
#[derive(Clone)]
pub struct Opened {
    /// The engine.
    pub engine: Engine,
    /// The statuses of section `user_status`; `None` if they are not kept.
    pub statuses: Option<Arc<dyn Statuses>>,
    /// Which channels are in use by any gateway; `None`: there are no others, and the store keeps it.
    pub channels: Option<Arc<dyn ChannelOutbox>>,
    /// What is counted of Redis: see [`on_redis`].
    pub metrics: Metrics,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

/// Why an engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Section `engine.redis` cannot be used.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// TLS of section `engine.redis` cannot be used.
    #[error("{section}")]
    Tls {
        /// Which settings.
        section: &'static str,
        /// Why.
        #[source]
        source: TlsError,
    },
    /// A table is in one place.
    #[error("a storage is one server, one cluster or one primary: give one address")]
    Several,
    /// Redis does not answer, and `engine.redis.fail_at_start` says that it must.
    #[error("redis does not answer at start")]
    NotThere(#[source] Error),
    /// Processes that run have other settings for the same Redis.
    #[error("{section}")]
    Disagreement {
        /// Which settings.
        section: &'static str,
        /// What is different.
        #[source]
        source: Disagreement,
    },
    /// Another part of the process has registered one of the metrics.
    #[error(transparent)]
    Metrics(#[from] RegisterError),
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Options(_)
            | OpenError::Tls { .. }
            | OpenError::Several
            | OpenError::Disagreement { .. } => Self::bad_configuration(error),
            OpenError::NotThere(_) | OpenError::Metrics(_) => Self::failed(error),
        }
    }
}

/// Opens the engine of section `engine`, and what sections `broker` and `presence_manager` put in the
/// place of its parts. It hands over to `inlet`. What it does besides runs on the tasks of `parts`, whose
/// readiness then depends on it.
///
/// # Errors
///
/// [`OpenError`].
///
/// # Panics
///
/// Outside of a tokio runtime.
///
/// # Cancel safety
///
/// What was opened before runs on until `tasks` stop.
pub async fn open<I: Inlet>(
    config: &Config,
    inlet: Arc<I>,
    parts: &Parts,
) -> Result<Opened, OpenError> {
    let (main, broker, presence) = sources(config);
    let is_there = matches!(config.broker.r#type, BrokerType::Memory | BrokerType::Redis);
    if config.broker.enabled && !is_there {
        tracing::warn!("broker.type is one that is not there yet: the broker of `engine` is used");
    }
    let mut opener = Opener {
        parts,
        statuses: &config.user_status,
        metrics: Metrics::new(&parts.registry)?,
        opened: Vec::new(),
    };
    let of_broker = opener.open(broker, inlet).await?;
    let of_main = if main.is(broker) {
        of_broker.clone()
    } else {
        opener.open(main, Arc::new(())).await?
    };
    let of_presence = if presence.is(main) {
        of_main.clone()
    } else if presence.is(broker) {
        of_broker.clone()
    } else {
        opener.open(presence, Arc::new(())).await?
    };
    let elsewhere = opener.statuses_elsewhere()?;
    show_servers(opener.opened, &parts.registry)?;
    Ok(Opened {
        engine: Engine {
            broker: of_broker.engine.broker,
            presence: of_presence.engine.presence,
            registry: of_main.engine.registry,
        },
        statuses: elsewhere.or(of_main.statuses),
        channels: of_main.channels,
        metrics: opener.metrics,
    })
}

/// A kind of engine and its options.
#[derive(Clone, Copy)]
struct Source<'a> {
    /// Where its options stand.
    section: &'static str,
    kind: EngineType,
    redis: &'a Redis,
}

impl Source<'_> {
    /// Whether both are the same engine.
    fn is(self, other: Source<'_>) -> bool {
        self.kind == other.kind && (self.kind == EngineType::Memory || self.redis == other.redis)
    }
}

/// The engine, what takes the place of its broker, and what takes that of its presence.
fn sources(config: &Config) -> (Source<'_>, Source<'_>, Source<'_>) {
    let source = |section, kind, redis| Source {
        section,
        kind,
        redis,
    };
    let (broker, presence) = (&config.broker, &config.presence_manager);
    let main = source("engine.redis", config.engine.r#type, &config.engine.redis);
    let of_broker = match broker.r#type {
        BrokerType::Memory => source("broker.redis", EngineType::Memory, &broker.redis),
        BrokerType::Redis => source("broker.redis", EngineType::Redis, &broker.redis),
        BrokerType::Nats | BrokerType::Postgres | BrokerType::RedisNats => main,
    };
    let of_presence = source("presence_manager.redis", presence.r#type, &presence.redis);
    (
        main,
        if broker.enabled { of_broker } else { main },
        if presence.enabled { of_presence } else { main },
    )
}

/// Opens engines.
struct Opener<'a> {
    parts: &'a Parts,
    statuses: &'a UserStatus,
    metrics: Metrics,
    /// Those on Redis.
    opened: Vec<RedisEngine>,
}

impl Opener<'_> {
    /// Statuses on a Redis of their own, if the configuration names one.
    fn statuses_elsewhere(&self) -> Result<Option<Arc<dyn Statuses>>, OpenError> {
        let StatusRedis {
            reuse_from_engine,
            server,
        } = &self.statuses.redis;
        if !self.statuses.enabled || *reuse_from_engine || !server.names_a_server() {
            return Ok(None);
        }
        let options = redis_options(&server.as_engine(), self.statuses)?;
        let statuses = RedisEngine::open_statuses(
            options,
            &self.parts.clock,
            &self.parts.tasks,
            &self.metrics,
        );
        Ok(Some(statuses))
    }

    async fn open<I: Inlet>(
        &mut self,
        source: Source<'_>,
        inlet: Arc<I>,
    ) -> Result<Opened, OpenError> {
        let is_kept = self.statuses.enabled;
        let Parts { clock, tasks, .. } = self.parts;
        match source.kind {
            EngineType::Memory => {
                let now = clock.clone();
                let memory = MemoryEngine::open(inlet, move || now.now());
                let engine = memory.engine();
                tasks.spawn_background("engine sweep", sweep(memory));
                let statuses = is_kept.then(|| memory_statuses(self.statuses, clock));
                Ok(Opened {
                    engine,
                    statuses,
                    channels: None,
                    metrics: self.metrics.clone(),
                })
            }
            EngineType::Redis => {
                let options = redis_options(source.redis, self.statuses)?;
                let redis = RedisEngine::open(options, inlet, clock, tasks, &self.metrics);
                let section = source.section;
                let agreed = redis.agreed().await;
                agreed.map_err(|source| OpenError::Disagreement { section, source })?;
                if source.redis.fail_at_start {
                    redis.ready().await.map_err(OpenError::NotThere)?;
                }
                let health = redis.clone();
                let readiness = &self.parts.readiness;
                readiness.depend(section, move || health.health());
                self.opened.push(redis.clone());
                Ok(Opened {
                    engine: redis.engine(),
                    statuses: is_kept.then(|| redis.statuses()),
                    channels: Some(redis.channels()),
                    metrics: self.metrics.clone(),
                })
            }
        }
    }
}

/// Shows how many Redis servers there are, and how many of them are away.
fn show_servers(opened: Vec<RedisEngine>, registry: &Registry) -> Result<(), RegisterError> {
    let opened = Arc::new(opened);
    let sum = |engines: &[RedisEngine], count: fn(Servers) -> usize| -> f64 {
        let all = engines.iter().map(|one| count(one.servers()));
        f64::from(u32::try_from(all.sum::<usize>()).unwrap_or(u32::MAX))
    };
    let engines = Arc::clone(&opened);
    registry.gauge_from(
        "redis_servers",
        "Redis servers that serve something, as far as they are known.",
        move || sum(&engines, |servers| servers.known),
    )?;
    registry.gauge_from(
        "redis_servers_away",
        "Those of them that cannot be reached, or take no writes.",
        move || sum(&opened, |servers| servers.away),
    )
}

/// What opens the Redis of a section that keeps exclusions there, for [`gyre_store::open`].
pub fn on_redis<'a>(
    tasks: &'a Tasks,
    metrics: &'a Metrics,
) -> impl Fn(&StorageRedis) -> gyre_store::OpenedOnRedis + Sync + 'a {
    |section| Ok(open_exclusions(section, tasks, metrics)?)
}

/// What keeps exclusions on the Redis of a section. It connects by itself.
///
/// # Errors
///
/// The section cannot be used.
///
/// # Panics
///
/// Outside of a tokio runtime.
pub fn open_exclusions(
    section: &StorageRedis,
    tasks: &Tasks,
    metrics: &Metrics,
) -> Result<Arc<dyn Exclusions>, OpenError> {
    let is_elsewhere = !section.cluster_address.is_empty() || !section.sentinel_address.is_empty();
    if section.address.len() > 1 && !is_elsewhere {
        return Err(OpenError::Several);
    }
    let options = redis_options(&section.as_engine(), &UserStatus::default())?;
    let table = gyre_engine_redis::Table::open(options, tasks, metrics);
    Ok(Arc::new(exclusions::OnRedis(table)))
}

/// The engine keeps everything in one process, and the processes run apart.
#[derive(Debug, thiserror::Error)]
#[error(
    "engine.type memory keeps publications within one process: use a shared engine, or gyre, which is everything in one process (links.without_bus lets them run anyway)"
)]
pub struct NoBus;

/// Whether processes may run apart on the engine that the configuration names.
///
/// # Errors
///
/// [`NoBus`], unless `links.without_bus` says that this is meant.
pub fn check_apart(config: &Config) -> Result<(), NoBus> {
    let (main, broker, _) = sources(config);
    let is_in_memory = [main.kind, broker.kind].contains(&EngineType::Memory);
    if is_in_memory && !config.links.without_bus {
        return Err(NoBus);
    }
    Ok(())
}

fn memory_statuses(options: &UserStatus, clock: &Clock) -> Arc<dyn Statuses> {
    let clock = clock.clone();
    Arc::new(MemoryStatuses::new(kept(options), move || clock.now()))
}

fn kept(options: &UserStatus) -> Duration {
    options.expire_interval.duration().unwrap_or(Duration::MAX)
}

fn redis_options(section: &Redis, statuses: &UserStatus) -> Result<Options, OpenError> {
    let client = |section, tls: &Tls| {
        let config = gyre_fetch::tls_client_config(tls);
        config
            .map(|config| Some(Arc::new(config)))
            .map_err(|source| OpenError::Tls { section, source })
    };
    let tls = TlsClients {
        redis: client("engine.redis.tls", &section.tls)?,
        sentinel: client("engine.redis.sentinel_tls", &section.sentinel_tls)?,
    };
    Ok(Options::new(section, &tls, kept(statuses))?)
}

async fn sweep<I, C>(memory: MemoryEngine<I, C>)
where
    I: Inlet,
    C: Fn() -> Now + Send + Sync + 'static,
{
    let mut turns = interval(SWEEP_INTERVAL);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        while memory.sweep() == Swept::Some {
            yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use gyre_config::Millis;
    use gyre_engine::{Delivered, HistoryQuery, Publish, PublishOptions, Retention};
    use gyre_protocol::messages::{ClientInfo, Publication};
    use gyre_runtime::Identity;
    use gyre_types::{ChannelName, UnixMillis};
    use parking_lot::Mutex;
    use tokio::time::sleep;

    use super::*;

    /// Looks at the last publication without keeping it.
    #[derive(Default)]
    struct Watcher(Mutex<Weak<Publication>>);

    impl Inlet for Watcher {
        fn on_publication(&self, _channel: &ChannelName, delivered: Delivered) {
            *self.0.lock() = Arc::downgrade(&delivered.publication);
        }

        fn on_join(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {}

        fn on_leave(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {}

        fn on_gap(&self, _channel: &ChannelName) {}
    }

    fn parts() -> Parts {
        let registry = Registry::new("gyre").unwrap();
        Parts {
            clock: Clock::fixed(UnixMillis(1)),
            ..Parts::new(registry, Identity::new("engines", "0"))
        }
    }

    #[tokio::test]
    async fn presence_may_live_elsewhere() {
        let parts = parts();
        let mut config = Config::default();
        config.presence_manager.enabled = true;
        config.presence_manager.r#type = EngineType::Redis;
        // Nobody listens there.
        config.presence_manager.redis.address = vec!["127.0.0.1:1".to_owned()];
        let engine = open(&config, Arc::new(()), &parts).await;
        let engine = engine.unwrap().engine;
        let channel = ChannelName::new("news").unwrap();
        assert!(!engine.broker.features().cross_node);
        let members = engine.presence.members(&channel).await;
        assert!(matches!(members, Err(Error::Unavailable { .. })));
        assert!(check_apart(&config).is_err());
        parts.tasks.stop(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn a_broker_may_live_elsewhere() {
        let parts = parts();
        let mut config = Config::default();
        config.broker.enabled = true;
        config.broker.r#type = BrokerType::Redis;
        // Nobody listens there.
        config.broker.redis.address = vec!["127.0.0.1:1".to_owned()];
        let engine = open(&config, Arc::new(()), &parts).await;
        let engine = engine.unwrap().engine;
        let channel = ChannelName::new("news").unwrap();
        assert!(engine.broker.features().cross_node);
        let history = engine.broker.history(&channel, HistoryQuery::default());
        assert!(matches!(history.await, Err(Error::Unavailable { .. })));
        assert!(engine.presence.members(&channel).await.is_ok());
        parts.tasks.stop(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn a_start_without_redis_fails_if_it_is_said() {
        for fails in [false, true] {
            let parts = parts();
            let mut config = Config::default();
            config.engine.r#type = EngineType::Redis;
            config.engine.redis.address = vec!["127.0.0.1:1".to_owned()];
            config.engine.redis.io_timeout = Millis(100);
            config.engine.redis.fail_at_start = fails;
            let opened = open(&config, Arc::new(()), &parts).await;
            let is_refused = matches!(opened, Err(OpenError::NotThere(_)));
            assert_eq!(is_refused, fails);
            parts.tasks.stop(Duration::ZERO).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_given_back_though_nobody_reads() {
        let parts = parts();
        let watcher = Arc::<Watcher>::default();
        let config = Config::default();
        let opened = open(&config, Arc::clone(&watcher), &parts);
        let engine = opened.await.unwrap().engine;
        let retention = Retention {
            size: 1,
            ttl: Duration::from_secs(60),
            meta_ttl: None,
        };
        let publish = Publish {
            publication: &Publication::default(),
            options: PublishOptions {
                retention: Some(retention),
                ..PublishOptions::default()
            },
        };
        let channel = ChannelName::new("news").unwrap();
        engine.broker.publish(&channel, publish).await.unwrap();

        sleep(Duration::from_secs(59)).await;
        assert_eq!(watcher.0.lock().strong_count(), 1);
        sleep(Duration::from_secs(3)).await;
        assert_eq!(watcher.0.lock().strong_count(), 0);
    }
}
