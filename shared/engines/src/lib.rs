//! Opens the engine that the configuration names; the only crate that knows them all.
//!
//! Which names there are is known to the configuration, which refuses any other with its place and
//! what is allowed.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use gyre_config::engine::{Engine as Options, EngineType};
use gyre_config::{Config, UserStatus};
use gyre_engine::{Engine, Inlet, Statuses};
use gyre_engine_memory::{MemoryEngine, MemoryStatuses, Swept};
use gyre_runtime::{Clock, Tasks};
use gyre_types::Now;
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval};

/// How often the memory engine gives back what is over. Nothing depends on it but memory.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Why an engine could not be opened.
///
/// Memory can always be: nothing stands here until an engine has to be reached.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {}

/// Opens the engine of section `engine`, which hands over to `inlet`. What it does besides runs on
/// `tasks`.
///
/// # Errors
///
/// [`OpenError`].
///
/// # Panics
///
/// Outside of a tokio runtime.
pub fn open<I: Inlet>(
    options: &Options,
    inlet: Arc<I>,
    clock: &Clock,
    tasks: &Tasks,
) -> Result<Engine, OpenError> {
    match options.r#type {
        EngineType::Memory => {
            let clock = clock.clone();
            let memory = MemoryEngine::open(inlet, move || clock.now());
            let engine = memory.engine();
            tasks.spawn_background("engine sweep", sweep(memory));
            Ok(engine)
        }
    }
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
    if config.engine.r#type == EngineType::Memory && !config.links.without_bus {
        return Err(NoBus);
    }
    Ok(())
}

/// Opens the statuses of section `user_status`; `None` if they are not kept.
#[must_use]
pub fn statuses(options: &UserStatus, clock: &Clock) -> Option<Arc<dyn Statuses>> {
    if !options.enabled {
        return None;
    }
    let clock = clock.clone();
    let kept = options.expire_interval.duration().unwrap_or(Duration::MAX);
    Some(Arc::new(MemoryStatuses::new(kept, move || clock.now())))
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

    use gyre_engine::{Delivered, Publish, PublishOptions, Retention};
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

    #[tokio::test(start_paused = true)]
    async fn memory_is_given_back_though_nobody_reads() {
        let (clock, tasks) = (Clock::fixed(UnixMillis(1)), Tasks::default());
        let watcher = Arc::<Watcher>::default();
        let engine = open(&Options::default(), Arc::clone(&watcher), &clock, &tasks).unwrap();
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
