//! What a reload of the configuration replaces, all of it at once.

use std::sync::Arc;
use std::time::Duration;

use gyre_auth::Verifier;
use gyre_config::{Client, Config};
use gyre_policy::Policy;
use gyre_session::Settings;

use crate::admission::{Admission, Rates};
use crate::node::Node;
use crate::service::BuildError;
use crate::websocket::Origins;

/// Everything about clients that may change while they are connected.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) settings: Arc<Settings>,
    pub(crate) options: Options,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) origins: Origins,
    /// What the verifier was made of.
    client: Client,
}

/// Options of the client section that are not a session's.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) insecure: bool,
    pub(crate) allows_anonymous: bool,
    pub(crate) refuses_anonymous_tokens: bool,
    pub(crate) user_id_header: Option<http::HeaderName>,
    /// Unit: bytes.
    pub(crate) queue_bytes_max: usize,
    /// What `info` gives as the interval of its metrics; ours are of the moment.
    pub(crate) info_interval: Duration,
    /// Prefix of the metrics that `info` shows.
    pub(crate) metrics_namespace: String,
    /// Connections of one user; 0: no limit.
    pub(crate) user_connections_max: usize,
}

impl Live {
    /// What the configuration says. `before`: what holds until now, of which fetched keys are kept.
    pub(crate) fn new(
        config: &Config,
        version: &str,
        before: Option<&Self>,
    ) -> Result<Self, BuildError> {
        let client = &config.client;
        let policy = Arc::new(Policy::new(&config.channel, client, &config.rpc)?);
        let kept = before.filter(|before| {
            let (old, new) = (&before.client, client);
            old.token == new.token
                && old.subscription_token == new.subscription_token
                && old.insecure_skip_token_signature_verify
                    == new.insecure_skip_token_signature_verify
        });
        Ok(Self {
            settings: Arc::new(Settings::new(config, policy, version)),
            options: Options::new(config)?,
            verifier: match kept {
                Some(before) => Arc::clone(&before.verifier),
                None => Arc::new(Verifier::new(client, &gyre_fetch::World)?),
            },
            origins: Origins::new(&client.allowed_origins)?,
            client: client.clone(),
        })
    }
}

impl Options {
    fn new(config: &Config) -> Result<Self, BuildError> {
        let client = &config.client;
        let header = &client.user_id_http_header;
        Ok(Self {
            insecure: client.insecure,
            allows_anonymous: client.allow_anonymous_connect_without_token,
            refuses_anonymous_tokens: client.disallow_anonymous_connection_tokens,
            user_id_header: if header.is_empty() {
                None
            } else {
                Some(http::HeaderName::try_from(header.as_str())?)
            },
            queue_bytes_max: client.queue_max_size.get().unwrap_or(usize::MAX),
            info_interval: config
                .node
                .info_metrics_aggregate_interval
                .duration()
                .unwrap_or(Duration::from_mins(1)),
            metrics_namespace: config.prometheus.namespace.clone(),
            user_connections_max: client.user_connection_limit.get().unwrap_or(0),
        })
    }
}

/// Gives a running gateway another configuration.
#[derive(Clone, Debug)]
pub struct Reloader {
    pub(crate) node: Arc<Node>,
    pub(crate) admission: Arc<Admission>,
}

/// A configuration that can be used, and is not yet.
#[derive(Debug)]
pub struct Prepared {
    reloader: Reloader,
    live: Live,
    rates: Rates,
}

impl Reloader {
    /// Reads and checks all that can fail.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn prepare(&self, config: &Config) -> Result<Prepared, BuildError> {
        let before = self.node.live.load();
        let version = self.node.identity.version.as_str();
        Ok(Prepared {
            live: Live::new(config, version, Some(&**before))?,
            rates: Rates::of(&config.client),
            reloader: self.clone(),
        })
    }
}

impl Prepared {
    /// Puts it into effect. Sessions take it on with their next command.
    pub fn commit(self) {
        let Self {
            reloader,
            live,
            rates,
        } = self;
        reloader.admission.set(rates);
        reloader.node.live.store(Arc::new(live));
    }
}
