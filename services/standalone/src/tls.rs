use std::collections::BTreeMap;
use std::net::SocketAddr;

use gyre_config::{AddressError, Config, Endpoint, tls};
use gyre_runtime::tls::{Error, Source, Tls};

use crate::addresses::has_others;

/// Why TLS cannot be served as configured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// An address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A certificate or key cannot be used.
    #[error("{section}.{source}")]
    Section {
        section: &'static str,
        source: Error,
    },
    /// One address, two wishes.
    #[error(
        "{section} is not http_server.tls, and both are served on {address}, which has one TLS only"
    )]
    Clash {
        section: &'static str,
        address: SocketAddr,
    },
}

/// The TLS of each address that has any. Files are read here.
pub(crate) fn of(config: &Config) -> Result<BTreeMap<SocketAddr, Tls>, Unusable> {
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
    let mut grpc = Vec::new();
    if config.grpc_api.enabled {
        grpc.push((Endpoint::GrpcApi, "grpc_api.tls", &config.grpc_api.tls));
    }
    if has_others(config) {
        let tls = &config.gateway.rpc.tls;
        grpc.push((Endpoint::GatewayRpc, "gateway.rpc.tls", tls));
    }
    for (endpoint, section, tls) in grpc {
        if !tls.enabled {
            continue;
        }
        let address = config.address_of(endpoint)?;
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
