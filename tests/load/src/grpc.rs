//! `Publish` over gRPC, with the few fields of its messages that are needed.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use crate::server::API_KEY;

/// A publication for one channel.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PublishRequest {
    /// The channel.
    #[prost(string, tag = "1")]
    pub channel: String,
    /// The data.
    #[prost(bytes = "bytes", tag = "2")]
    pub data: Bytes,
}

/// Its answer.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PublishResponse {
    /// Set when it failed.
    #[prost(message, optional, tag = "1")]
    pub error: Option<Error>,
}

/// Why it failed.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Error {
    /// The code.
    #[prost(uint32, tag = "1")]
    pub code: u32,
}

/// A connection to the gRPC API; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    grpc: Grpc<Channel>,
}

impl Api {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let channel = Endpoint::from_shared(format!("http://{address}"))?
            .connect()
            .await
            .context("no gRPC API")?;
        Ok(Self {
            grpc: Grpc::new(channel),
        })
    }

    /// Publishes.
    pub(crate) async fn publish(&mut self, channel: &str, data: Bytes) -> Result<()> {
        let mut request = tonic::Request::new(PublishRequest {
            channel: channel.to_owned(),
            data,
        });
        let key = MetadataValue::try_from(format!("apikey {API_KEY}"))?;
        request.metadata_mut().insert("authorization", key);
        self.grpc.ready().await?;
        let path = PathAndQuery::from_static("/centrifugal.centrifugo.api.CentrifugoApi/Publish");
        let codec: ProstCodec<PublishRequest, PublishResponse> = ProstCodec::default();
        let response = self.grpc.unary(request, path, codec).await?.into_inner();
        ensure!(response.error.is_none(), "{:?}", response.error);
        Ok(())
    }
}
