use std::sync::Arc;

use arc_swap::ArcSwap;
use gyre_backend::{Backends, ClientContext};
use gyre_engine::Engine;
use gyre_hub::Hub;
use gyre_links::Directory;
use gyre_runtime::{Clock, Identity, Leaving, Tasks};
use gyre_session::RefreshBy;
use gyre_store::Access;

use crate::connections::Connections;
use crate::drain::Progress;
use crate::effects::single::Singles;
use crate::emulation::Sessions;
use crate::handle::{Handle, Shared};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::online::Online;
use crate::states::States;
use crate::wheel::Wheel;

/// The hub of a gateway.
pub(crate) type NodeHub = Hub<Shared>;

/// What all connections of this gateway have in common.
#[derive(Debug)]
pub(crate) struct Node {
    /// What a reload replaces.
    pub(crate) live: ArcSwap<Live>,
    pub(crate) hub: Arc<NodeHub>,
    pub(crate) engine: Engine,
    pub(crate) backends: Backends,
    /// What a connection brings along for backends that brings along nothing.
    pub(crate) nothing: Arc<ClientContext>,
    /// Who takes note of channels in use; `None`: nobody wants to know.
    pub(crate) states: Option<States>,
    /// Who is kept out.
    pub(crate) access: Access,
    /// Who tells when users were there; `None`: nobody wants to know.
    pub(crate) online: Option<Online>,
    pub(crate) connections: Connections,
    /// Connections that are to be their users' only ones.
    pub(crate) singles: Singles,
    /// The other gateways.
    pub(crate) directory: Directory,
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

impl Node {
    /// Who prolongs connections that expire.
    pub(crate) fn refresh_by(&self) -> RefreshBy {
        match self.backends.refresh() {
            Some(_) => RefreshBy::Server,
            None => RefreshBy::Client,
        }
    }
}
