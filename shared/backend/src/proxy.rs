mod call;
mod notify;

pub(crate) mod build;
pub(crate) mod stream;

use std::fmt;

use gyre_proto::proxy as pb;
use gyre_runtime::Clock;

use self::notify::Misses;
use crate::context::ClientContext;
use crate::error::CallError;
use crate::guard::Guard;
use crate::messages::answer::Answer;
use crate::messages::payload::Form;
use crate::observe::Observer;
use crate::wire::grpc::Grpc;
use crate::wire::headers::Headers;
use crate::wire::http::Http;
use crate::wire::signature::Signer;

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
    pub(crate) name: Box<str>,
    pub(crate) wire: Wire,
    pub(crate) headers: Headers,
    pub(crate) signer: Option<Signer>,
    pub(crate) form: Form,
    pub(crate) guard: Guard,
    pub(crate) observer: Observer,
    pub(crate) cache_misses: Misses,
    pub(crate) clock: Clock,
}

impl Proxy {
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

    /// Asks whether a subscription may go on. Without a result it may not.
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
            .finish_non_exhaustive()
    }
}
