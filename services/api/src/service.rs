use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use gyre_config::api::{GrpcApi, HttpApi};
use gyre_engine::{Engine, Statuses};
use gyre_links::Directory;
use gyre_policy::Policy;
use gyre_proto::api::centrifugo_api_server::CentrifugoApiServer;
use gyre_runtime::Clock;
use gyre_store::Access;
use gyre_telemetry::Registry;
use tonic::codec::CompressionEncoding;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::bearer::Bearer;
use crate::gateways::Gateways;
use crate::grpc::Grpc;
use crate::grpc::compression::Mirror;
use crate::grpc::deadline::Deadline;
use crate::grpc::guard::{Doors, Guard};
use crate::http::body::BODY_BYTES_MAX;
use crate::http::{self, Http};
use crate::live::{Live, Reloader};
use crate::methods::Methods;
use crate::metrics::Metrics;

/// Longest request over gRPC where the option does not say. Unit: bytes. 4 MiB, as in gRPC itself.
const MESSAGE_BYTES_MAX: usize = BODY_BYTES_MAX;

/// Configuration of the API.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Section `http_api`.
    pub http_api: HttpApi,
    /// Section `grpc_api`.
    pub grpc_api: GrpcApi,
}

/// What the API needs of others.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Publishes, reads history and presence.
    pub engine: Engine,
    /// Namespaces and their options.
    pub policy: Arc<Policy>,
    /// Who is kept out.
    pub access: Access,
    /// When users were last there; `None`: that is not kept.
    pub statuses: Option<Arc<dyn Statuses>>,
    /// Where `gyre.gateway.v1` answers.
    pub gateways: Directory,
    /// Where metrics are entered.
    pub telemetry: Registry,
    /// What callers' tokens are held against.
    pub clock: Clock,
}

/// Why the API cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// gRPC would be open to everybody, and nobody said that it shall.
    #[error(
        "grpc_api is enabled without a key: set grpc_api.key, or grpc_api.insecure to let everybody call"
    )]
    GrpcWithoutKey,
    /// Bearer tokens are to be verified, and nobody said by whose keys.
    #[error("jwks of http_api or grpc_api is enabled without an endpoint")]
    JwksWithoutEndpoint,
    /// TLS to the key set cannot be set up as configured.
    #[error("TLS in jwks of http_api or grpc_api")]
    JwksTls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The system has no randomness.
    #[error("the system has no randomness")]
    Randomness,
    /// A metric cannot be registered.
    #[error("metrics of the server API")]
    Metrics(#[from] gyre_telemetry::metrics::Error),
    /// The description of the API cannot be served.
    #[error("reflection of the server API")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// The server API: routes for a listener. It has no tasks of its own.
#[derive(Debug)]
pub struct Api {
    http: Option<Router>,
    grpc: Option<Router>,
    health: HealthReporter,
    reloader: Reloader,
}

impl Api {
    /// Builds the routes.
    ///
    /// # Errors
    ///
    /// [`BuildError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, but for the names of metrics, which stay taken.
    pub async fn build(config: &Config, deps: Deps) -> Result<Self, BuildError> {
        let live = Arc::new(ArcSwap::from_pointee(Live::new(config, deps.policy)?));
        let methods = Arc::new(Methods {
            broker: deps.engine.broker,
            presence: deps.engine.presence,
            live: Arc::clone(&live),
            access: deps.access,
            statuses: deps.statuses,
            gateways: Gateways::new(deps.gateways),
            metrics: Metrics::new(&deps.telemetry)?,
        });
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_serving::<CentrifugoApiServer<Grpc>>().await;
        let http = http_routes(&config.http_api, &methods, &deps.clock)?;
        let grpc = match config.grpc_api.enabled {
            true => Some(grpc_routes(&config.grpc_api, methods, &deps.clock)?.add_service(health)),
            false => None,
        };
        Ok(Self {
            http,
            grpc: grpc.map(|routes| routes.prepare().into_axum_router()),
            health: reporter,
            reloader: Reloader { live },
        })
    }

    /// The routes over HTTP; `None` if `http_api.disabled`.
    #[must_use]
    pub fn http(&self) -> Option<Router> {
        self.http.clone()
    }

    /// The routes over gRPC; `None` unless `grpc_api.enabled`.
    #[must_use]
    pub fn grpc(&self) -> Option<Router> {
        self.grpc.clone()
    }

    /// What gives it another configuration while it runs.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Tells the health service's callers that no more calls shall come. Calls are still answered.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: call it again.
    pub async fn drain(&self) {
        self.health
            .set_service_status("", ServingStatus::NotServing)
            .await;
        self.health
            .set_not_serving::<CentrifugoApiServer<Grpc>>()
            .await;
    }
}

fn http_routes(
    config: &HttpApi,
    methods: &Arc<Methods>,
    clock: &Clock,
) -> Result<Option<Router>, BuildError> {
    if config.disabled {
        return Ok(None);
    }
    let http = Http {
        methods: Arc::clone(methods),
        bearer: Bearer::new(&config.jwks, &gyre_fetch::World, clock)?,
        mode: config.error_mode,
    };
    Ok(Some(http::router(&http, &config.handler_prefix)))
}

/// The API and its description, behind the key.
fn grpc_routes(
    config: &GrpcApi,
    methods: Arc<Methods>,
    clock: &Clock,
) -> Result<Routes, BuildError> {
    let doors = Doors {
        live: Arc::clone(&methods.live),
        bearer: Bearer::new(&config.jwks, &gyre_fetch::World, clock)?,
    };
    let limit = config
        .max_receive_message_size
        .get()
        .unwrap_or(MESSAGE_BYTES_MAX);
    let refused = methods.metrics.refused_grpc();
    let api = CentrifugoApiServer::new(Grpc::new(methods, config.error_mode))
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(limit);
    let compressing = api.clone().send_compressed(CompressionEncoding::Gzip);
    let api = Deadline::new(Mirror::new(api, compressing));
    let routes = Routes::new(Guard::new(api, doors.clone(), refused.clone()));
    if !config.reflection {
        return Ok(routes);
    }
    let description = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(gyre_proto::DESCRIPTORS)
            .with_service_name(<CentrifugoApiServer<Grpc> as NamedService>::NAME)
    };
    let newer = Guard::new(description().build_v1()?, doors.clone(), refused.clone());
    let older = Guard::new(description().build_v1alpha()?, doors, refused);
    Ok(routes.add_service(newer).add_service(older))
}
