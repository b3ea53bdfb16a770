use std::collections::BTreeMap;
use std::net::SocketAddr;

use gyre_config::{AddressError, Config, Endpoint, tls};
use gyre_runtime::tls::{Error, Source, Tls};

use crate::addresses::Addresses;

/// Why TLS cannot be served as configured.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// An address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A certificate or key cannot be used.
    #[error("{section}.{source}")]
    Section {
        /// Which section says so.
        section: &'static str,
        /// What is wrong.
        source: Error,
    },
    /// One address, two wishes.
    #[error(
        "{section} is not http_server.tls, and both are served on {address}, which has one TLS only"
    )]
    Clash {
        /// The section beside `http_server.tls`.
        section: &'static str,
        /// Where both are served.
        address: SocketAddr,
    },
}

/// The TLS of each address that has any. Files are read here.
pub(crate) fn of(config: &Config, at: &Addresses) -> Result<BTreeMap<SocketAddr, Tls>, Unusable> {
    let http = &config.http_server;
    let clients = config.address_of(Endpoint::Clients)?;
    // Everything internal is where health is, or would be.
    let internal = config.address_of(Endpoint::Health)?;
    let mut wanted = vec![(clients, "http_server.tls", &http.tls)];
    if internal != clients {
        if http.internal_tls.enabled {
            wanted.push((internal, "http_server.internal_tls", &http.internal_tls));
        } else if !http.tls_external {
            wanted.push((internal, "http_server.tls", &http.tls));
        }
    }
    let mut table = BTreeMap::new();
    for (address, section, tls) in wanted {
        if tls.enabled {
            table.insert(address, open(section, tls)?);
        }
    }
    let grpc = [
        (at.grpc_api, "grpc_api.tls", &config.grpc_api.tls),
        (at.gateway_rpc, "gateway.rpc.tls", &config.gateway.rpc.tls),
    ];
    for (address, section, tls) in grpc {
        let Some(address) = address.filter(|_| tls.enabled) else {
            continue;
        };
        let shares = [clients, internal].contains(&address);
        if shares && *tls != http.tls {
            return Err(Unusable::Clash { section, address });
        }
        if !shares {
            table.insert(address, open(section, tls)?);
        }
    }
    Ok(table)
}

fn open(section: &'static str, tls: &tls::Tls) -> Result<Tls, Unusable> {
    let source = Source {
        cert_pem: tls.cert_pem.clone(),
        key_pem: tls.key_pem.expose().to_owned(),
        client_ca_pem: tls.client_ca_pem.clone(),
    };
    Tls::new(source).map_err(|source| Unusable::Section { section, source })
}
