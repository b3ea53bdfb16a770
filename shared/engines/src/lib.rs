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
use gyre_engine::{Engine, Error, Inlet, Statuses};
use gyre_engine_memory::{MemoryEngine, MemoryStatuses, Swept};
use gyre_engine_redis::{Options, OptionsError, RedisEngine, TlsClients};
use gyre_fetch::TlsError;
use gyre_runtime::process::Failure;
use gyre_runtime::{Clock, Tasks};
use gyre_store::Exclusions;
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
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Options(_) | OpenError::Tls { .. } | OpenError::Several => {
                Self::bad_configuration(error)
            }
            OpenError::NotThere(_) => Self::failed(error),
        }
    }
}

/// Opens the engine of section `engine`, and what sections `broker` and `presence_manager` put in the
/// place of its parts. It hands over to `inlet`. What it does besides runs on
/// `tasks`.
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
    clock: &Clock,
    tasks: &Tasks,
) -> Result<Opened, OpenError> {
    let (main, broker, presence) = sources(config);
    let is_there = matches!(config.broker.r#type, BrokerType::Memory | BrokerType::Redis);
    if config.broker.enabled && !is_there {
        tracing::warn!("broker.type is one that is not there yet: the broker of `engine` is used");
    }
    let opener = Opener {
        clock,
        tasks,
        statuses: &config.user_status,
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
    Ok(Opened {
        engine: Engine {
            broker: of_broker.engine.broker,
            presence: of_presence.engine.presence,
            registry: of_main.engine.registry,
        },
        statuses: opener.statuses_elsewhere()?.or(of_main.statuses),
    })
}

/// A kind of engine and its options.
#[derive(Clone, Copy)]
struct Source<'a> {
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
    let source = |kind, redis| Source { kind, redis };
    let (broker, presence) = (&config.broker, &config.presence_manager);
    let main = source(config.engine.r#type, &config.engine.redis);
    let of_broker = match broker.r#type {
        BrokerType::Memory => source(EngineType::Memory, &broker.redis),
        BrokerType::Redis => source(EngineType::Redis, &broker.redis),
        BrokerType::Nats | BrokerType::Postgres | BrokerType::RedisNats => main,
    };
    let of_presence = source(presence.r#type, &presence.redis);
    (
        main,
        if broker.enabled { of_broker } else { main },
        if presence.enabled { of_presence } else { main },
    )
}

/// Opens engines.
struct Opener<'a> {
    clock: &'a Clock,
    tasks: &'a Tasks,
    statuses: &'a UserStatus,
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
        let statuses = RedisEngine::open_statuses(options, self.clock, self.tasks);
        Ok(Some(statuses))
    }

    async fn open<I: Inlet>(&self, source: Source<'_>, inlet: Arc<I>) -> Result<Opened, OpenError> {
        let is_kept = self.statuses.enabled;
        match source.kind {
            EngineType::Memory => {
                let now = self.clock.clone();
                let memory = MemoryEngine::open(inlet, move || now.now());
                let engine = memory.engine();
                self.tasks.spawn_background("engine sweep", sweep(memory));
                let statuses = is_kept.then(|| memory_statuses(self.statuses, self.clock));
                Ok(Opened { engine, statuses })
            }
            EngineType::Redis => {
                let options = redis_options(source.redis, self.statuses)?;
                let redis = RedisEngine::open(options, inlet, self.clock, self.tasks);
                if source.redis.fail_at_start {
                    redis.ready().await.map_err(OpenError::NotThere)?;
                }
                Ok(Opened {
                    engine: redis.engine(),
                    statuses: is_kept.then(|| redis.statuses()),
                })
            }
        }
    }
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
) -> Result<Arc<dyn Exclusions>, OpenError> {
    let is_elsewhere = !section.cluster_address.is_empty() || !section.sentinel_address.is_empty();
    if section.address.len() > 1 && !is_elsewhere {
        return Err(OpenError::Several);
    }
    let options = redis_options(&section.as_engine(), &UserStatus::default())?;
    let table = gyre_engine_redis::Table::open(options, tasks);
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

    #[tokio::test]
    async fn presence_may_live_elsewhere() {
        let (clock, tasks) = (Clock::fixed(UnixMillis(1)), Tasks::default());
        let mut config = Config::default();
        config.presence_manager.enabled = true;
        config.presence_manager.r#type = EngineType::Redis;
        // Nobody listens there.
        config.presence_manager.redis.address = vec!["127.0.0.1:1".to_owned()];
        let engine = open(&config, Arc::new(()), &clock, &tasks).await;
        let engine = engine.unwrap().engine;
        let channel = ChannelName::new("news").unwrap();
        assert!(!engine.broker.features().cross_node);
        let members = engine.presence.members(&channel).await;
        assert!(matches!(members, Err(Error::Unavailable { .. })));
        assert!(check_apart(&config).is_err());
        tasks.stop(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn a_broker_may_live_elsewhere() {
        let (clock, tasks) = (Clock::fixed(UnixMillis(1)), Tasks::default());
        let mut config = Config::default();
        config.broker.enabled = true;
        config.broker.r#type = BrokerType::Redis;
        // Nobody listens there.
        config.broker.redis.address = vec!["127.0.0.1:1".to_owned()];
        let engine = open(&config, Arc::new(()), &clock, &tasks).await;
        let engine = engine.unwrap().engine;
        let channel = ChannelName::new("news").unwrap();
        assert!(engine.broker.features().cross_node);
        let history = engine.broker.history(&channel, HistoryQuery::default());
        assert!(matches!(history.await, Err(Error::Unavailable { .. })));
        assert!(engine.presence.members(&channel).await.is_ok());
        tasks.stop(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn a_start_without_redis_fails_if_it_is_said() {
        let (clock, tasks) = (Clock::fixed(UnixMillis(1)), Tasks::default());
        for fails in [false, true] {
            let mut config = Config::default();
            config.engine.r#type = EngineType::Redis;
            config.engine.redis.address = vec!["127.0.0.1:1".to_owned()];
            config.engine.redis.io_timeout = Millis(100);
            config.engine.redis.fail_at_start = fails;
            let opened = open(&config, Arc::new(()), &clock, &tasks).await;
            let is_refused = matches!(opened, Err(OpenError::NotThere(_)));
            assert_eq!(is_refused, fails);
        }
        tasks.stop(Duration::ZERO).await;
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_given_back_though_nobody_reads() {
        let (clock, tasks) = (Clock::fixed(UnixMillis(1)), Tasks::default());
        let watcher = Arc::<Watcher>::default();
        let config = Config::default();
        let opened = open(&config, Arc::clone(&watcher), &clock, &tasks);
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
