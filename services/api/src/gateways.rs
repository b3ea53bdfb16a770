use std::time::Duration;

use futures_util::future::BoxFuture;
use gyre_proto::api::NodeResult;
use gyre_proto::gateway;
use gyre_proto::gateway::gateway_service_client::GatewayServiceClient;
use gyre_rpc::Link;
use gyre_types::Kind;
use ring::rand::{SecureRandom, SystemRandom};
use tonic::{Code, Response, Status};

use crate::error::Error;

/// Longest wait for a gateway. 5 s: it only hands the command to its connections.
const COMMAND_WAIT_MAX: Duration = Duration::from_secs(5);

/// Longest wait for a page of a survey. 10 s: every connection of the page is asked.
const SURVEY_WAIT_MAX: Duration = Duration::from_secs(10);

/// Longest page of a survey. Unit: bytes. 64 MiB: a thousand connections with what belongs to them.
const PAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Tries of a command. 2: a connection that broke is made anew by the second one.
const TRIES_MAX: u32 = 2;

/// The gateways, and how commands reach the connections that they hold.
#[derive(Clone, Debug)]
pub(crate) struct Gateways {
    client: GatewayServiceClient<Link>,
    surveys: GatewayServiceClient<Link>,
    random: SystemRandom,
}

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident $request:ident;)*) => {
        impl Gateways {
            $(
                $(#[$doc])*
                ///
                /// Returns how many connections matched.
                pub(crate) fn $name(
                    &self,
                    mut request: gateway::$request,
                ) -> BoxFuture<'_, Result<u32, Error>> {
                    Box::pin(async move {
                        request.command_id = self.command_id()?;
                        let answer = again(|| {
                            let mut client = self.client.clone();
                            let request = request.clone();
                            async move { client.$name(request).await }
                        });
                        Ok(answer.await?.matched)
                    })
                }
            )*
        }
    };
}

commands! {
    /// Subscribes connections.
    subscribe SubscribeRequest;
    /// Ends subscriptions of connections.
    unsubscribe UnsubscribeRequest;
    /// Closes connections.
    disconnect DisconnectRequest;
    /// Changes when connections expire.
    refresh RefreshRequest;
    /// Ends what rests on void tokens.
    revoke RevokeRequest;
}

impl Gateways {
    /// The gateways at the end of a link.
    pub(crate) fn new(link: Link) -> Self {
        let surveys = gyre_rpc::with_deadline(link.clone(), SURVEY_WAIT_MAX);
        let commands = gyre_rpc::with_deadline(link, COMMAND_WAIT_MAX);
        Self {
            client: GatewayServiceClient::new(commands),
            surveys: GatewayServiceClient::new(surveys).max_decoding_message_size(PAGE_BYTES_MAX),
            random: SystemRandom::new(),
        }
    }

    /// Every gateway with its numbers.
    pub(crate) fn info(&self) -> BoxFuture<'_, Result<Vec<NodeResult>, Error>> {
        Box::pin(async move {
            let answer = again(|| {
                let mut client = self.client.clone();
                async move { client.info(gateway::InfoRequest {}).await }
            });
            Ok(answer.await?.node.into_iter().collect())
        })
    }

    /// A page of the channels of every gateway. If one does not answer, there is no answer.
    pub(crate) fn channels(
        &self,
        request: gateway::ChannelsRequest,
    ) -> BoxFuture<'_, Result<Vec<gateway::ChannelsResponse>, Error>> {
        Box::pin(async move {
            let answer = again(|| {
                let mut client = self.surveys.clone();
                let request = request.clone();
                async move { client.channels(request).await }
            });
            Ok(vec![answer.await?])
        })
    }

    /// The same of their connections.
    pub(crate) fn connections(
        &self,
        request: gateway::ConnectionsRequest,
    ) -> BoxFuture<'_, Result<Vec<gateway::ConnectionsResponse>, Error>> {
        Box::pin(async move {
            let answer = again(|| {
                let mut client = self.surveys.clone();
                let request = request.clone();
                async move { client.connections(request).await }
            });
            Ok(vec![answer.await?])
        })
    }

    /// An id by which a gateway knows a command that it already ran.
    fn command_id(&self) -> Result<bytes::Bytes, Error> {
        let mut id = [0; 16];
        self.random.fill(&mut id).map_err(|_| {
            tracing::error!("the system has no randomness");
            Error::Internal
        })?;
        Ok(bytes::Bytes::copy_from_slice(&id))
    }
}

/// Calls, and once more where the first call did not reach the gateway.
async fn again<T, F>(call: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        match call().await {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) if status.code() == Code::Unavailable && tries < TRIES_MAX => {}
            Err(status) => return Err(refused(&status)),
        }
    }
}

/// What a backend sees of a gateway's refusal; what it does not see is logged.
fn refused(status: &Status) -> Error {
    match gyre_rpc::kind(status.code()) {
        Kind::Caller => Error::BadRequest,
        Kind::Limit | Kind::Unavailable | Kind::Internal => {
            tracing::warn!(code = ?status.code(), reason = status.message(), "a gateway did not run a command");
            Error::Internal
        }
    }
}
