//! Requests over HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gyre_config::Proxy as Options;
use gyre_config::proxy::StatusTransform;
use gyre_proto::proxy as pb;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connector::{Connecting, Connector, Versions, connector};
use crate::error::CallError;

/// Connections per address that are kept for later. 255: as the reference.
const IDLE_CONNECTIONS_MAX: usize = 255;

/// How long a connection is kept that nobody uses. 90 s: as the reference.
const IDLE_TIME_MAX: Duration = Duration::from_secs(90);

/// Body of a refusal that is read, so that the connection can be used again. Unit: bytes.
///
/// 64 KB: an error page. A connection with more to come is given up.
const REFUSAL_BYTES_MAX: usize = 65_536;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const GYRE: HeaderValue = HeaderValue::from_static("gyre");

/// Asks backends over HTTP.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client<Connector, Full<Bytes>>,
    transforms: Vec<StatusTransform>,
    response_bytes_max: usize,
}

/// What a backend answered.
#[derive(Debug)]
pub(crate) enum Posted {
    /// Status 200 with this body.
    Body(Bytes),
    /// A status with a transform to an error.
    Error(pb::Error),
    /// A status with a transform to a disconnect.
    Disconnect(pb::Disconnect),
}

impl Http {
    pub(crate) fn new(
        options: &Options,
        tls: rustls::ClientConfig,
        connecting: Connecting,
    ) -> Self {
        let versions = if options.http.h2c {
            Versions::Two
        } else {
            Versions::Any
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .pool_idle_timeout(IDLE_TIME_MAX)
            .pool_timer(TokioTimer::new())
            .http2_only(options.http.h2c)
            .build(connector(tls, versions, connecting));
        Self {
            client,
            transforms: options.http.status_to_code_transforms.clone(),
            response_bytes_max: options.max_response_size.get().unwrap_or(usize::MAX),
        }
    }

    /// One request and its answer.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub(crate) async fn post(
        &self,
        endpoint: &Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Posted, CallError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint.clone();
        *request.headers_mut() = headers;
        // Whatever was passed on: this is what the body is.
        request.headers_mut().insert(CONTENT_TYPE, JSON);
        request.headers_mut().entry(USER_AGENT).or_insert(GYRE);
        let response = self.client.request(request).await.map_err(unreachable)?;
        let (head, body) = response.into_parts();
        if head.status == StatusCode::OK {
            let body = Limited::new(body, self.response_bytes_max).collect().await;
            let body = body.map_err(|error| self.broken(error))?;
            return Ok(Posted::Body(body.to_bytes()));
        }
        // What it says is of no use, but its end makes the connection free.
        drop(Limited::new(body, REFUSAL_BYTES_MAX).collect().await);
        self.transformed(head.status)
    }

    fn transformed(&self, status: StatusCode) -> Result<Posted, CallError> {
        let code = status.as_u16();
        let transform = self
            .transforms
            .iter()
            .find(|transform| transform.status_code == u32::from(code));
        let Some(transform) = transform else {
            return Err(CallError::Status(code));
        };
        let (error, disconnect) = (&transform.to_error, &transform.to_disconnect);
        if error.code > 0 {
            return Ok(Posted::Error(pb::Error {
                code: error.code,
                message: error.message.clone(),
                temporary: error.temporary,
            }));
        }
        Ok(Posted::Disconnect(pb::Disconnect {
            code: disconnect.code,
            reason: disconnect.reason.clone(),
        }))
    }

    fn broken(&self, error: Box<dyn std::error::Error + Send + Sync>) -> CallError {
        if error.is::<LengthLimitError>() {
            CallError::TooLong(self.response_bytes_max)
        } else {
            CallError::Unreachable(Arc::from(error))
        }
    }
}

fn unreachable(error: ClientError) -> CallError {
    CallError::Unreachable(Arc::new(error))
}
