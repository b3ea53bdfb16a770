//! What a reload of the configuration replaces, all of it at once.

use std::sync::Arc;

use arc_swap::ArcSwap;
use gyre_policy::Policy;

use crate::keys::Keys;
use crate::service::{BuildError, Config};

/// Everything that may change between two calls.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) policy: Arc<Policy>,
    pub(crate) http_keys: Keys,
    pub(crate) grpc_keys: Keys,
}

impl Live {
    pub(crate) fn new(config: &Config, policy: Arc<Policy>) -> Result<Self, BuildError> {
        let (http, grpc) = (&config.http_api, &config.grpc_api);
        let keys = |key, insecure| Keys::new(key, insecure).map_err(|_| BuildError::Randomness);
        let grpc_keys = keys(&grpc.key, grpc.insecure)?;
        if grpc.enabled && matches!(grpc_keys, Keys::Closed) && !grpc.jwks.enabled {
            return Err(BuildError::GrpcWithoutKey);
        }
        Ok(Self {
            policy,
            http_keys: keys(&http.key, http.insecure)?,
            grpc_keys,
        })
    }
}

/// Gives a running API another configuration.
#[derive(Clone, Debug)]
pub struct Reloader {
    pub(crate) live: Arc<ArcSwap<Live>>,
}

/// A configuration that can be used, and is not yet.
#[derive(Debug)]
pub struct Prepared {
    reloader: Reloader,
    live: Live,
}

impl Reloader {
    /// Checks all that can fail.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn prepare(&self, config: &Config, policy: Arc<Policy>) -> Result<Prepared, BuildError> {
        Ok(Prepared {
            live: Live::new(config, policy)?,
            reloader: self.clone(),
        })
    }
}

impl Prepared {
    /// Puts it into effect, from the next call on.
    pub fn commit(self) {
        self.reloader.live.store(Arc::new(self.live));
    }
}
