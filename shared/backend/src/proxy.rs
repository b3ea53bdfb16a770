use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gyre_config::Proxy as Options;
use gyre_proto::proxy as pb;
use http::Uri;

use crate::answer::Answer;
use crate::context::ClientContext;
use crate::error::{BuildError, CallError};
use crate::notify::Misses;
use crate::payload::Form;
use crate::wire::connector::{LinkLocal, check_literal};
use crate::wire::grpc::Grpc;
use crate::wire::headers::Headers;
use crate::wire::http::Http;

/// What carries requests.
#[derive(Debug)]
pub(crate) enum Wire {
    Http(Http),
    Grpc(Grpc),
}

/// One backend of the configuration, and how it is asked.
///
/// In requests payloads stand in the plain fields (`data`, `meta`); the options decide whether they
/// go as base64 and whether the meta goes at all. A dropped future of a call cancels it and counts
/// as no failure.
pub struct Proxy {
    pub(crate) name: Arc<str>,
    pub(crate) wire: Wire,
    endpoint: Uri,
    pub(crate) headers: Headers,
    pub(crate) form: Form,
    pub(crate) timeout: Duration,
    pub(crate) cache_misses: Misses,
}

impl Proxy {
    /// A backend under its name: `default`, or that of one of `proxies`. `path` is where its options
    /// stand.
    pub(crate) fn build(name: &str, path: &str, options: &Options) -> Result<Self, BuildError> {
        let bad = |option: &str, source: Box<dyn std::error::Error + Send + Sync>| BuildError {
            path: format!("{path}.{option}"),
            source,
        };
        let link_local = if options.allow_link_local {
            LinkLocal::Allowed
        } else {
            LinkLocal::Refused
        };
        let is_http = is_http(&options.endpoint);
        let (tls_options, scheme) = match is_http {
            true => (&options.http.tls, None),
            false if options.grpc.tls.enabled => (&options.grpc.tls, Some("https")),
            false => (&options.grpc.tls, Some("http")),
        };
        let endpoint =
            uri(&options.endpoint, scheme).map_err(|error| bad("endpoint", error.into()))?;
        check_literal(&endpoint, link_local).map_err(|error| bad("endpoint", error.into()))?;
        let tls = gyre_fetch::tls_client_config(tls_options).map_err(|error| {
            let option = if is_http { "http.tls" } else { "grpc.tls" };
            bad(option, error.into())
        })?;
        let (wire, headers) = if is_http {
            let wire = Wire::Http(Http::new(options, tls, link_local));
            (wire, Headers::http(options))
        } else {
            let wire = Wire::Grpc(Grpc::new(options, tls, link_local));
            (wire, Headers::grpc(options))
        };
        Ok(Self {
            name: name.into(),
            wire,
            endpoint,
            headers: headers.map_err(|error| bad("http.static_headers", error.into()))?,
            form: Form {
                is_binary: options.binary_encoding,
                has_meta: options.include_connection_meta,
            },
            timeout: options.timeout.duration().unwrap_or(TIMEOUT),
            cache_misses: Misses::default(),
        })
    }

    /// Where the next call goes.
    pub(crate) fn endpoint(&self) -> &Uri {
        &self.endpoint
    }

    /// The name: `default`, or that of one of `proxies`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks whether a client may connect, and as whom. Without a result it has no credentials.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub async fn connect(
        &self,
        request: pb::ConnectRequest,
        client: &ClientContext,
    ) -> Result<Answer<pb::ConnectResult>, CallError> {
        self.ask(request, client).await
    }

    /// Asks whether a connection may go on. Without a result it may not: the reference honours
    /// neither error nor disconnect here.
    ///
    /// # Errors
    ///
    /// [`CallError`]; of these [`CallError::Base64`] ends the connection.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub async fn refresh(
        &self,
        request: pb::RefreshRequest,
        client: &ClientContext,
    ) -> Result<Option<pb::RefreshResult>, CallError> {
        self.ask(request, client).await.map(Answer::only_result)
    }

    /// Asks whether a client may subscribe. Without a result it may.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub async fn subscribe(
        &self,
        request: pb::SubscribeRequest,
        client: &ClientContext,
    ) -> Result<Answer<pb::SubscribeResult>, CallError> {
        self.ask(request, client).await
    }

    /// Asks whether a client may publish, and what. Without a result, or with one without data, it
    /// may publish what it wants to.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub async fn publish(
        &self,
        request: pb::PublishRequest,
        client: &ClientContext,
    ) -> Result<Answer<pb::PublishResult>, CallError> {
        self.ask(request, client).await
    }

    /// Calls a method. Without a result it returned nothing.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub async fn rpc(
        &self,
        request: pb::RpcRequest,
        client: &ClientContext,
    ) -> Result<Answer<pb::RpcResult>, CallError> {
        self.ask(request, client).await
    }

    /// Asks whether a subscription may go on. Without a result it may, and expires no more.
    ///
    /// # Errors
    ///
    /// [`CallError`]; of these [`CallError::Base64`] ends the subscription.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub async fn sub_refresh(
        &self,
        request: pb::SubRefreshRequest,
        client: &ClientContext,
    ) -> Result<Option<pb::SubRefreshResult>, CallError> {
        self.ask(request, client).await.map(Answer::only_result)
    }

    /// Asks whether a client may write a key of a map channel, and what. Without a result it may
    /// write what it wants to.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub async fn map_publish(
        &self,
        request: pb::MapPublishRequest,
        client: &ClientContext,
    ) -> Result<Answer<pb::MapPublishResult>, CallError> {
        self.ask(request, client).await
    }

    /// Asks whether a client may remove a key of a map channel. Without a result it may.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub async fn map_remove(
        &self,
        request: pb::MapRemoveRequest,
        client: &ClientContext,
    ) -> Result<Answer<pb::MapRemoveResult>, CallError> {
        self.ask(request, client).await
    }

    /// Asks for new values of a shared poll channel. No client is behind it.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub async fn shared_poll_refresh(
        &self,
        request: pb::SharedPollRefreshRequest,
    ) -> Result<Answer<pb::SharedPollRefreshResult>, CallError> {
        self.ask(request, &ClientContext::default()).await
    }

    /// Tells that channels came into use or fell out of it, oldest first. Anything but an answer
    /// with a result or with nothing means that it has to be told again.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub async fn notify_channel_state(
        &self,
        request: pb::NotifyChannelStateRequest,
    ) -> Result<Answer<pb::NotifyChannelStateResult>, CallError> {
        self.ask(request, &ClientContext::default()).await
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("name", &self.name)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// The deadline of proxies whose option is not positive, which configuration refuses.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Whether an endpoint is asked over HTTP; all others are over gRPC.
fn is_http(endpoint: &str) -> bool {
    endpoint.starts_with("http://") || endpoint.starts_with("https://")
}

/// An endpoint as a client of HTTP wants it; `scheme` takes the place of that of gRPC.
fn uri(address: &str, scheme: Option<&str>) -> Result<Uri, http::Error> {
    let Some(scheme) = scheme else {
        return Ok(address.parse::<Uri>()?);
    };
    let authority = address.strip_prefix("grpc://").unwrap_or(address);
    Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query("/")
        .build()
}
