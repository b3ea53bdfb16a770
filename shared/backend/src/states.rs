//! Which channels are in use, told to the application: at least once, in order per channel.
//!
//! [`ChannelStates`] is told what the hub sees. A channel that nobody has any more is vacated after a
//! while, if nobody came back. What differs from what was last recorded goes to the outbox of the
//! store, from where it is told to the backend until it takes it. So a restart, a backend that is
//! down and a database that is down lose nothing; a state that was over before it could be recorded
//! is left out, since the next one says more.

mod recorder;
mod table;
mod teller;

use std::sync::Arc;
use std::time::Duration;

use gyre_config::Config;
use gyre_engine::{ChannelOutbox, OutboxError};
use gyre_runtime::{Clock, Parts};
use gyre_telemetry::metrics::Error as RegisterError;
use parking_lot::Mutex;
use prometheus::IntGauge;
use tokio::sync::Notify;

use self::recorder::Recorder;
use self::table::Table;
use self::teller::Teller;
use crate::backends::Backends;
use crate::messages::event::Event;

/// How long channels that were in use before a restart wait for their subscribers. 30 s: what clients
/// take at most to come back.
const RETURN_TIME: Duration = Duration::from_secs(30);

/// Channels read at once at start. 1000: a statement of some milliseconds.
const PAGE_LEN: u32 = 1000;

/// The one partition that there is within a process.
const PARTITION: &str = "0";

/// Why channel states cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum StatesError {
    /// What was in use before cannot be read.
    #[error("channels in use cannot be read")]
    Load(#[source] OutboxError),
    /// Another part of the process has registered one of the metrics.
    #[error(transparent)]
    Metrics(#[from] RegisterError),
}

/// Takes note of channels that get their first subscriber or lose their last. Cheap to clone.
///
/// Both methods are quick and never wait, so that a hub may call them.
#[derive(Clone, Debug)]
pub struct ChannelStates {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    table: Mutex<Table>,
    clock: Clock,
    vacated_delay: Duration,
    /// There is something to record, or something that will be due earlier.
    changed: Notify,
}

/// What has to run for channel states to be told.
#[derive(Debug)]
pub struct StateTasks {
    recorder: Recorder,
    tellers: Vec<Teller>,
}

impl ChannelStates {
    /// Reads which channels were in use before. Returns what has to be run.
    ///
    /// # Errors
    ///
    /// [`StatesError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn open(
        config: &Config,
        backends: &Backends,
        outbox: Arc<dyn ChannelOutbox>,
        parts: &Parts,
    ) -> Result<(Self, StateTasks), StatesError> {
        let options = &config.channel.state;
        let states = Self {
            shared: Arc::new(Shared {
                table: Mutex::default(),
                clock: parts.clock.clone(),
                vacated_delay: options.vacated_event_delay.duration().unwrap_or_default(),
                changed: Notify::new(),
            }),
        };
        let proxies = backends.all_for(Event::NotifyChannelState);
        let names: Vec<&str> = proxies.map(|proxy| proxy.name()).collect();
        outbox.serve(&names);
        let forgotten = forget_others(&*outbox, backends).await;
        forgotten.map_err(StatesError::Load)?;
        states.load(&*outbox).await.map_err(StatesError::Load)?;
        let waiting = parts.registry.gauge(
            "channel_state_events_waiting",
            "Changes of channels that the application backend was not told yet.",
        )?;
        let lag = parts.registry.gauge_by(
            "channel_state_events_queue_consuming_lag_milliseconds",
            "How old the oldest change of a channel is that the application backend is told now.",
            &["name", "partition"],
        )?;
        let mut tasks = StateTasks {
            recorder: Recorder {
                shared: Arc::clone(&states.shared),
                outbox: Arc::clone(&outbox),
                waiting_max: u64::try_from(options.queue_size).unwrap_or(u64::MAX),
                waiting,
                woken: Vec::new(),
            },
            tellers: Vec::new(),
        };
        for proxy in backends.all_for(Event::NotifyChannelState) {
            let woken = Arc::new(Notify::new());
            tasks.recorder.woken.push(Arc::clone(&woken));
            tasks.tellers.push(Teller {
                proxy: Arc::clone(proxy),
                outbox: Arc::clone(&outbox),
                batch_len: options.batch_size,
                waiting: tasks.recorder.waiting.clone(),
                lag: lag.with_label_values(&[proxy.name(), PARTITION]),
                clock: parts.clock.clone(),
                woken,
            });
        }
        Ok((states, tasks))
    }

    /// The same for a configuration some of whose namespaces want it, running already; `None`: none does.
    ///
    /// # Errors
    ///
    /// [`StatesError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn run_if_wanted(
        config: &Config,
        backends: &Backends,
        outbox: Arc<dyn ChannelOutbox>,
        parts: &Parts,
    ) -> Result<Option<Self>, StatesError> {
        let channel = &config.channel;
        let mut namespaces = channel.namespaces.iter().map(|space| &space.options);
        let is_wanted = channel.without_namespace.state_proxy_enabled
            || namespaces.any(|options| options.state_proxy_enabled);
        if !is_wanted {
            return Ok(None);
        }
        let (states, tasks) = Self::open(config, backends, outbox, parts).await?;
        tasks.run(parts);
        Ok(Some(states))
    }

    /// A channel got its first subscriber. `proxy` is the name of the proxy that its namespace says
    /// (`state_proxy_name`). A name with a zero byte, which PostgreSQL does not keep, is not told.
    pub fn occupied(&self, channel: &str, proxy: &str) {
        if channel.contains('\0') {
            return;
        }
        let is_new = self.shared.table.lock().occupied(channel, proxy);
        if is_new {
            self.shared.changed.notify_one();
        }
    }

    /// A channel lost its last subscriber.
    pub fn vacated(&self, channel: &str) {
        let due = self.shared.clock.now().uptime + self.shared.vacated_delay;
        let is_first = self.shared.table.lock().vacated(channel, due);
        if is_first {
            self.shared.changed.notify_one();
        }
    }

    async fn load(&self, outbox: &dyn ChannelOutbox) -> Result<(), OutboxError> {
        let due = self.shared.clock.now().uptime + self.shared.vacated_delay.max(RETURN_TIME);
        let mut last = Box::<str>::default();
        loop {
            let page = outbox.in_use(&last, PAGE_LEN).await?;
            let Some(end) = page.last() else {
                return Ok(());
            };
            last = end.channel.clone();
            let mut table = self.shared.table.lock();
            for one in page {
                table.was_in_use(&one.channel, &one.proxy, due);
            }
        }
    }
}

impl StateTasks {
    /// Runs until every other task has ended: what is left then is told after the next start.
    pub fn run(self, parts: &Parts) {
        let recorder = self.recorder.run();
        parts.tasks.spawn_background("channel states", recorder);
        for teller in self.tellers {
            parts
                .tasks
                .spawn_background("channel state events", teller.run());
        }
    }
}

/// Forgets what is to be told to backends that are not configured any more.
async fn forget_others(outbox: &dyn ChannelOutbox, backends: &Backends) -> Result<(), OutboxError> {
    for proxy in outbox.proxies().await? {
        if backends.find(Event::NotifyChannelState, &proxy).is_none() {
            tracing::warn!(
                proxy,
                "changes of channels were for a proxy that is no more: they are forgotten"
            );
            outbox.forget(&proxy).await?;
        }
    }
    Ok(())
}

/// How many events wait, as a gauge shows it.
fn show(gauge: &IntGauge, waiting: u64) {
    gauge.set(i64::try_from(waiting).unwrap_or(i64::MAX));
}
