//! Requests over gRPC.

use std::sync::Arc;
use std::time::Duration;

use gyre_config::Proxy as Options;
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tonic::body::Body;
use tonic::codec::{CompressionEncoding, Streaming};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Status};
use tonic_prost::ProstCodec;

use super::connector::{Connecting, Connector, Versions, connector};
use crate::error::CallError;
use crate::guard::timeout;

/// How often a connection with calls under way is asked whether it lives. 10 s: what a stream of
/// publications that are rare must not depend on.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long the answer to that may take. 5 s, as clients of gRPC have it.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks backends over gRPC.
#[derive(Debug)]
pub(crate) struct Grpc {
    client: Client<Connector, Body>,
    compresses: bool,
    response_bytes_max: usize,
    /// What backends are told of the deadline.
    timeout: Duration,
}

impl Grpc {
    pub(crate) fn new(
        options: &Options,
        tls: rustls::ClientConfig,
        connecting: Connecting,
    ) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .http2_only(true)
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .build(connector(tls, Versions::Two, connecting));
        Self {
            client,
            compresses: options.grpc.compression,
            response_bytes_max: options.max_response_size.get().unwrap_or(usize::MAX),
            timeout: timeout(options),
        }
    }

    /// One request and its answer.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub(crate) async fn unary<Q, R>(
        &self,
        origin: &Uri,
        path: &'static str,
        headers: HeaderMap,
        request: Q,
    ) -> Result<R, CallError>
    where
        Q: prost::Message + 'static,
        R: prost::Message + Default + 'static,
    {
        let mut client = self.client(origin).await?;
        let mut request = with_metadata(headers, request);
        request.set_timeout(self.timeout);
        let path = PathAndQuery::from_static(path);
        let codec = ProstCodec::<Q, R>::default();
        let answer = client.unary(request, path, codec).await;
        answer.map(tonic::Response::into_inner).map_err(broken)
    }

    /// One request that is answered by a stream.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub(crate) async fn server_stream<Q, R>(
        &self,
        origin: &Uri,
        path: &'static str,
        headers: HeaderMap,
        request: Q,
    ) -> Result<Streaming<R>, CallError>
    where
        Q: prost::Message + 'static,
        R: prost::Message + Default + 'static,
    {
        let mut client = self.client(origin).await?;
        let request = with_metadata(headers, request);
        let path = PathAndQuery::from_static(path);
        let codec = ProstCodec::<Q, R>::default();
        let answer = client.server_streaming(request, path, codec).await;
        answer.map(tonic::Response::into_inner).map_err(broken)
    }

    /// A stream of requests that is answered by a stream.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the first requests.
    pub(crate) async fn streams<Q, R, S>(
        &self,
        origin: &Uri,
        path: &'static str,
        headers: HeaderMap,
        requests: S,
    ) -> Result<Streaming<R>, CallError>
    where
        Q: prost::Message + 'static,
        R: prost::Message + Default + 'static,
        S: futures_util::Stream<Item = Q> + Send + 'static,
    {
        let mut client = self.client(origin).await?;
        let request = with_metadata(headers, requests);
        let path = PathAndQuery::from_static(path);
        let codec = ProstCodec::<Q, R>::default();
        let answer = client.streaming(request, path, codec).await;
        answer.map(tonic::Response::into_inner).map_err(broken)
    }

    async fn client(
        &self,
        origin: &Uri,
    ) -> Result<tonic::client::Grpc<Client<Connector, Body>>, CallError> {
        let mut client = tonic::client::Grpc::with_origin(self.client.clone(), origin.clone())
            .max_decoding_message_size(self.response_bytes_max)
            .accept_compressed(CompressionEncoding::Gzip);
        if self.compresses {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        let ready = client.ready().await;
        ready.map_err(|error| CallError::Unreachable(Arc::new(error)))?;
        Ok(client)
    }
}

/// What a status of a call or of a stream stands for.
pub(crate) fn broken(status: Status) -> CallError {
    // A status that the backend sent has no other error behind it.
    if std::error::Error::source(&status).is_some() {
        return CallError::Unreachable(Arc::new(status));
    }
    CallError::Grpc {
        code: status.code(),
        message: status.message().to_owned(),
    }
}

fn with_metadata<T>(headers: HeaderMap, message: T) -> Request<T> {
    Request::from_parts(
        MetadataMap::from_headers(headers),
        Extensions::default(),
        message,
    )
}
