//! The engine under test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gyre_config::engine::Redis;
use gyre_engine::conformance::{Recorder, Subject};
use gyre_engine::{BoxFuture, Engine, Inlet};
use gyre_engine_redis::{Metrics, Options, RedisEngine, TlsClients};
use gyre_runtime::{Clock, Tasks};
use gyre_telemetry::Registry;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::sleep;

/// One process's engine; its tasks end with it.
pub(crate) struct Opened {
    pub(crate) engine: Engine,
    pub(crate) redis: RedisEngine,
    tasks: Tasks,
}

impl Opened {
    pub(crate) fn new<I: Inlet>(section: &Redis, inlet: Arc<I>) -> Self {
        let options =
            Options::new(section, &TlsClients::default(), Duration::from_secs(3600)).unwrap();
        Self::with(options, inlet)
    }

    pub(crate) fn with<I: Inlet>(options: Options, inlet: Arc<I>) -> Self {
        let tasks = Tasks::default();
        let metrics = Metrics::new(&Registry::new("gyre").unwrap()).unwrap();
        let redis = RedisEngine::open(options, inlet, &Clock::start(), &tasks, &metrics);
        Self {
            engine: redis.engine(),
            redis,
            tasks,
        }
    }

    pub(crate) async fn close(self) {
        self.tasks.stop(Duration::ZERO).await;
    }
}

/// Opens engines one after the other, each with a prefix that nobody used.
pub(crate) struct Real {
    section: Redis,
    opened: Mutex<Option<Opened>>,
}

/// A section with a prefix of its own.
pub(crate) fn section(change: impl FnOnce(&mut Redis)) -> Redis {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut section = Redis {
        prefix: format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        ..Redis::default()
    };
    change(&mut section);
    section
}

impl Real {
    pub(crate) const fn section(&self) -> &Redis {
        &self.section
    }

    pub(crate) fn new(section: Redis) -> Self {
        Self {
            section,
            opened: Mutex::default(),
        }
    }
}

impl Subject for Real {
    fn open(&self, inlet: Arc<Recorder>) -> BoxFuture<'_, Engine> {
        Box::pin(async move {
            let mut opened = self.opened.lock().await;
            if let Some(before) = opened.take() {
                before.close().await;
            }
            let prefix = section(|_| {}).prefix;
            let section = Redis {
                prefix,
                ..self.section.clone()
            };
            let now = Opened::new(&section, inlet);
            now.redis.ready().await.unwrap();
            let engine = now.engine.clone();
            *opened = Some(now);
            engine
        })
    }

    fn advance(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(sleep(time))
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
        let running = Handle::current().spawn(task);
        Box::pin(async move { running.await.unwrap() })
    }

    fn patience(&self) -> BoxFuture<'_, ()> {
        Box::pin(sleep(Duration::from_secs(20)))
    }
}
