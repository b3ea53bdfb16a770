//! A built API and ways to call it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use gyre_config::channel::{DataFormat, Namespace, Options, SubscriptionType};
use gyre_config::{Channel, Client, Millis, Rpc, Secret};
use gyre_policy::Policy;
use gyre_proto::api::centrifugo_api_client::CentrifugoApiClient;
use gyre_proto::gateway::gateway_service_server::GatewayServiceServer;
use gyre_telemetry::Registry;
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

impl World {
    pub(super) async fn new() -> Self {
        Self::with(&config()).await.unwrap()
    }

    pub(super) async fn with(config: &Config) -> Result<Self, BuildError> {
        let fake = Fake::default();
        let telemetry = Registry::new("gyre").unwrap();
        let policy = Policy::new(&channels(), &Client::default(), &Rpc::default()).unwrap();
        let deps = Deps {
            engine: fake.engine(),
            policy: Arc::new(policy),
            gateways: gyre_rpc::local(GatewayServiceServer::new(fake.clone())),
            telemetry: telemetry.clone(),
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
