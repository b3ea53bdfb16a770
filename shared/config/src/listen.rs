//! Where things listen.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use crate::Config;

/// What is served somewhere.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Endpoint {
    /// Transports of clients.
    Clients,
    /// Server API over HTTP.
    HttpApi,
    /// Server API over gRPC.
    GrpcApi,
    /// Health and readiness.
    Health,
    /// Metrics.
    Prometheus,
    /// The page to try the server API.
    Swagger,
    /// Unidirectional gRPC stream.
    UniGrpc,
    /// Bidirectional gRPC stream.
    ClientGrpc,
    /// Commands to a gateway from other processes.
    GatewayRpc,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("address {host:?} is no IP address and no name of this machine")]
pub struct AddressError {
    /// What is configured.
    pub host: String,
    /// What the resolver says.
    #[source]
    pub source: std::io::Error,
}

impl Config {
    /// Where an endpoint is served. Endpoints with the same answer share a listener.
    ///
    /// What is not for clients goes to `http_server.internal_address` and `.internal_port`, each
    /// falling back to what clients use; `http_api.external` keeps the API with the clients. An empty
    /// address is 0.0.0.0, which stands for all interfaces, of IPv6 too. Names are resolved, which
    /// may block.
    ///
    /// # Errors
    ///
    /// [`AddressError`] if a name cannot be resolved.
    pub fn address_of(&self, endpoint: Endpoint) -> Result<SocketAddr, AddressError> {
        let http = &self.http_server;
        let internal = || {
            let address = Some(&http.internal_address).filter(|address| !address.is_empty());
            resolve(
                address.unwrap_or(&http.address),
                http.internal_port.unwrap_or(http.port),
            )
        };
        match endpoint {
            Endpoint::Clients => resolve(&http.address, http.port),
            Endpoint::HttpApi if self.http_api.external => resolve(&http.address, http.port),
            Endpoint::HttpApi | Endpoint::Health | Endpoint::Prometheus | Endpoint::Swagger => {
                internal()
            }
            Endpoint::GrpcApi => resolve(&self.grpc_api.address, self.grpc_api.port),
            Endpoint::UniGrpc => resolve(&self.uni_grpc.address, self.uni_grpc.port),
            Endpoint::ClientGrpc => resolve(&self.client_grpc.address, self.client_grpc.port),
            Endpoint::GatewayRpc => resolve(&self.gateway.rpc.address, self.gateway.rpc.port),
        }
    }
}

/// Where `http_server.tls_autocert.http_addr` is: a host may be left out, and then means everywhere.
///
/// # Errors
///
/// [`AddressError`] if it is no host and port, or the name cannot be resolved.
pub fn host_and_port(text: &str) -> Result<SocketAddr, AddressError> {
    let parts = text.rsplit_once(':');
    let parsed = parts.and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parsed.ok_or_else(|| AddressError {
        host: text.to_owned(),
        source: std::io::ErrorKind::InvalidInput.into(),
    })?;
    resolve(host, port)
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr, AddressError> {
    if host.is_empty() {
        return Ok(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port));
    }
    // An IPv6 address may stand in brackets.
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let unresolved = |source| AddressError {
        host: host.to_owned(),
        source,
    };
    let mut addresses = (host, port).to_socket_addrs().map_err(unresolved)?;
    addresses
        .next()
        .ok_or_else(|| unresolved(std::io::ErrorKind::NotFound.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address_of(config: &Config, endpoint: Endpoint) -> String {
        config
            .address_of(endpoint)
            .map_or_else(|error| error.to_string(), |at| at.to_string())
    }

    #[test]
    fn everything_of_http_shares_a_port_by_default() {
        let config = Config::default();
        for endpoint in [
            Endpoint::Clients,
            Endpoint::HttpApi,
            Endpoint::Health,
            Endpoint::Prometheus,
            Endpoint::Swagger,
        ] {
            assert_eq!(address_of(&config, endpoint), "0.0.0.0:8000");
        }
        assert_eq!(address_of(&config, Endpoint::GrpcApi), "0.0.0.0:10000");
        assert_eq!(address_of(&config, Endpoint::GatewayRpc), "0.0.0.0:8100");
    }

    #[test]
    fn an_internal_port_takes_what_is_not_for_clients() {
        let mut config = Config::default();
        config.http_server.address = "127.0.0.1".to_owned();
        config.http_server.internal_port = Some(9000);
        assert_eq!(address_of(&config, Endpoint::Clients), "127.0.0.1:8000");
        assert_eq!(address_of(&config, Endpoint::HttpApi), "127.0.0.1:9000");
        assert_eq!(address_of(&config, Endpoint::Health), "127.0.0.1:9000");
        assert_eq!(address_of(&config, Endpoint::Prometheus), "127.0.0.1:9000");

        config.http_api.external = true;
        assert_eq!(address_of(&config, Endpoint::HttpApi), "127.0.0.1:8000");

        config.http_server.internal_address = "::1".to_owned();
        config.http_server.internal_port = None;
        assert_eq!(address_of(&config, Endpoint::Health), "[::1]:8000");
    }

    #[test]
    fn addresses_are_texts_names_or_in_brackets() {
        let mut config = Config::default();
        config.grpc_api.address = "[::]".to_owned();
        assert_eq!(address_of(&config, Endpoint::GrpcApi), "[::]:10000");
        config.grpc_api.address = "localhost".to_owned();
        assert!(
            config
                .address_of(Endpoint::GrpcApi)
                .is_ok_and(|at| at.ip().is_loopback())
        );
        config.grpc_api.address = "no such host".to_owned();
        assert_eq!(
            address_of(&config, Endpoint::GrpcApi),
            "address \"no such host\" is no IP address and no name of this machine"
        );
    }
}
