//! gRPC: from messages to methods and back, and what every call passes on the way.

pub(crate) mod compression;
pub(crate) mod deadline;
pub(crate) mod guard;

use std::sync::Arc;

use gyre_config::api::ErrorMode;
use gyre_proto::api;
use gyre_proto::api::centrifugo_api_server::CentrifugoApi;
use prost::Message as _;
use tonic::{Request, Response, Status};

use crate::error::Error;
use crate::methods::{Method, Methods, batch, for_each_method, rows};
use crate::metrics::Protocol;
use crate::mode;

/// The API over gRPC.
#[derive(Clone, Debug)]
pub(crate) struct Grpc {
    methods: Arc<Methods>,
    mode: ErrorMode,
}

impl Grpc {
    /// Serves these methods.
    pub(crate) const fn new(methods: Arc<Methods>, mode: ErrorMode) -> Self {
        Self { methods, mode }
    }

    // hot path: server publish 1/3
    /// Runs a method: its result, its error as a field, or its error as a status.
    async fn call<M: Method>(
        &self,
        request: Request<M::Request>,
    ) -> Result<Result<M::Result, api::Error>, Status> {
        let mode = mode::of_call(self.mode, request.metadata().as_ref());
        match self
            .methods
            .call::<M>(Protocol::Grpc, request.into_inner())
            .await
        {
            Ok(result) => Ok(Ok(result)),
            Err(error) => match mode {
                ErrorMode::Application => Ok(Err(error.to_message())),
                ErrorMode::Transport => Err(status(&error)),
            },
        }
    }
}

macro_rules! define {
    ($($method:ident $name:ident $number:literal $state:ident:
        $request:ident $response:ident $result:ident;)*) => {
        #[tonic::async_trait]
        impl CentrifugoApi for Grpc {
            async fn batch(
                &self,
                request: Request<api::BatchRequest>,
            ) -> Result<Response<api::BatchResponse>, Status> {
                let api::BatchRequest { commands, parallel } = request.into_inner();
                let commands = commands.into_iter().map(Some).collect();
                let answer = batch::run(&self.methods, Protocol::Grpc, commands, parallel).await;
                Ok(Response::new(answer))
            }

            $(async fn $name(
                &self,
                request: Request<api::$request>,
            ) -> Result<Response<api::$response>, Status> {
                let (result, error) = match self.call::<rows::$method>(request).await? {
                    Ok(result) => (Some(result), None),
                    Err(error) => (None, Some(error)),
                };
                Ok(Response::new(api::$response { error, result }))
            })*
        }
    };
}

for_each_method!(define);

/// An error as a status: the error itself is its detail.
fn status(error: &Error) -> Status {
    let message = error.to_message();
    let detail = prost_types::Any {
        type_url: "type.googleapis.com/centrifugal.centrifugo.api.Error".to_owned(),
        value: message.encode_to_vec(),
    };
    let rich = RichStatus {
        code: error.grpc_code() as i32,
        message: message.message.clone(),
        details: vec![detail],
    };
    Status::with_details(
        error.grpc_code(),
        message.message,
        rich.encode_to_vec().into(),
    )
}

/// `google.rpc.Status`, which gRPC's libraries read from a status's details.
#[derive(Clone, PartialEq, prost::Message)]
struct RichStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}
