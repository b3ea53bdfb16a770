use std::net::SocketAddr;

use gyre_config::{AddressError, Config, Endpoint};

/// What a process is, and so which endpoints it serves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// All services in one process.
    Everything,
    /// Connections of clients.
    Gateway,
    /// The server API.
    Api,
}

/// Where each endpoint is served; `None` if it is off, or another process has it.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Transports of clients.
    pub clients: Option<SocketAddr>,
    /// Server API over HTTP.
    pub http_api: Option<SocketAddr>,
    /// Server API over gRPC.
    pub grpc_api: Option<SocketAddr>,
    /// Health and readiness.
    pub health: Option<SocketAddr>,
    /// Metrics.
    pub prometheus: Option<SocketAddr>,
    /// The page to try the server API.
    pub swagger: Option<SocketAddr>,
    /// Unidirectional gRPC stream.
    pub uni_grpc: Option<SocketAddr>,
    /// Bidirectional gRPC stream.
    pub client_grpc: Option<SocketAddr>,
    /// Commands to the gateway from other processes.
    pub gateway_rpc: Option<SocketAddr>,
}

impl Addresses {
    /// Looks every name up once.
    pub(crate) fn of(config: &Config, role: Role) -> Result<Self, AddressError> {
        let of = |endpoint, is_on: bool| is_on.then(|| config.address_of(endpoint)).transpose();
        let has_clients = role != Role::Api;
        let has_api = role != Role::Gateway;
        let has_others = match role {
            Role::Everything => !config.links.gateways.is_empty(),
            Role::Gateway => true,
            Role::Api => false,
        };
        Ok(Self {
            clients: of(Endpoint::Clients, has_clients)?,
            http_api: of(Endpoint::HttpApi, has_api && !config.http_api.disabled)?,
            grpc_api: of(Endpoint::GrpcApi, has_api && config.grpc_api.enabled)?,
            health: of(Endpoint::Health, config.health.enabled)?,
            prometheus: of(Endpoint::Prometheus, config.prometheus.enabled)?,
            swagger: of(Endpoint::Swagger, has_api && config.swagger.enabled)?,
            uni_grpc: of(Endpoint::UniGrpc, has_clients && config.uni_grpc.enabled)?,
            client_grpc: of(
                Endpoint::ClientGrpc,
                has_clients && config.client_grpc.enabled,
            )?,
            gateway_rpc: of(Endpoint::GatewayRpc, has_others)?,
        })
    }

    /// All of them; endpoints that share an address name it twice.
    pub(crate) fn all(&self) -> impl Iterator<Item = SocketAddr> {
        let all = [
            self.clients,
            self.http_api,
            self.grpc_api,
            self.health,
            self.prometheus,
            self.swagger,
            self.uni_grpc,
            self.client_grpc,
            self.gateway_rpc,
        ];
        all.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which endpoints a role serves when everything is on.
    fn served(role: Role) -> [bool; 9] {
        let mut config = Config::default();
        config.grpc_api.enabled = true;
        config.health.enabled = true;
        config.prometheus.enabled = true;
        config.swagger.enabled = true;
        config.uni_grpc.enabled = true;
        config.client_grpc.enabled = true;
        config.links.gateways = vec!["registry".to_owned()];
        let at = Addresses::of(&config, role).unwrap();
        [
            at.clients,
            at.http_api,
            at.grpc_api,
            at.health,
            at.prometheus,
            at.swagger,
            at.uni_grpc,
            at.client_grpc,
            at.gateway_rpc,
        ]
        .map(|address| address.is_some())
    }

    #[test]
    fn a_role_serves_what_is_its_own() {
        assert_eq!(served(Role::Everything), [true; 9]);
        assert_eq!(
            served(Role::Gateway),
            [true, false, false, true, true, false, true, true, true]
        );
        assert_eq!(
            served(Role::Api),
            [false, true, true, true, true, true, false, false, false]
        );
    }

    #[test]
    fn who_is_alone_is_called_by_nobody() {
        let at = Addresses::of(&Config::default(), Role::Everything).unwrap();
        assert_eq!(at.gateway_rpc, None);
    }
}
