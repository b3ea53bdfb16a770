use std::sync::Arc;
use std::time::Duration;

use gyre_auth::Verifier;
use gyre_engine::Engine;
use gyre_hub::Hub;
use gyre_runtime::{Clock, Identity, Leaving, Tasks};
use gyre_session::Settings;
use gyre_store::View;

use crate::connections::Connections;
use crate::drain::Progress;
use crate::emulation::Sessions;
use crate::handle::{Handle, Shared};
use crate::metrics::Metrics;
use crate::online::Online;
use crate::wheel::Wheel;

/// The hub of a gateway.
pub(crate) type NodeHub = Hub<Shared>;

/// What all connections of this gateway have in common.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) settings: Arc<Settings>,
    pub(crate) options: Options,
    pub(crate) hub: Arc<NodeHub>,
    pub(crate) engine: Engine,
    pub(crate) verifier: Verifier,
    /// Who is kept out.
    pub(crate) exclusions: Arc<View>,
    /// Who tells when users were there; `None`: nobody wants to know.
    pub(crate) online: Option<Online>,
    pub(crate) connections: Connections,
    pub(crate) sessions: Sessions,
    pub(crate) wheel: Arc<Wheel<Handle>>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tasks: Tasks,
    pub(crate) identity: Arc<Identity>,
    /// Whether the process shall go.
    pub(crate) leaving: Leaving,
    /// How far the handing over of connections is.
    pub(crate) drain: Progress,
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
