use std::net::SocketAddr;

use gyre_config::{AddressError, Config, Endpoint};

/// Where each endpoint is served; `None` if it is off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) clients: SocketAddr,
    pub(crate) http_api: Option<SocketAddr>,
    pub(crate) grpc_api: Option<SocketAddr>,
    pub(crate) health: Option<SocketAddr>,
    pub(crate) prometheus: Option<SocketAddr>,
    pub(crate) swagger: Option<SocketAddr>,
    pub(crate) uni_grpc: Option<SocketAddr>,
    pub(crate) client_grpc: Option<SocketAddr>,
}

impl Addresses {
    /// Looks every name up once.
    pub(crate) fn of(config: &Config) -> Result<Self, AddressError> {
        let of = |endpoint, is_on: bool| is_on.then(|| config.address_of(endpoint)).transpose();
        Ok(Self {
            clients: config.address_of(Endpoint::Clients)?,
            http_api: of(Endpoint::HttpApi, !config.http_api.disabled)?,
            grpc_api: of(Endpoint::GrpcApi, config.grpc_api.enabled)?,
            health: of(Endpoint::Health, config.health.enabled)?,
            prometheus: of(Endpoint::Prometheus, config.prometheus.enabled)?,
            swagger: of(Endpoint::Swagger, config.swagger.enabled)?,
            uni_grpc: of(Endpoint::UniGrpc, config.uni_grpc.enabled)?,
            client_grpc: of(Endpoint::ClientGrpc, config.client_grpc.enabled)?,
        })
    }

    /// All of them; endpoints that share an address name it twice.
    pub(crate) fn all(&self) -> impl Iterator<Item = SocketAddr> {
        let internal = [
            self.http_api,
            self.grpc_api,
            self.health,
            self.prometheus,
            self.swagger,
            self.uni_grpc,
            self.client_grpc,
        ];
        [self.clients]
            .into_iter()
            .chain(internal.into_iter().flatten())
    }
}
