use std::collections::BTreeMap;
use std::net::SocketAddr;

use gyre_config::{AddressError, Config, Endpoint, tls};
use gyre_runtime::tls::{Error, Source, Tls};

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
    #[error("{section} is not {other}, and both are served on {address}, which has one TLS only")]
    Clash {
        section: &'static str,
        other: &'static str,
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
    let mut sections = BTreeMap::new();
    for (address, section, tls) in wanted {
        if tls.enabled {
            table.insert(address, open(section, tls)?);
        }
        sections.insert(address, (section, tls));
    }
    for (endpoint, section, tls) in grpc(config) {
        let address = config.address_of(endpoint)?;
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

/// What speaks gRPC: it may have addresses of its own.
fn grpc(config: &Config) -> impl Iterator<Item = (Endpoint, &'static str, &tls::Tls)> {
    let (api, uni, both) = (&config.grpc_api, &config.uni_grpc, &config.client_grpc);
    let rows = [
        (api.enabled, Endpoint::GrpcApi, "grpc_api.tls", &api.tls),
        (uni.enabled, Endpoint::UniGrpc, "uni_grpc.tls", &uni.tls),
        (
            both.enabled,
            Endpoint::ClientGrpc,
            "client_grpc.tls",
            &both.tls,
        ),
    ];
    rows.into_iter()
        .filter_map(|(is_on, endpoint, section, tls)| is_on.then_some((endpoint, section, tls)))
}

fn open(section: &'static str, tls: &tls::Tls) -> Result<Tls, Unusable> {
    let source = Source {
        cert_pem: tls.cert_pem.clone(),
        key_pem: tls.key_pem.expose().to_owned(),
        client_ca_pem: tls.client_ca_pem.clone(),
    };
    Tls::new(source).map_err(|source| Unusable::Section { section, source })
}
