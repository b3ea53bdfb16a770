use std::collections::BTreeMap;
use std::sync::Arc;

use gyre_config::Config;
use gyre_config::Proxy as Options;
use gyre_runtime::Parts;
use gyre_telemetry::Traces;

use crate::context::Forwarded;
use crate::error::BuildError;
use crate::messages::event::Event;
use crate::observe::Reports;
use crate::observe::metrics::Metrics;
use crate::proxy::Proxy;
use crate::proxy::build;

/// Name of the proxy of an event that has no name of its own.
const DEFAULT: &str = "default";

/// Every backend of the configuration. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Backends {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Those that stand at their event.
    defaults: BTreeMap<Event, Arc<Proxy>>,
    /// Those of `proxies`.
    named: BTreeMap<String, Arc<Proxy>>,
    forwarded: Forwarded,
}

impl Backends {
    /// Makes the clients of all backends. Nothing is called yet. Has to be called within a tokio
    /// runtime. Calls are traced by `traces`, if option `opentelemetry.proxy` wants it.
    ///
    /// # Errors
    ///
    /// [`BuildError`].
    pub fn build(
        config: &Config,
        parts: &Parts,
        traces: Option<Traces>,
    ) -> Result<Self, BuildError> {
        let reports = Reports {
            metrics: Arc::new(Metrics::new(&parts.registry)?),
            traces: traces.filter(|_| config.opentelemetry.proxy),
        };
        let mut forwarded = Forwarded::default();
        let mut build = |name: &str, path: &str, options: &Options| {
            forwarded.add(options);
            build::proxy((name, path), options, &reports, &parts.clock).map(Arc::new)
        };
        let mut defaults = BTreeMap::new();
        for (event, path, options) in configured(config) {
            defaults.insert(event, build(DEFAULT, path, options)?);
        }
        let mut named = BTreeMap::new();
        for one in &config.proxies {
            let path = format!("proxies[{}]", one.name);
            named.insert(one.name.clone(), build(&one.name, &path, &one.proxy)?);
        }
        Ok(Self {
            shared: Arc::new(Shared {
                defaults,
                named,
                forwarded,
            }),
        })
    }

    /// The backend that is asked about new connections, if `client.proxy.connect` is enabled.
    #[must_use]
    pub fn connect(&self) -> Option<&Arc<Proxy>> {
        self.shared.defaults.get(&Event::Connect)
    }

    /// The backend that is asked about connections that expire, if `client.proxy.refresh` is enabled.
    #[must_use]
    pub fn refresh(&self) -> Option<&Arc<Proxy>> {
        self.shared.defaults.get(&Event::Refresh)
    }

    /// The backend for an event by the name that a namespace gives: that of one of `proxies`, or
    /// `default` for the one that stands at the event. `None` if there is none such.
    #[must_use]
    pub fn find(&self, event: Event, name: &str) -> Option<&Arc<Proxy>> {
        if name == DEFAULT {
            self.shared.defaults.get(&event)
        } else {
            self.shared.named.get(name)
        }
    }

    /// Every backend that a namespace may choose for an event.
    pub(crate) fn all_for(&self, event: Event) -> impl Iterator<Item = &Arc<Proxy>> {
        let default = self.shared.defaults.get(&event);
        default.into_iter().chain(self.shared.named.values())
    }

    /// Which headers and metadata of connections have to be kept for backends.
    #[must_use]
    pub fn forwarded(&self) -> &Forwarded {
        &self.shared.forwarded
    }
}

/// The proxies that stand at their events and have an endpoint.
fn configured(config: &Config) -> Vec<(Event, &'static str, &Options)> {
    let (client, channel) = (&config.client.proxy, &config.channel.proxy);
    let switched = [
        (Event::Connect, "client.proxy.connect", &client.connect),
        (Event::Refresh, "client.proxy.refresh", &client.refresh),
    ];
    let switched = switched
        .into_iter()
        .filter(|(_, _, event)| event.enabled)
        .map(|(event, path, options)| (event, path, &options.proxy));
    let others = [
        (
            Event::Subscribe,
            "channel.proxy.subscribe",
            &channel.subscribe,
        ),
        (Event::Publish, "channel.proxy.publish", &channel.publish),
        (
            Event::SubRefresh,
            "channel.proxy.sub_refresh",
            &channel.sub_refresh,
        ),
        (
            Event::SubscribeStream,
            "channel.proxy.subscribe_stream",
            &channel.subscribe_stream,
        ),
        (
            Event::MapPublish,
            "channel.proxy.map_publish",
            &channel.map_publish,
        ),
        (
            Event::MapRemove,
            "channel.proxy.map_remove",
            &channel.map_remove,
        ),
        (
            Event::SharedPollRefresh,
            "channel.proxy.shared_poll_refresh",
            &channel.shared_poll_refresh,
        ),
        (
            Event::NotifyCacheEmpty,
            "channel.proxy.cache_empty",
            &channel.cache_empty,
        ),
        (
            Event::NotifyChannelState,
            "channel.proxy.state",
            &channel.state,
        ),
        (Event::Rpc, "rpc.proxy", &config.rpc.proxy),
    ];
    let others = others
        .into_iter()
        .filter(|(_, _, options)| !options.endpoint.is_empty());
    switched.chain(others).collect()
}
