use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use gyre_links::{Directory, Listed, Peer};
use gyre_proto::api::{InfoResult, NodeResult};
use gyre_proto::gateway;
use gyre_proto::gateway::gateway_service_client::GatewayServiceClient;
use gyre_rpc::Link;
use gyre_types::Kind;
use ring::rand::{SecureRandom, SystemRandom};
use tonic::{Code, Response, Status};

use crate::error::Error;

/// Longest wait for a gateway, all tries included. 5 s: it only hands the command to its connections.
const COMMAND_WAIT_MAX: Duration = Duration::from_secs(5);

/// Longest wait for a page of a survey. 10 s: every connection of the page is asked.
const SURVEY_WAIT_MAX: Duration = Duration::from_secs(10);

/// Longest page of a survey. Unit: bytes. 64 MiB: a thousand connections with what belongs to them.
const PAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Gateways that one call of the API waits for at once. 64: most installations have fewer.
const AT_ONCE_MAX: usize = 64;

type Client = GatewayServiceClient<Link>;

/// The gateways, and how commands reach the connections that they hold.
#[derive(Clone, Debug)]
pub(crate) struct Gateways {
    directory: Directory,
    random: SystemRandom,
}

/// What all gateways together said.
#[derive(Debug)]
struct Answers<T> {
    answers: Vec<T>,
    /// Those that may not have done what was asked.
    unanswered: Vec<String>,
    /// What one of them refused with.
    refusal: Option<Error>,
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
                        let call = |mut client: Client| {
                            let request = request.clone();
                            async move { client.$name(request).await }
                        };
                        let answers = self.all(COMMAND_WAIT_MAX, call).await.complete()?;
                        let matched = answers.iter().map(|answer| answer.matched);
                        Ok(matched.fold(0, u32::saturating_add))
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
    /// Those of a directory.
    pub(crate) fn new(directory: Directory) -> Self {
        Self {
            directory,
            random: SystemRandom::new(),
        }
    }

    /// Every gateway that answers, with its numbers, and the names of those that do not.
    pub(crate) fn info(&self) -> BoxFuture<'_, Result<InfoResult, Error>> {
        Box::pin(async move {
            let call =
                |mut client: Client| async move { client.info(gateway::InfoRequest {}).await };
            let found = self.all(COMMAND_WAIT_MAX, call).await;
            if let Some(refusal) = found.refusal {
                return Err(refusal);
            }
            let nodes = found.answers.into_iter().filter_map(|answer| answer.node);
            let mut nodes: Vec<NodeResult> = nodes.collect();
            nodes.sort_by(|one, other| one.uid.cmp(&other.uid));
            Ok(InfoResult {
                nodes,
                unanswered: found.unanswered,
            })
        })
    }

    /// Has every gateway read who is kept out. If one does not answer, it may still let them in.
    pub(crate) fn follow_access(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let call = |mut client: Client| async move {
                client.follow_access(gateway::FollowAccessRequest {}).await
            };
            self.all(COMMAND_WAIT_MAX, call).await.complete()?;
            Ok(())
        })
    }

    /// Has a gateway go, by its id or name; if that is empty, nobody. How far every gateway is with
    /// that, and the names of those that do not answer.
    pub(crate) async fn drain(
        &self,
        gateway: &str,
    ) -> Result<(Vec<gateway::DrainResponse>, Vec<String>), Error> {
        let call = |mut client: Client| {
            let gateway = gateway.to_owned();
            async move { client.drain(gateway::DrainRequest { gateway }).await }
        };
        let mut found = self.all(COMMAND_WAIT_MAX, call).await;
        if let Some(refusal) = found.refusal {
            return Err(refusal);
        }
        found.answers.sort_by(|one, other| one.uid.cmp(&other.uid));
        Ok((found.answers, found.unanswered))
    }

    /// A page of the channels of every gateway. If one does not answer, there is no answer.
    pub(crate) fn channels(
        &self,
        request: gateway::ChannelsRequest,
    ) -> BoxFuture<'_, Result<Vec<gateway::ChannelsResponse>, Error>> {
        Box::pin(async move {
            let call = |mut client: Client| {
                let request = request.clone();
                async move { client.channels(request).await }
            };
            self.all(SURVEY_WAIT_MAX, call).await.complete()
        })
    }

    /// The same of their connections.
    pub(crate) fn connections(
        &self,
        request: gateway::ConnectionsRequest,
    ) -> BoxFuture<'_, Result<Vec<gateway::ConnectionsResponse>, Error>> {
        Box::pin(async move {
            let call = |mut client: Client| {
                let request = request.clone();
                async move { client.connections(request).await }
            };
            self.all(SURVEY_WAIT_MAX, call).await.complete()
        })
    }

    /// Calls every gateway, many at once, each until it answers or its time is over.
    async fn all<T, F>(&self, longest: Duration, call: impl Fn(Client) -> F + Sync) -> Answers<T>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let Listed { peers, unanswered } = self.directory.all().await;
        let call = &call;
        let each = stream::iter(peers).map(|Peer { name, link }| async move {
            let link = gyre_rpc::with_deadline(link, longest);
            let client = Client::new(link).max_decoding_message_size(PAGE_BYTES_MAX);
            let answer = gyre_rpc::repeated(longest, || call(client.clone())).await;
            (name, answer)
        });
        let mut all = Answers {
            answers: Vec::new(),
            unanswered,
            refusal: None,
        };
        let mut each = std::pin::pin!(each.buffer_unordered(AT_ONCE_MAX));
        while let Some((name, answer)) = each.next().await {
            all.take(name, answer);
        }
        all
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

impl<T> Answers<T> {
    fn take(&mut self, name: String, answer: Result<T, Status>) {
        let status = match answer {
            Ok(answer) => return self.answers.push(answer),
            Err(status) => status,
        };
        let (code, reason) = (status.code(), status.message());
        match gyre_rpc::kind(code) {
            // Ours to get right: a key that it does not take is no fault of who calls the API.
            Kind::Caller if !matches!(code, Code::Unauthenticated | Code::Unimplemented) => {
                self.refusal = Some(Error::BadRequest);
            }
            Kind::Internal if code != Code::Unknown => {
                tracing::warn!(
                    gateway = name,
                    ?code,
                    reason,
                    "a gateway did not run a command"
                );
                self.refusal.get_or_insert(Error::Internal);
            }
            // What is not known broke on the way.
            Kind::Caller | Kind::Limit | Kind::Unavailable | Kind::Internal => {
                tracing::warn!(gateway = name, ?code, reason, "a gateway did not answer");
                self.unanswered.push(name);
            }
        }
    }

    /// The answers, if nobody is missing.
    fn complete(mut self) -> Result<Vec<T>, Error> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        if self.unanswered.is_empty() {
            return Ok(self.answers);
        }
        self.unanswered.sort_unstable();
        Err(Error::Unanswered(self.unanswered))
    }
}
