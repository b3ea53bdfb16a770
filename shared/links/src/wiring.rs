use std::sync::Arc;

use gyre_config::Links;
use gyre_fetch::TlsError;
use gyre_rpc::{BadAddress, KeyError, Link, LinkKey, RemoteTls};

/// Why the links cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// An entry of `links.gateways` is not an address.
    #[error("links.gateways: {0}")]
    Address(#[from] BadAddress),
    /// `registry` stands beside addresses.
    #[error("links.gateways: \"registry\" stands alone or not at all")]
    Mixed,
    /// The key cannot be carried.
    #[error("links.key: {0}")]
    Key(#[from] KeyError),
    /// TLS cannot be set up as configured.
    #[error("links.tls")]
    Tls(#[from] TlsError),
}

/// How every link of this process is made: with which TLS, with which key.
#[derive(Clone, Debug, Default)]
pub struct Wiring {
    tls: Option<RemoteTls>,
    key: Option<LinkKey>,
}

/// Protocols that a link offers in TLS: gRPC is HTTP/2.
const PROTOCOLS: &[&[u8]] = &[b"h2"];

impl Wiring {
    /// What section `links` says.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn new(links: &Links) -> Result<Self, OpenError> {
        let tls = if links.tls.enabled {
            let mut config = gyre_fetch::tls_client_config(&links.tls)?;
            config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
            Some(RemoteTls {
                config: Arc::new(config),
                name: None,
            })
        } else {
            None
        };
        Ok(Self {
            tls,
            key: key(links)?,
        })
    }

    /// A link to an address; `host` is the name that its certificate must have.
    pub(crate) fn link(&self, address: &str, host: &str) -> Result<Link, BadAddress> {
        let tls = self.tls.clone().map(|tls| RemoteTls {
            name: Some(host.to_owned()),
            ..tls
        });
        let link = gyre_rpc::remote(address, tls)?;
        Ok(match &self.key {
            Some(key) => gyre_rpc::with_key(link, key),
            None => link,
        })
    }
}

/// The key that internal calls carry, if one is configured.
///
/// # Errors
///
/// It cannot be carried.
pub fn key(links: &Links) -> Result<Option<LinkKey>, KeyError> {
    if links.key.is_empty() {
        return Ok(None);
    }
    LinkKey::new(links.key.expose()).map(Some)
}
