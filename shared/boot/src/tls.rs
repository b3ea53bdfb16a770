use std::collections::BTreeMap;
use std::net::SocketAddr;

use gyre_config::{AddressError, Config, Endpoint, tls};
use gyre_runtime::tls::{Error, Source, Tls};

use crate::addresses::Addresses;
use crate::autocert::Autocert;

/// The section of the port for clients, and of the internal one unless it has its own.
const HTTP_SERVER: &str = "http_server.tls";

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
    #[error("{section} is not {other}, and both are served on {address}, which has one TLS only")]
    Clash {
        /// One section.
        section: &'static str,
        /// The other.
        other: &'static str,
        /// Where both are served.
        address: SocketAddr,
    },
}

/// The TLS of each address that has any. Files are read here; `automatic` takes the place of those of
/// `http_server.tls`.
pub(crate) fn of(
    config: &Config,
    at: &Addresses,
    automatic: Option<&Tls>,
) -> Result<BTreeMap<SocketAddr, Tls>, Unusable> {
    let http = &config.http_server;
    let clients = config.address_of(Endpoint::Clients)?;
    // Everything internal is where health is, or would be.
    let internal = config.address_of(Endpoint::Health)?;
    let mut wanted = vec![(clients, HTTP_SERVER, &http.tls)];
    if internal != clients {
        if http.internal_tls.enabled {
            wanted.push((internal, "http_server.internal_tls", &http.internal_tls));
        } else if !http.tls_external {
            wanted.push((internal, HTTP_SERVER, &http.tls));
        }
    }
    let mut table = BTreeMap::new();
    let mut sections = BTreeMap::new();
    for (address, section, tls) in wanted {
        if let Some(automatic) = automatic
            && section == HTTP_SERVER
        {
            table.insert(address, automatic.clone());
        } else if tls.enabled {
            table.insert(address, open(section, tls)?);
        }
        sections.insert(address, (section, tls));
    }
    let grpc = [
        (at.grpc_api, "grpc_api.tls", &config.grpc_api.tls),
        (at.gateway_rpc, "gateway.rpc.tls", &config.gateway.rpc.tls),
        (at.uni_grpc, "uni_grpc.tls", &config.uni_grpc.tls),
        (at.client_grpc, "client_grpc.tls", &config.client_grpc.tls),
    ];
    for (address, section, tls) in grpc {
        let Some(address) = address else {
            continue;
        };
        let (other, known) = *sections.entry(address).or_insert((section, tls));
        if tls.enabled && other != section && tls != known {
            return Err(Unusable::Clash {
                section,
                other,
                address,
            });
        }
        if tls.enabled && other == section {
            table.insert(address, open(section, tls)?);
        }
    }
    Ok(table)
}

/// Certificates from an authority, if they are wanted.
pub(crate) fn automatic(config: &Config) -> Result<Option<Autocert>, Unusable> {
    let options = &config.http_server.tls_autocert;
    if !options.enabled {
        return Ok(None);
    }
    let autocert = Autocert::new(options).map_err(|source| Unusable::Section {
        section: "http_server.tls_autocert",
        source,
    })?;
    Ok(Some(autocert))
}

fn open(section: &'static str, tls: &tls::Tls) -> Result<Tls, Unusable> {
    let source = Source {
        cert_pem: tls.cert_pem.clone(),
        key_pem: tls.key_pem.expose().to_owned(),
        client_ca_pem: tls.client_ca_pem.clone(),
    };
    Tls::new(source).map_err(|source| Unusable::Section { section, source })
}
