//! Key files and key sets: what [`gyre_auth`] needs of disk and network.
//!
//! [`World`] is the way in. A fetch is one GET of an address that the configuration names: with a
//! timeout, a limit on the body, and no redirect to another host, so that whoever answers there
//! cannot send us anywhere else.

#![forbid(unsafe_code)]

mod client;
mod tls;

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use gyre_auth::{FetchKeys, Outside};
use gyre_config::tls::Tls;

pub use client::Client;
pub use tls::{TlsError, config as tls_client_config};

/// The disk and the network as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct World;

impl Outside for World {
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn fetcher(&self, tls: &Tls) -> Result<Arc<dyn FetchKeys>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(Client::new(tls)?))
    }
}
