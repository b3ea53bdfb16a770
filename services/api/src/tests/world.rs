//! A built API and ways to call it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use gyre_config::channel::{DataFormat, Namespace, Options, SubscriptionType};
use gyre_config::{Channel, Client, Links, Millis, Rpc, Secret};
use gyre_engine::Statuses;
use gyre_engine_memory::MemoryStatuses;
use gyre_links::Directory;
use gyre_policy::Policy;
use gyre_proto::api::centrifugo_api_client::CentrifugoApiClient;
use gyre_proto::gateway::gateway_service_server::GatewayServiceServer;
use gyre_runtime::{Clock, Tasks};
use gyre_store::Access;
use gyre_telemetry::Registry;
use gyre_types::{Now, UnixMillis};
use http::{Request, StatusCode};
use tonic::Status;
use tower::ServiceExt as _;

use super::fake::Fake;
use crate::methods::for_each_method;
use crate::{Api, BuildError, Config, Deps};

pub(super) const HTTP_KEY: &str = "http-key";
pub(super) const GRPC_KEY: &str = "grpc-key";

pub(super) struct World {
    pub(super) fake: Fake,
    pub(super) api: Api,
    pub(super) telemetry: Registry,
    pub(super) http: Option<Router>,
    pub(super) grpc: Option<Router>,
}

/// A configuration with both doors open to those who have their key.
pub(super) fn config() -> Config {
    let mut config = Config::default();
    config.http_api.key = Secret::new(HTTP_KEY);
    config.grpc_api.enabled = true;
    config.grpc_api.key = Secret::new(GRPC_KEY);
    config
}

/// Keeps in memory. Its clock begins with second 1 700 000 000; a test that reads it pauses time.
fn access() -> Access {
    let (access, keeper) = Access::in_memory(&clock());
    Tasks::default().spawn_background("store", keeper.run());
    access
}

fn statuses() -> MemoryStatuses<impl Fn() -> Now + Send + Sync> {
    let clock = clock();
    MemoryStatuses::new(Duration::from_secs(60), move || clock.now())
}

fn clock() -> Clock {
    Clock::fixed(UnixMillis(1_700_000_000_000))
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(&config()).await.unwrap()
    }

    /// A world in which nobody keeps when users were there.
    pub(super) async fn without_statuses() -> Self {
        Self::build(&config(), None).await.unwrap()
    }

    pub(super) async fn with(config: &Config) -> Result<Self, BuildError> {
        Self::build(config, Some(Arc::new(statuses()))).await
    }

    /// A world in which a second gateway is said to be at this address.
    pub(super) async fn beside(address: &str) -> Self {
        let links = Links {
            gateways: vec![address.to_owned()],
            ..Links::default()
        };
        Self::linked(&config(), None, &links).await.unwrap()
    }

    async fn build(
        config: &Config,
        statuses: Option<Arc<dyn Statuses>>,
    ) -> Result<Self, BuildError> {
        Self::linked(config, statuses, &Links::default()).await
    }

    async fn linked(
        config: &Config,
        statuses: Option<Arc<dyn Statuses>>,
        links: &Links,
    ) -> Result<Self, BuildError> {
        let fake = Fake::default();
        let own = gyre_rpc::local(GatewayServiceServer::new(fake.clone()));
        let directory = Directory::open(links, &fake.engine().registry).unwrap();
        let telemetry = Registry::new("gyre").unwrap();
        let policy = Policy::new(&channels(), &Client::default(), &Rpc::default()).unwrap();
        let deps = Deps {
            engine: fake.engine(),
            policy: Arc::new(policy),
            access: access(),
            statuses,
            gateways: directory.with_own("g", "g", own),
            telemetry: telemetry.clone(),
            clock: clock(),
        };
        let api = Api::build(config, deps).await?;
        Ok(Self {
            fake,
            telemetry,
            http: api.http(),
            grpc: api.grpc(),
            api,
        })
    }

    /// Posts a body with the key; answers status and body.
    pub(super) async fn post(&self, path: &str, body: impl Into<Body>) -> (StatusCode, String) {
        let request = Request::post(path)
            .header("x-api-key", HTTP_KEY)
            .body(body.into())
            .unwrap();
        self.send(request).await
    }

    pub(super) async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = self.http.clone().unwrap().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.into()).unwrap())
    }

    /// Calls a method over gRPC with the JSON form of its messages.
    pub(super) async fn grpc(
        &self,
        method: &str,
        body: &str,
        metadata: &[(&'static str, &'static str)],
    ) -> Result<String, Status> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let mut client = CentrifugoApiClient::new(self.grpc.clone().unwrap());
        let answer = call(&mut client, method, &body, metadata).await?;
        Ok(String::from_utf8(answer).unwrap())
    }
}

pub(super) fn request<T>(
    message: T,
    metadata: &[(&'static str, &'static str)],
) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    for (name, value) in metadata {
        request.metadata_mut().append(*name, value.parse().unwrap());
    }
    request
}

macro_rules! define {
    ($($method:ident $name:ident $number:literal $state:ident:
        $request:ident $response:ident $result:ident;)*) => {
        async fn call(
            client: &mut CentrifugoApiClient<Router>,
            method: &str,
            body: &Bytes,
            metadata: &[(&'static str, &'static str)],
        ) -> Result<Vec<u8>, Status> {
            let mut out = Vec::new();
            match method {
                $(stringify!($name) => {
                    let message: gyre_proto::api::$request = gyre_mapping::read(body).unwrap();
                    let answer = client.$name(request(message, metadata)).await?;
                    gyre_mapping::write(&answer.into_inner(), &mut out);
                })*
                "batch" => {
                    let batch: gyre_mapping::BatchRequest = gyre_mapping::read(body).unwrap();
                    let batch = gyre_proto::api::BatchRequest {
                        commands: batch.commands.into_iter().flatten().collect(),
                        parallel: batch.parallel,
                    };
                    let answer = client.batch(request(batch, metadata)).await?;
                    gyre_mapping::write(&answer.into_inner(), &mut out);
                }
                other => panic!("no method {other}"),
            }
            Ok(out)
        }
    };
}

for_each_method!(define);

/// Namespaces of the tests: `hist` keeps, `who` knows who is there, the others take other data.
fn channels() -> Channel {
    let history = Options {
        history_size: 10,
        history_ttl: Millis::from_secs(60),
        ..Options::default()
    };
    let namespace = |name: &str, options: Options| Namespace {
        name: name.to_owned(),
        options,
    };
    let map = Options {
        subscription_type: SubscriptionType::Map,
        ..Options::default()
    };
    let json = Options {
        publication_data_format: DataFormat::Json,
        ..Options::default()
    };
    let binary = Options {
        publication_data_format: DataFormat::Binary,
        ..history.clone()
    };
    let delta = Options {
        delta_publish: true,
        ..Options::default()
    };
    let who = Options {
        presence: true,
        ..Options::default()
    };
    Channel {
        namespaces: vec![
            namespace("hist", history),
            namespace("map", map),
            namespace("json", json),
            namespace("bin", binary),
            namespace("delta", delta),
            namespace("who", who),
        ],
        ..Channel::default()
    }
}
